"""Where a scorer's weights are: given by the track, resolved and hashed in one way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import NotAvailable
from bench.paths import hash_weights, resolve


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
