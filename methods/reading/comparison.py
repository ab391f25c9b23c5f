"""What else a pipeline brings beside the part that a method takes: compared with the track's base, so that nothing is dropped without a word."""

from __future__ import annotations

import json
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
_COMPUTING = {
    "vae": ("scaling_factor", "shift_factor", "latents_mean", "latents_std", "force_upcast", "act_fn", "norm_num_groups"),
    "text_encoder": ("hidden_act", "layer_norm_eps", "num_attention_heads"),
}
"""Settings that change what the same weights compute."""


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


def whole_around(path: Path, part: str) -> Path | None:
    """Return the pipeline of which ``path`` is the folder, the folder of ``part``, or the one file; None where it is none."""
    if path.is_file():
        return path if path.suffix in (".safetensors", ".ckpt", ".pt", ".pth", ".bin") else None
    others = (MODEL_INDEX, "scheduler", "vae", "tokenizer", *NETWORKS, "text_encoder")
    if (path / part).is_dir():
        return path
    return path.parent if path.name == part and any((path.parent / name).exists() for name in others if name != part) else None


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
    around = whole_around(path, taken)
    if around is None:
        return
    names = names_and_header(around)[0] if around.is_file() else set()
    if is_compvis(names) and not holds(names, taken):
        return  # whoever reads it says so
    if around.is_file() and not is_compvis(names):
        sampled = tracks_scheduler(own_config(context.track.config_path()) or {}, context.track).config
        refuse_untrained("The weights", around, sampled, read_marks(around), "Use a track whose `scheduler` says the same")
        return
    if around.is_dir():
        refuse_another_class("the weights", around, context.track.config_path())
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
    """Yield what a pipeline has otherwise than the track's base, each in words: scheduler, tokenizers, text encoders, autoencoder, network.

    What costs least to compare comes first, for whoever asks for one difference alone.
    """
    base, other = Whole(context.track.base_path(), context.track.config_path()), Whole(path, context.track.config_path())
    index = model_parts(base.configs)
    kind = KINDS.get(class_in(base.configs))
    encoders = tuple(kind.encoders) if kind else ()
    yield from _scheduling(context, other)
    if path.is_dir():
        for part in (each.replace("text_encoder", "tokenizer") for each in encoders):
            if (path / part).is_dir() and base.files(part) != other.files(part) and _tokens(base.configs / part) != _tokens(path / part):
                yield part
    for part in (*encoders, "vae", *NETWORKS):
        if part not in but and part in index and other.has(part) and not _same_model(base, other, part, index[part][1]):
            yield part


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


def _same_model(base: Whole, other: Whole, part: str, kind: str) -> bool:
    """Return whether two models are one: the same tensors, or rounded to half precision where one of the two files is, and the same settings."""
    import torch

    if base.path.is_dir() and other.path.is_dir() and base.files(part) == other.files(part):
        return True
    if base.path.is_dir() and other.path.is_dir():
        said = [read_config(each.path / part).get("_class_name") for each in (base, other)]
        if said[0] != said[1]:
            return False
    models = [each.read(part, kind) for each in (base, other)]
    settings = [[_setting(model.config, name) for name in _COMPUTING.get(part.removesuffix("_2"), ())] for model in models]
    ours, theirs = ({name: value for name, value in model.state_dict().items() if not name.endswith("position_ids")} for model in models)
    if settings[0] != settings[1] or {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        return False
    stored = {dtype for each in (base, other) for dtype in each.dtypes(part)}
    # Half precision is how models are handed on; fewer bits, of which the base is not made, give visibly other pictures.
    coarse = next((dtype for dtype in (torch.bfloat16, torch.float16) if dtype in stored), torch.float32)
    return all(torch.equal(value.to(coarse).float(), theirs[name].to(coarse).float()) for name, value in ours.items())


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


def _setting(config: Any, name: str) -> Any:
    value = getattr(config, name, None)
    return list(value) if isinstance(value, tuple) else value


def _tokens(folder: Path) -> Any:
    """Return what decides how a tokenizer cuts texts: its vocabulary, its rules, what it adds and how much it takes."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = json.loads(tokenizer.backend_tokenizer.to_str()) if getattr(tokenizer, "backend_tokenizer", None) else {}
    rules = {name: model.get(name) for name in ("normalizer", "pre_tokenizer", "post_processor")}
    merges = (model.get("model") or {}).get("merges")
    return tokenizer.get_vocab(), merges, rules, tokenizer.model_max_length, tokenizer.pad_token_id
