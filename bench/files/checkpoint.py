"""A scorer's weights as their authors published them: found, hashed, and put into a model with every tensor accounted for, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, NotAvailable, first_line
from bench.files.hashes import hash_weights
from bench.files.locations import resolve

if TYPE_CHECKING:
    import torch


def weights_path(scorer: str, parameters: Mapping[str, Any], name: str = "weights") -> Path:
    """Return the path that parameter ``name`` of ``scorer`` gives.

    Raises:
        NotAvailable: the track gives none, or nothing is there.
    """
    location = parameters[name]
    if location is None:
        raise NotAvailable(
            f"The scorer {scorer!r} has no {name} on this track. Give a location under `scorers: {{{scorer}: {{{name}: ...}}}}` in the track's YAML."
        )
    return resolve(str(location))


def hashed(scorer: str, parameters: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Return ``{parameter/file: sha256}`` of everything that the parameters ``names`` point to."""
    return {f"{name}/{file}": digest for name in names for file, digest in hash_weights(weights_path(scorer, parameters, name)).items()}


def told_apart(scorer: str, parameters: Mapping[str, Any], published: Mapping[str, str]) -> dict[str, str]:
    """Return ``{file: which published one it is}`` for the files of the parameter ``weights``, or that it is unknown.

    Args:
        scorer: for messages.
        parameters: the scorer's.
        published: ``{sha256: which file that is}``.
    """
    found = hash_weights(weights_path(scorer, parameters))
    return {f"weights/{file}": published.get(digest, "unknown: none of the published files") for file, digest in found.items()}


def checkpoint_file(scorer: str, parameters: Mapping[str, Any], name: str) -> Path:
    """Return the file that the parameter ``weights`` gives: itself, or ``name`` in the folder that it gives.

    Raises:
        NotAvailable: the track gives none, or nothing is there.
    """
    path = weights_path(scorer, parameters)
    file = path / name if path.is_dir() else path
    if not file.is_file():
        raise NotAvailable(f"The scorer {scorer!r} reads {name}, which {path} does not hold. Fetch that file, or give its path as `weights`.")
    return file


def fill(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], named: Callable[[str], str] = str) -> None:
    """Put ``tensors`` into ``model``: all that it has, and no other.

    Args:
        model: of any dtype, which it keeps.
        tensors: by the checkpoint's names.
        named: turns a name of the model into the checkpoint's.

    Raises:
        ValueError: a tensor is missing, of another shape, or has no place; the message gives the checkpoint's name for it.
    """
    expected = {named(name): (name, value) for name, value in model.state_dict().items()}
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise ValueError(f"{len(missing)} tensors are missing, first {missing[0]}")
    further = [name for name in tensors if name not in expected]
    if further:
        raise ValueError(f"{len(further)} tensors have no place in the model, first {further[0]}")
    for name, (_, value) in expected.items():
        if tensors[name].shape != value.shape:
            raise ValueError(f"{name} has shape {tuple(tensors[name].shape)}, the model's has {tuple(value.shape)}")
    model.load_state_dict({ours: tensors[name] for name, (ours, _) in expected.items()})


def unreadable(what: str, file: Path, error: Exception, mend: str) -> BenchError:
    """Return the one line for a checkpoint that cannot be used.

    Args:
        what: the file should be, for example ``"HPSv2 weights"``.
        file: the checkpoint.
        error: its first line is quoted.
        mend: what to do.
    """
    return BenchError(f"Cannot read the {what} {file}: {first_line(error)}. {mend}")
