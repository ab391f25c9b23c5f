"""Adapters that others trained, laid over a base: whole, at their trained strength, by the library that reads them; or refused with the cause.

:mod:`~methods.adapters.signs` tells the layout by the tensors' names; :mod:`~methods.adapters.lora`, :mod:`~methods.adapters.peft` and
:mod:`~methods.adapters.lycoris` are a file a library. A new layout is a sign there and a file here.
"""

from __future__ import annotations

import re
from textwrap import shorten
from typing import TYPE_CHECKING

from bench.errors import BenchError, NotAvailable
from methods.adapters import lora, lycoris, peft
from methods.adapters.signs import Naming, adapter_metadata
from methods.adapters.structure import check_structure
from methods.adapters.taken import Unfit, check_acts, sums

if TYPE_CHECKING:
    from bench.files.published import Published
    from methods.denoisers.family import DenoiserFamily


def lay_adapter(family: DenoiserFamily, published: Published, layout: Naming, scale: float, part: str | None = None) -> None:
    """Fuse an adapter into the base, in place.

    Args:
        family: the base's.
        published: the adapter's file.
        layout: of the file (:func:`methods.adapters.signs.layout`).
        scale: of its change.
        part: that its folder is named after.

    Raises:
        BenchError: it is not laid whole, or changes nothing.
    """
    before = sums(family.adaptable())
    # Tensors without a prefix are PEFT's where its configuration lies beside them.
    beside = layout is Naming.BARE and peft.CONFIG in published.settings.sidecars and not adapter_metadata(published)
    library = "PEFT" if layout is Naming.PEFT or beside else "LyCORIS" if layout is Naming.LYCORIS else "diffusers"
    if library != "PEFT":  # which tells itself what it lacks
        check_structure(published, layout)
    try:
        if library == "PEFT":
            peft.lay(family, published, scale, part)
        elif library == "LyCORIS":
            lycoris.lay(family, published, scale)
        else:
            _lay_low_rank(family, published, layout, scale)
        if scale:
            check_acts(before, family.adaptable())
    except BenchError:
        raise
    except Exception as error:
        # What a library says stands behind its name: it may be a key or an attribute of its own.
        whose = "" if isinstance(error, Unfit) else f"{library} cannot read it and says: "
        raise BenchError(f"Cannot lay the adapter {published.path} ({layout} layout) over the base model: {whose}{_words(error)}.") from error


def _lay_low_rank(family: DenoiserFamily, published: Published, layout: Naming, scale: float) -> None:
    """Fuse by diffusers, or merge by LyCORIS what diffusers cannot read of kohya's, such as text encoders' layers alone."""
    before = sums(family.adaptable())
    try:
        lora.lay(family, published, layout, scale)
    except BenchError:
        raise
    except Exception as error:
        if layout is not Naming.KOHYA or sums(family.adaptable()) != before:
            raise
        try:
            lycoris.lay(family, published, scale)
        except NotAvailable:
            raise error from None


def _words(error: Exception) -> str:
    """Return what an error says, in one line of bounded length, without what only a terminal reads."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    # A key alone, or words about the library's own variables, mean something beside the kind of error.
    said = said if isinstance(error, ValueError) and said else f"{type(error).__name__}: {said}"
    return shorten(said.rstrip(".: "), 400, placeholder=" ...")
