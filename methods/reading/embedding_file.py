"""Files of learned tokens: diffusers' ``learned_embeds``, A1111's two, and the pairs of SDXL's two text encoders."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BenchError, first_line
from methods.parts import damaged, refuse_pointers, unusable

if TYPE_CHECKING:
    import torch

PAIRS = (("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1"))
"""What the vectors of SDXL's two text encoders are called."""
_NAMELESS = ("emb_params", "*", "")
_WHAT = "the embedding"


class Learned(NamedTuple):
    """A learned token: the file, what prompts write, and its vectors, (count, width), for each text encoder."""

    path: Path
    token: str
    vectors: tuple[torch.Tensor, ...]


def read_embeddings(file: Path, encoders: int) -> list[Learned]:
    """Return the tokens in a file.

    Args:
        file: of an embedding.
        encoders: how many text encoders the base has.

    Raises:
        BenchError: it is damaged, holds no embedding, or one for a model of another number of text encoders.
    """
    content = _content(file)
    named = f"<{file.stem}>"
    pair = next((pair for pair in PAIRS if isinstance(content, Mapping) and set(pair) & set(content)), None)
    if pair is not None:
        lacking = [name for name in pair if name not in content]
        if lacking:
            raise damaged(_WHAT, file, f"it has no {lacking[0]}")
        if encoders != len(pair):
            raise unusable(_WHAT, file, f"it was learned for SDXL ({' and '.join(pair)}), and this track's base is Stable Diffusion")
        found = [Learned(file, named, tuple(content[name] for name in pair))]
    else:
        found = [Learned(file, token or named, (vectors,)) for token, vectors in _single(file, content)]
        if encoders != 1:
            raise unusable(
                _WHAT, file, f"it was learned for one text encoder, and this track's base has {encoders} (SDXL): expected {' and '.join(PAIRS[0])}"
            )
    return [Learned(path, token, tuple(_checked(file, token, each) for each in vectors)) for path, token, vectors in found]


def _single(file: Path, content: Any) -> list[tuple[str, torch.Tensor]]:
    """Return the names and vectors of tokens of one text encoder; a name that says nothing is empty."""
    import torch

    if isinstance(content, torch.Tensor):
        return [("", content)]
    if not isinstance(content, Mapping):
        raise unusable(_WHAT, file, "it is no embedding: expected {token: vectors}")
    inner = content.get("string_to_param")
    if isinstance(inner, Mapping):
        if len(inner) != 1:
            raise unusable(_WHAT, file, f"it holds {len(inner)} tokens under string_to_param, expected one")
        token, vectors = str(content.get("name") or ""), next(iter(inner.values()))
        return [("" if token in _NAMELESS else token, vectors)]
    tokens = [("" if str(name) in _NAMELESS else str(name), value) for name, value in content.items() if isinstance(value, torch.Tensor)]
    if not tokens or len(tokens) != len(content):
        raise unusable(_WHAT, file, "it is no embedding: expected {token: vectors}")
    return tokens


def _checked(file: Path, token: str, vectors: Any) -> torch.Tensor:
    import torch

    if not isinstance(vectors, torch.Tensor) or vectors.ndim not in (1, 2) or not vectors.numel():
        shape = tuple(getattr(vectors, "shape", ()))
        raise unusable(_WHAT, file, f"{token!r} has shape {shape}, and an embedding has (width) or (tokens, width): these are other weights")
    if not bool(torch.isfinite(vectors.float()).all()):
        raise damaged(_WHAT, file, f"{token!r} is not finite")
    if not bool(vectors.any()):
        raise unusable(_WHAT, file, f"{token!r} is all zeros, which says nothing to the text encoder")
    return vectors.detach()


def _content(file: Path) -> Any:
    """Return what a file holds: tensors, and nothing that could run.

    Raises:
        BenchError: it is damaged, or holds more.
    """
    import torch
    from safetensors.torch import load_file

    refuse_pointers(_WHAT, file)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(file, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise unusable(
            _WHAT, file, "it holds more than tensors, which is never read, or was cut short: save it as {token: vectors} in safetensors"
        ) from error
    except BenchError:
        raise
    except Exception as error:
        raise damaged(_WHAT, file, first_line(error)) from error
