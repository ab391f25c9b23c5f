"""Published weights: their tensors, and the settings that lie with them, read by one hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import first_line
from bench.files.tensors import read_tensors

if TYPE_CHECKING:
    import torch

SIDECARS = ("adapter_config.json", "config.json")
"""Files beside the weights that say how these are to be used: PEFT's, and diffusers' or transformers'."""

LARGEST = 1 << 20
"""Bytes of a sidecar; a real one has a few thousand."""


@dataclass(frozen=True, slots=True)
class PublishedSettings:
    """What stands about weights beside their tensors. It is as their authors wrote it: a name means what its format says.

    Attributes:
        header: the metadata of a safetensors file, such as ``lora_adapter_metadata`` (JSON in a text), ``ss_network_alpha`` or
            ``modelspec.prediction_type``; empty for other files.
        sidecars: the contents of each of :data:`SIDECARS` that lies beside the file, by its name.
        unreadable: why, for each that lies there and cannot be read. The tensors are good without it; what a setting decides is not.
    """

    header: Mapping[str, str] = field(default_factory=dict)
    sidecars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """Weights as they were published.

    Attributes:
        path: the file.
        tensors: by name, on the CPU.
        settings: what stands about them.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    settings: PublishedSettings


def read_weights(file: Path, inside: Sequence[str] = ("state_dict",), parts: Sequence[str] = ()) -> Published:
    """Return the tensors of a file and their settings.

    Args:
        file: safetensors, or what ``torch.save`` wrote.
        inside: entries that a checkpoint may keep its tensors in (see :func:`bench.files.tensors.read_tensors`).
        parts: entries that are read all where none of these is there.

    Raises:
        ValueError: the file is damaged, or holds anything but finite tensors.
        Exception: whatever torch or safetensors say of a damaged file.
    """
    tensors, header = read_tensors(file, inside, parts)
    sidecars: dict[str, Mapping[str, Any]] = {}
    unreadable: dict[str, str] = {}
    for name in SIDECARS:
        try:
            found = _read_sidecar(file.with_name(name))
        except (OSError, ValueError, RecursionError) as error:
            unreadable[name] = first_line(error)
            continue
        if found is not None:
            sidecars[name] = found
    return Published(file, tensors, PublishedSettings(header, sidecars, unreadable))


def _read_sidecar(file: Path) -> Mapping[str, Any] | None:
    """Return a JSON object; None where there is no file."""
    if not file.is_file():
        return None
    if file.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    content = json.loads(file.read_bytes())
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content
