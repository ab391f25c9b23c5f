"""What a run says of images that were made elsewhere: what was brought, in which sizes, and what that hashes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bench.files.hashes import hash_json
from bench.runs.folder import RunFolder
from bench.types.sample import key_of

IMPORTED = "imported"
"""Of a manifest: what `bench import` brought; of other runs it is not there."""
IMAGES = "images"
"""The method's parameter that is the hash of what was brought."""


def hash_brought(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256 of what was brought: of each sample the image's hash, or why it was refused.

    Args:
        rows: ``prompt_id``, ``image_index``, ``image`` (the hash of its pixels, or None) and ``reason``; in any order.
    """
    return hash_json(sorted([*key_of(row), row["image"] or "", row["reason"] or ""] for row in rows))


def said_size(width: int, height: int) -> str:
    """Return a size as manifests and captions have it."""
    return f"{width}x{height}"


def sizes_of(manifest: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Return every size that imported images have: how many have it, in words, width and height."""
    found = []
    for size, count in manifest.get(IMPORTED, {}).get("sizes", {}).items():
        width, height = size.split("x")
        found.append((f"{count} imported image(s)", int(width), int(height)))
    return found


def caption(method: str, manifest: Mapping[str, Any], missing: int, samples: int) -> str:
    """Return what a reader of the numbers must know of a run's images; empty where they were made here.

    Args:
        method: what the run is called.
        manifest: the run's.
        missing: how many of the samples that it is looked at by have no image.
        samples: how many these are.
    """
    brought = manifest.get(IMPORTED)
    if brought is None:
        return ""
    sizes = ", ".join(f"{size} ({count})" for size, count in brought["sizes"].items()) or "none"
    said = [f"{method} is imported: its images were made elsewhere, of {sizes}."]
    if missing:
        said.append(f"{missing} of {samples} images were not brought: numbers are of the others.")
    said += [f"{count} image(s): {what}." for what, count in brought["changed"].items()]
    if brought["alike"]:
        said.append(f"{brought['alike']} image(s) repeat another of these images exactly.")
    return " ".join(said)


def brought_in_words(manifest: Mapping[str, Any], counts: Mapping[str, int], samples: int) -> str:
    """Return what an import took and what it left, in one line for who imports; ``counts`` are of that many ``samples``."""
    brought = manifest[IMPORTED]
    sizes = ", ".join(brought["sizes"]) or "no size"
    said = [f"{brought['source']}: {counts['generated']} image(s) of {sizes}, told apart {brought['told_by']}; {counts['blocked']} refused."]
    said += [f"{counts['missing']} image(s) of {samples} are missing."] if counts["missing"] else []
    return " ".join([*said, *brought["left"]])


def untrue(folder: RunFolder, manifest: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what a manifest says of imported images that is not so; the images themselves are proven already.

    Args:
        folder: the run.
        manifest: the run's.
        rows: of every sample.
    """
    rows = list(rows)
    found = []
    if hash_brought(rows) != manifest["method"]["parameters"].get(IMAGES):
        found.append("its images are not those that its id is the hash of")
    sizes = Counter(said_size(*folder.images.shape(row["image"])) for row in rows if row["image"])
    stated = manifest.get(IMPORTED, {}).get("sizes")
    if stated is not None and dict(sizes) != stated:
        found.append(f"its images are of {dict(sorted(sizes.items()))} and not of {stated}")
    return found
