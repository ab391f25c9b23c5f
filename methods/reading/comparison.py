"""What else a pipeline brings beside the part that a method takes: compared with the track's base, so that nothing is dropped without a word."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.files.hashes import sha256
from bench.files.selection import MODEL_INDEX, used
from bench.types import Context
from methods.denoisers import FAMILIES, KINDS
from methods.parts import read_config, read_model, read_text_encoder, unusable
from methods.reading.single_file import holds, is_compvis, model_parts, names_and_header, prefixes, read_file, read_marks, read_part
from methods.scheduling import differing, own_config, refuse_untrained, tracks_scheduler

if TYPE_CHECKING:
    import torch

NETWORKS = tuple(family.part for family in FAMILIES)
_DEEP = 2
"""Folders above a part in which its pipeline's index may lie: trainers write ``checkpoint-500/unet`` into the pipeline's own."""
_OLD_END = 2
"""What old configurations of CLIP say for their end token; it is then found as the highest id."""
_IDLE = {
    *("architectures", "model_type", "dtype", "torch_dtype", "transformers_version", "return_dict", "output_hidden_states", "output_attentions"),
    *("id2label", "label2id", "problem_type", "is_encoder_decoder", "chunk_size_feed_forward", "initializer_range", "initializer_factor"),
    *("dropout", "attention_dropout"),  # of training
    *("sample_size", "projection_dim"),  # a size where none is asked for, and one that the tensors have too
    *("bos_token_id", "pad_token_id"),  # the tokenizer's count
}
"""Settings of a network, an autoencoder or a text encoder by which the same weights compute the same. Every other one may change pictures."""
_UPCASTS = {"upcast_attention", "force_upcast"}
"""Settings that act in half precision alone."""


class Whole:
    """A pipeline, as a folder or in one file, of which single parts are read.

    Attributes:
        path: the folder or file.
        configs: the folder with the configurations that a file is read by; the folder itself.
    """

    def __init__(self, path: Path, configs: Path) -> None:
        self.path = path
        self.configs = path if path.is_dir() else configs

    @cached_property
    def tensors(self) -> dict[str, torch.Tensor]:
        """A file's, by the names of CompVis; empty for a folder."""
        return read_file("the weights", self.path).tensors if self.path.is_file() else {}

    def has(self, part: str) -> bool:
        """Return whether it brings this part."""
        return (self.path / part).is_dir() if self.path.is_dir() else holds(self.tensors, part)

    def files(self, part: str) -> dict[str, str]:
        """Return the hashes of a part's files, where it is a folder."""
        folder = self.path / part
        names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
        return {name: sha256(folder / name) for name in used(names)}

    def read(self, part: str, kind: str) -> Any:
        """Return a model, in float32."""
        import torch
        import transformers

        what = f"the {part}"
        if self.path.is_file():
            return read_part(self.path, self.tensors, part, kind, self.configs, torch.float32, what)
        reader = read_text_encoder if hasattr(transformers, kind) else read_model
        return reader(self.path / part, torch.float32, kind, what)

    def dtypes(self, part: str) -> set[torch.dtype]:
        """Return what the tensors of a part are stored in."""
        if self.path.is_file():
            return {tensor.dtype for name, tensor in self.tensors.items() if name.startswith(prefixes(part))}
        files = [self.path / part / name for name in self.files(part) if not name.endswith((".json", ".txt", ".model"))]
        return {tensor.dtype for file in files for tensor in read_file(f"the {part}", file).tensors.values()}


def places(path: Path) -> tuple[Path, ...]:
    """Return where ``path`` lies: as it is written, made absolute, and where its links lead (a file in the hub's cache is a link)."""
    return tuple(dict.fromkeys((Path(os.path.abspath(path)), path.resolve())))


def whole_around(path: Path, part: str) -> Path | None:
    """Return the folder of the pipeline that ``path`` is, or that ``path`` or its file is a part of; None where there is none."""
    parts = (MODEL_INDEX, "scheduler", "vae", "tokenizer", *NETWORKS, "text_encoder")
    for place in places(path):
        own = place if place.is_dir() else place.parent
        around = own.parents[:_DEEP]
        if place.is_dir() and (place / part).is_dir():
            around = [place, *around]
        elif own.name == part and any((own.parent / name).exists() for name in parts if name != part):
            return own.parent
        if whole := next((each for each in around if (each / MODEL_INDEX).is_file()), None):
            return whole
    return path if path.is_dir() and (path / part).is_dir() else None


