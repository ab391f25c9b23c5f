"""Which files of a folder or repository of weights are used: those, and no others, are fetched, listed and hashed."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from bench.errors import NotAvailable

MODEL_INDEX = "model_index.json"
"""What marks a folder as a diffusers pipeline, and names its components."""
PLAIN = (".json", ".txt", ".model")
"""Configurations and tokenizers."""
WEIGHTS = ((".safetensors",), (".onnx",), (".bin", ".pt", ".pth", ".ckpt"))
"""Formats of weights, the best first; of a folder the first alone is used. Whoever reads the last does so by ``torch.load(weights_only=True)``."""
_VARIANT = re.compile(r"\.(fp16|bf16|fp32|ema|non_ema)[.-]")
_OTHER_RUNTIME = re.compile(r"(openvino|flax|tf|rust)_")


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


def used(names: Iterable[str], parts: Collection[str] | None = None) -> list[str]:
    """Return which of a folder's files are used, sorted.

    These are configurations, tokenizers, and weights in one format a folder: safetensors, else ONNX, else torch's own. Variants
    (fp16, ema and so on) are left out beside plain weights, and nothing is taken that could run.

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
        found += [path for path in files if path.suffix in PLAIN]
        weights = [path for path in files if not _OTHER_RUNTIME.match(path.name)]
        weights = next((kept for suffixes in WEIGHTS if (kept := [path for path in weights if path.suffix in suffixes])), [])
        found += [path for path in weights if not _VARIANT.search(path.name)] or weights
    return sorted(map(str, found))


def lacking(names: Collection[str], parts: Collection[str]) -> list[str]:
    """Return the components that cannot be whole with these files: nothing is there, or the configuration of a model without its weights."""
    inside = {part: [name for name in used(names, parts) if name.startswith(f"{part}/")] for part in parts}
    return [part for part, files in inside.items() if not files or (f"{part}/config.json" in files and not has_weights(files))]
