"""Lets PyPI's torchvision be imported beside a CPU-only torch.

PyPI's torchvision wheel links CUDA libraries that a CPU torch lacks. Its operators then do not load, yet
``torchvision._meta_registrations`` registers fakes for two of them without asking, and the import fails:
with it fail diffusers, transformers, peft and open_clip. Declaring the two schemas first is enough; nothing
here calls the operators themselves.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_MODULE = "torchvision._meta_registrations"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[object] = []


class _Finder(importlib.abc.MetaPathFinder):
    """Steps in once, at the first import of the module that would fail; costs nothing before."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        declare_missing_operators()
        return importlib.util.find_spec(fullname)


def declare_missing_operators() -> None:
    """Declare the schemas of torchvision's operators where its compiled library did not load."""
    import torch
    from torchvision.extension import _has_ops

    if _has_ops():
        return
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _libraries.append(library)  # the declarations last as long as this object


def install() -> None:
    """Put the guard in place; imports neither torch nor torchvision."""
    if _MODULE not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
