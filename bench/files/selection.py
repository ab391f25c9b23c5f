"""Which files of a folder or repository of weights are used: those, and no others, are fetched, listed and hashed."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from bench.errors import NotAvailable

MODEL_INDEX = "model_index.json"
"""What marks a folder as a diffusers pipeline, and names its components."""
PLAIN = (".json", ".txt", ".model")
"""Configurations and tokenizers."""
WEIGHTS = ((".safetensors",), (".bin", ".pt", ".pth", ".ckpt"), (".onnx",))
"""Formats of weights, the best first; of a folder one alone is used. Whoever reads torch's own does so by ``torch.load(weights_only=True)``."""
VARIANTS = ("fp32", "fp16", "bf16", "ema", "non_ema")
"""Which variant is used where a folder has no plain weights, the first that is there; one of another name comes last."""
_VARIANT = re.compile(r"\.(fp32|fp16|bf16|fp8\w*|ema|non_ema)[.-]")
_SHARD = re.compile(r"-\d{5}-of-(\d{5})(?=\.)")
_OTHER_RUNTIME = re.compile(r"(openvino|flax|tf|rust)_")


@dataclass(frozen=True, slots=True)
class WeightsForm:
    """The weights of one folder that are used, and how diffusers and transformers are told to read these and no others.

    Attributes:
        files: by their names, sorted; empty where there are none.
        variant: what stands between name and suffix (``fp16``); None for plain weights.
        safetensors: whether they are safetensors, and not torch's own format.
    """

    files: tuple[str, ...] = ()
    variant: str | None = None
    safetensors: bool = True

    @property
    def whole(self) -> bool:
        """Whether there are weights, and of weights in several files each one."""
        shards = [match for name in self.files if (match := _SHARD.search(name))]
        return bool(self.files) and all(len(shards) == int(match[1]) for match in shards)


def shard_of(name: str) -> int:
    """Return in how many files the weights are cut of which ``name`` is one; 0 where it is no such file's."""
    match = _SHARD.search(name)
    return int(match[1]) if match else 0


def is_file(name: str) -> bool:
    """Return whether ``name``, of a part of a repository, is a file's and not a folder's."""
    return PurePosixPath(name).suffix in (*PLAIN, *(suffix for suffixes in WEIGHTS for suffix in suffixes))


def has_weights(names: Iterable[str]) -> bool:
    """Return whether some of the files hold weights."""
    return any(PurePosixPath(name).suffix in suffixes for name in names for suffixes in WEIGHTS)


def components(model_index: bytes) -> tuple[str, ...]:
    """Return the folders that a diffusers pipeline is made of, as its ``model_index.json`` names them.

    Raises:
        NotAvailable: it is damaged.
    """
    try:
        found = json.loads(model_index).items()
    except (ValueError, AttributeError) as error:
        raise NotAvailable(f"The {MODEL_INDEX} is damaged: {error}. Fetch it again.") from error
    return tuple(name for name, value in found if isinstance(value, list) and len(value) == 2 and value[1])


def weights_of(names: Iterable[str]) -> WeightsForm:
    """Return which of the files of one folder are its weights. Hashes, fetching, listing and loading all follow this.

    Plain weights come before variants, in whatever format; safetensors before torch's own, and both before ONNX.

    Args:
        names: of the files that lie in the folder itself.
    """
    own = [name for name in names if not name.startswith(".") and not _OTHER_RUNTIME.match(name)]
    by_format = [[name for name in own if PurePosixPath(name).suffix in suffixes] for suffixes in WEIGHTS]
    *readable, onnx = by_format
    for variants in (False, True):
        for place, files in enumerate(readable):
            found: dict[str | None, list[str]] = defaultdict(list)
            for name in files:
                match = _VARIANT.search(name)
                found[match[1] if match else None].append(name)
            chosen = min((each for each in found if each is not None), key=_rank, default=None) if variants else None
            if chosen in found:
                return WeightsForm(tuple(sorted(_one_cut(found[chosen], own))), chosen, safetensors=place == 0)
    return WeightsForm(tuple(sorted(onnx)), None, safetensors=not onnx)


def _rank(variant: str) -> tuple[int, str]:
    return (VARIANTS.index(variant) if variant in VARIANTS else len(VARIANTS), variant)


def _one_cut(files: list[str], names: Collection[str]) -> list[str]:
    """Return weights that lie there both whole and in several files as the libraries read them: diffusers the latter, transformers the former."""
    shards = [name for name in files if _SHARD.search(name)]
    single = [name for name in files if name not in shards]
    if not shards or not single:
        return files
    indexed = any(".index." in name and name.startswith("diffusion_pytorch_model") for name in names)
    return shards if indexed else single


def used(names: Iterable[str], parts: Collection[str] | None = None) -> list[str]:
    """Return which of a folder's files are used, sorted.

    These are configurations, tokenizers, and of each folder one form of its weights (:func:`weights_of`). Nothing is taken that could run.

    Args:
        names: of the files, relative to the folder, with ``/``.
        parts: of a pipeline, its components (see :func:`components`): their files alone count, and its index.
    """
    folders: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name in names:
        path = PurePosixPath(name)
        if any(part.startswith(".") for part in path.parts):
            continue
        if parts is None or (len(path.parts) > 1 and path.parts[0] in parts) or name == MODEL_INDEX:
            folders[str(path.parent)].append(path)
    found: list[PurePosixPath] = []
    for files in folders.values():
        weights = weights_of([path.name for path in files]).files
        found += [path for path in files if path.suffix in PLAIN or path.name in weights]
    return sorted(map(str, found))


def lacking(names: Collection[str], parts: Collection[str]) -> list[str]:
    """Return the components that cannot be whole with these files: nothing is there, or the configuration of a model without all its weights."""
    inside = {part: [name for name in used(names, parts) if name.startswith(f"{part}/")] for part in parts}
    return [part for part, files in inside.items() if not files or (f"{part}/config.json" in files and not _held(part, files))]


def _held(part: str, files: Iterable[str]) -> bool:
    """Return whether the part's own folder, or one below it, holds whole weights."""
    below = [name.removeprefix(f"{part}/") for name in files if has_weights([name])]
    return weights_of([name for name in below if "/" not in name]).whole or any("/" in name for name in below)
