"""Reads one part of a pipeline, network, autoencoder or text encoder, whole; and says why where it cannot be had."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported
from bench.errors import BenchError, first_line
from bench.files.locations import resolve
from bench.files.published import Published
from bench.files.recognised import convert_first, no_tensors, quantised, whole_numbers, whole_numbers_in
from bench.files.selection import WeightsForm, shard_of, weights_of


def damaged(what: str, path: Path, why: str) -> BenchError:
    """Return the error for weights at ``path`` that are damaged or incomplete."""
    shipped = resolve("package:bench.miniature") in path.resolve().parents
    mend = "install the project again: `make env`" if shipped else "fetch it again"
    noun = "file" if path.is_file() else "folder"
    return BenchError(f"Cannot load {what} {path}: {why}. The {noun} is damaged or incomplete: {mend}.")


def unusable(what: str, path: Path, why: str) -> BenchError:
    """Return the error for undamaged weights at ``path`` that cannot be used; ``why`` ends with the way out."""
    return BenchError(f"Cannot load {what} {path}: {why}.")


def quiet() -> None:
    """Have diffusers and transformers say nothing beside what they raise: what goes wrong becomes one line."""
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for each in (logging, transformers_logging):
        each.set_verbosity(each.CRITICAL)
        each.disable_progress_bar()


def read_config(folder: Path) -> dict[str, Any]:
    """Return the ``config.json`` of a part; empty where there is none that can be read."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def refuse_pointers(what: str, file: Path) -> None:
    """Refuse a file that is whole and holds no tensors.

    Raises:
        BenchError: it is a git-lfs pointer, a GGUF file or the like.
    """
    if why := no_tensors(file):
        raise unusable(what, file, why)


def refuse_shard(what: str, file: Path) -> None:
    """Refuse one of the files into which weights were cut: the others would be left out.

    Raises:
        BenchError: its name says that it is one.
    """
    if count := shard_of(file.name):
        raise unusable(what, file, f"it is one of {count} files that the weights are cut into: give their folder, {file.parent}")


def refuse_whole_numbers(what: str, published: Published) -> None:
    """Refuse a model whose weights are integers: the numbers that these stand for are said elsewhere, if at all.

    Raises:
        BenchError: a tensor of it is.
    """
    if found := whole_numbers(published.tensors):
        raise unusable(what, published.path, convert_first(found))


def form_in(folder: Path, what: str) -> WeightsForm:
    """Return the form of the weights in ``folder`` that is read: the same that is hashed and fetched.

    Raises:
        BenchError: they are undamaged and of a form that cannot be read.
    """
    names = [file.name for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
    form = weights_of(names)
    for name in form.files:
        refuse_pointers(what, folder / name)
    if any(name.endswith(".onnx") for name in form.files):
        raise unusable(what, folder, "it has weights for ONNX alone: fetch its safetensors, or its .bin")
    if not form.files and any(name.endswith(".gguf") for name in names):
        raise unusable(what, folder, convert_first("GGUF"))
    if said := quantised((), read_config(folder)):
        raise unusable(what, folder, convert_first(said))
    for name in form.files if form.safetensors else ():
        try:
            said = whole_numbers_in(folder / name)
        except Exception as error:
            raise damaged(what, folder, first_line(error)) from error
        if said:
            raise unusable(what, folder, convert_first(said))
    return form


def _options(folder: Path, dtype: Any, what: str) -> dict[str, Any]:
    form = form_in(folder, what)
    return {"dtype": dtype, "variant": form.variant, "use_safetensors": form.safetensors, "local_files_only": True, "output_loading_info": True}


def read_model(folder: Path, dtype: Any, kind: str, what: str) -> Any:
    """Return the network or autoencoder of diffusers' class ``kind``, every tensor of it read from ``folder`` and none left over there.

    Raises:
        BenchError: it is damaged or incomplete, or of a form or class that cannot be read.
    """
    import diffusers

    quiet()
    _refuse_class(what, folder, kind)
    options = _options(folder, dtype, what)
    try:
        model, info = getattr(diffusers, kind).from_pretrained(folder, **options)
    except Exception as error:
        raise _unread(what, folder, error) from error
    refuse_lacking(what, folder, model)
    if surplus := sorted(info["unexpected_keys"]):
        raise unusable(
            what,
            folder,
            f"its weights hold {len(surplus)} tensors that its config.json has no place for, first {surplus[0]}: without them it is another model",
        )
    return model


def _refuse_class(what: str, folder: Path, kind: str) -> None:
    """Refuse a folder whose configuration is of another class than ``kind``; of transformers' classes, of another family of models."""
    import transformers

    config = read_config(folder)
    architectures = " and ".join(map(str, config.get("architectures") or ()))
    said, model_type = config.get("_class_name"), str(config.get("model_type") or "")
    known = getattr(transformers, kind, None)
    if known is not None and said is None and model_type:
        # A CLIP of both halves has its text's tensors too.
        if model_type.partition("_")[0] != known.config_class.model_type.partition("_")[0]:
            raise unusable(what, folder, f"it is a {model_type} ({architectures}), expected a {kind}")
    elif said not in (None, kind) or (said is None and model_type):
        raise unusable(what, folder, f"it is a {said or architectures or model_type}, expected a {kind}")


def _unread(what: str, folder: Path, error: Exception) -> BenchError:
    """Return the error for what a library could not read: damage, or weights of another model than their configuration's."""
    why = first_line(error)
    if re.search(r"shape|size mismatch|mismatched", str(error)):
        which = why.partition(" because ")[2].partition(". If you want")[0] or why
        return unusable(what, folder, f"its weights are not those of its config.json ({which}): give the config.json that was saved with them")
    if re.search(r"divisible|must provide|Must provide|unknown|not supported", str(error)):
        return unusable(what, folder, f"its config.json describes no network: {why}")
    return damaged(what, folder, why)


def refuse_lacking(what: str, path: Path, model: Any) -> None:
    """Refuse a model that diffusers read in part: it leaves a tensor that the file lacks on the meta device.

    Raises:
        BenchError: a tensor is missing.
    """
    lacking = [name for name, tensor in model.named_parameters() if tensor.is_meta]
    if lacking:
        raise damaged(what, path, f"its weights lack {lacking[0]}")


def read_text_encoder(folder: Path, dtype: Any, kind: str, what: str = "the base model") -> Any:
    """Return the text encoder of class ``kind``, every tensor of it read from ``folder``.

    Raises:
        BenchError: it is damaged or incomplete, or of a form that cannot be read.
    """
    import transformers

    quiet()
    _refuse_class(what, folder, kind)
    options = _options(folder, dtype, what)
    try:
        encoder, info = getattr(transformers, kind).from_pretrained(folder, **options)
    except Exception as error:
        raise _unread(what, folder, error) from error
    if info["missing_keys"]:
        raise damaged(what, folder, f"its weights lack {min(info['missing_keys'])}")
    return encoder