def refuse_dropping(context: Context, path: Path, taken: str, method: str) -> None:
    """Refuse a pipeline of which a method would take one part, where another one is not the base's.

    Args:
        context: of the track.
        path: what the user named, or the folder in it.
        taken: the part.
        method: its name, for the message.

    Raises:
        BenchError: something differs; all that does is named.
    """
    names = names_and_header(path)[0] if path.is_file() else set()
    if is_compvis(names):
        if holds(names, taken):  # else whoever reads it says so
            _refuse_differing(context, path, taken, method)
        return
    if path.is_file():
        sampled = tracks_scheduler(own_config(context.track.config_path()) or {}, context.track).config
        refuse_untrained("The weights", path, sampled, read_marks(path), "Use a track whose `scheduler` says the same")
    around = whole_around(path, taken)
    if around is not None:
        refuse_another_class("the weights", around, context.track.config_path())
        _refuse_differing(context, around, taken, method)


def _refuse_differing(context: Context, around: Path, taken: str, method: str) -> None:
    found = list(differences(context, around, {taken}))
    if found:
        raise BenchError(
            f"{around} differs from the track's base in more than its {taken}: {'; '.join(found)}. The method {method!r} takes the {taken} alone. "
            f"Take all of it: --method pipeline:{around}."
        )


def class_in(folder: Path) -> str:
    """Return the class of a pipeline's folder, as its index says; empty where there is none."""
    try:
        return str(json.loads((folder / MODEL_INDEX).read_text(encoding="utf-8")).get("_class_name") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def refuse_another_class(what: str, path: Path, base: Path) -> None:
    """Refuse a pipeline of another architecture than the base's; one that says no class is left to whoever reads its parts.

    Raises:
        BenchError: it is of another class, and not one that has the same parts.
    """
    said, own = class_in(path), class_in(base)
    if said and (said not in KINDS or (own in KINDS and KINDS[said].encoders != KINDS[own].encoders)):
        raise unusable(what, path, f"it is a {said}; this track's base is a {own}. Give a fine-tune of that, or use a track of its own kind")


def differences(context: Context, path: Path, but: Iterable[str] = ()) -> Iterator[str]:
    """Yield what a pipeline has otherwise than the track's base, each in words: scheduler, index, tokenizers, text encoders, autoencoder, network.

    What costs least to compare comes first, for whoever asks for one difference alone.
    """
    base, other = Whole(context.track.base_path(), context.track.config_path()), Whole(path, context.track.config_path())
    index = model_parts(base.configs)
    kind = KINDS.get(class_in(base.configs))
    encoders = tuple(kind.encoders) if kind else ()
    yield from _scheduling(context, other)
    if path.is_dir():
        ours, theirs = (index_settings(folder) for folder in (base.configs, path))
        yield from (f"{name} {theirs[name]}, the base has {ours[name]}" for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])
        for part in (each.replace("text_encoder", "tokenizer") for each in encoders):
            if (path / part).is_dir() and base.files(part) != other.files(part) and _tokens(base.configs / part) != _tokens(path / part):
                yield part
    for part in (*encoders, "vae", *NETWORKS):
        if part not in but and part in index and other.has(part) and (found := _otherwise(base, other, part, index[part][1], context.dtype)):
            yield found


def _scheduling(context: Context, other: Whole) -> list[str]:
    """Return how the other pipeline's own scheduler would sample otherwise, the track's class and overrides on both."""
    ours = tracks_scheduler(own_config(context.track.config_path()) or {}, context.track)
    theirs = own_config(other.path) if other.path.is_dir() else None
    if other.path.is_file() and (marks := read_marks(other.path)):
        theirs = {**dict(ours.config), **marks}
    if theirs is None:
        return []
    changes = differing(ours, tracks_scheduler(theirs, context.track, whose=f"The pipeline {other.path}"))
    return [f"scheduler ({', '.join(f'{name} {there}, the base has {here}' for name, (here, there) in changes.items())})"] if changes else []


