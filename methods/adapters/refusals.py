"""The words for weights that cannot be laid over a base: what they are, what was expected, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    from methods.denoisers.family import DenoiserFamily

WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""Whose text states have this width: what a cross-attention's keys and values read."""


def refusal(path: Path, what: str) -> BenchError:
    """Return the error for weights at ``path`` that are something else than can be laid over: "it is WHAT"."""
    return BenchError(f"Cannot lay {path} over the base model: it is {what}.")


def base_name(family: DenoiserFamily) -> str:
    """Return the base model in words, such as "Stable Diffusion XL"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(family.pipeline).__name__.removesuffix("Pipeline"))


def other_base(path: Path, what: str, header: Mapping[str, str], family: DenoiserFamily, why: str, widths: Mapping[str, int]) -> BenchError:
    """Return the error for an adapter whose layers are not the base's.

    Args:
        path: the file.
        what: what it is, with its article.
        header: of the file; some trainers name the base there.
        family: the base's.
        why: the first layer that does not fit, and how.
        widths: how many channels each of its layers reads, by name: those of a cross-attention tell which base it was made for.
    """
    said = header.get("ss_base_model_version") or header.get("modelspec.architecture")
    read = {width for name, width in widths.items() if re.search(r"attn2[._]to[._](k|v)", name)}
    known = next((WIDTHS[width] for width in read if width in WIDTHS), None)
    made = f"{said} (its header says)" if said else known or "another base"
    return BenchError(f"Cannot lay {path} over the base model: it is {what} made for {made}; this track's base is {base_name(family)}. {why}.")


def prefix_of(names: Iterable[str], parts: Mapping[str, Any]) -> str:
    """Return what stands in front of every layer's name and, taken off, leaves layers of the base; empty where there is no such prefix.

    Args:
        names: of layers, as an adapter has them, a part's name in front or not.
        parts: of the base, by name.
    """
    own = {name for module in parts.values() for name, _ in module.named_modules() if name.count(".") > 1}
    own |= {f"text_model.{name}" for name in own}
    found = set()
    for name in names:
        words = name.split(".")
        start = next((start for start in range(1, len(words)) if ".".join(words[start:]) in own), None)
        if start is None or (start == 1 and words[0] in parts):
            return ""
        # A part's own name, which stands there by right or was put there to tell whose the layer is.
        found.add(".".join(words[words[0] in parts : start]))
    return f"{found.pop()}." if len(found) == 1 else ""


def fits(module: Any, down: Any = None, up: Any = None) -> str | None:
    """Return how a low-rank pair of tensors does not fit a layer; None where it does.

    Args:
        module: the base's layer.
        down: (rank, channels that the layer reads, ...).
        up: (channels that the layer gives, rank, ...).
    """
    weight = getattr(module, "weight", None)
    if weight is None or weight.dim() < 2:
        return "the base has no weight there that a low rank could change"
    for tensor, axis, size, verb in ((down, 1, weight.shape[1], "reads"), (up, 0, weight.shape[0], "gives")):
        if tensor is not None and (tensor.dim() < 2 or tensor.shape[axis] != size):
            found = tensor.shape[axis] if tensor.dim() > 1 else tuple(tensor.shape)
            return f"{verb} {found} channels, the base's {size}"
    return None