def index_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of a pipeline itself that change pictures, such as SDXL's ``force_zeros_for_empty_prompt``; none of an unknown class."""
    import diffusers

    name = class_in(folder)
    if name not in KINDS:
        return {}
    index = json.loads((folder / MODEL_INDEX).read_text(encoding="utf-8"))
    options = inspect.signature(getattr(diffusers, name)).parameters
    known = {each: option.default for each, option in options.items() if isinstance(option.default, (bool, int, float, str))}
    return {each: index.get(each, default) for each, default in known.items() if each not in KINDS[name].options}


def settings_of(model: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Return the settings of a model by which the same weights compute something, in ``dtype``."""
    return computing(type(model), model.config, dtype)


def computing(kind: type, config: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Return the same of a configuration that says every setting, for a model of class ``kind``."""
    import torch

    if hasattr(config, "to_dict"):
        # Diffusers asks a text encoder for the last; no class of transformers names it.
        names = {*type(config)().to_dict(), "use_attention_mask"}
        found = {"use_attention_mask": None, **config.to_dict()}
        if found.get("eos_token_id") == _OLD_END:
            found["eos_token_id"] = found["vocab_size"] - 1
    else:
        names, found = set(inspect.signature(kind).parameters), dict(config)
    idle = _IDLE | _UPCASTS if dtype == torch.float32 else _IDLE
    return {name: _setting(value) for name, value in found.items() if name in names - idle and not name.startswith("_")}


def _otherwise(base: Whole, other: Whole, part: str, kind: str, dtype: str) -> str:
    """Return a part with its settings that differ, or alone where its tensors do; empty where the two are one.

    Tensors are the same too where they are rounded to the half precision that one of the two files has.
    """
    import torch

    if base.path.is_dir() and other.path.is_dir():
        if base.files(part) == other.files(part):
            return ""
        said = [read_config(each.path / part).get("_class_name") for each in (base, other)]
        if said[0] != said[1]:
            return part
    models = [each.read(part, kind) for each in (base, other)]
    here, there = (settings_of(model, getattr(torch, dtype)) for model in models)
    if changes := [name for name in sorted({*here, *there}) if here.get(name) != there.get(name)]:
        return f"{part} ({', '.join(f'{name} {there.get(name)}, the base has {here.get(name)}' for name in changes)})"
    ours, theirs = ({name: value for name, value in model.state_dict().items() if not name.endswith("position_ids")} for model in models)
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        return part
    stored = {dtype for each in (base, other) for dtype in each.dtypes(part)}
    # Half precision is how models are handed on; fewer bits, of which the base is not made, give visibly other pictures.
    coarse = next((dtype for dtype in (torch.bfloat16, torch.float16) if dtype in stored), torch.float32)
    same = all(torch.equal(value.to(coarse).float(), theirs[name].to(coarse).float()) for name, value in ours.items())
    return "" if same else part


def refuse_base(path: Path, ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights that are the base's own, or these rounded to half precision: a method that does nothing.

    Args:
        path: of their file or folder.
        ours: the base's tensors.
        theirs: what would take their place, by the same names; those that the base lacks tell them apart.

    Raises:
        BenchError: all of them are the base's.
    """
    import torch

    if not theirs.keys() <= ours.keys():
        return
    for dtype in (None, torch.float16, torch.bfloat16):
        rounded = "" if dtype is None else f", rounded to {str(dtype).removeprefix('torch.')}"
        if all(torch.equal((ours[name] if dtype is None else ours[name].to(dtype)).to(value), value) for name, value in theirs.items()):
            raise BenchError(f"The weights in {path} are the base's own{rounded}: they change nothing, so their pictures would be the base's.")


def _setting(value: Any) -> Any:
    """Return a setting in one form: one for all blocks says the same as a list of equal ones."""
    found = list(value) if isinstance(value, (list, tuple)) else value
    return found[0] if isinstance(found, list) and found and all(each == found[0] for each in found) else found


def _tokens(folder: Path) -> Any:
    """Return what decides how a tokenizer cuts texts: its vocabulary, its rules, what it adds and how much it takes."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = json.loads(tokenizer.backend_tokenizer.to_str()) if getattr(tokenizer, "backend_tokenizer", None) else {}
    rules = {name: model.get(name) for name in ("normalizer", "pre_tokenizer", "post_processor")}
    merges = (model.get("model") or {}).get("merges")
    return tokenizer.get_vocab(), merges, rules, tokenizer.model_max_length, tokenizer.pad_token_id
