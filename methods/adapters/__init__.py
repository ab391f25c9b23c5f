"""Adapters that others trained, laid over a base: whole, at their trained strength, by the library that reads them; or refused with the cause.

:mod:`~methods.adapters.signs` tells the layout by the tensors' names; :mod:`~methods.adapters.lora`, :mod:`~methods.adapters.peft` and
:mod:`~methods.adapters.lycoris` are a file a library. A new layout is a sign there and a file here.
"""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

from bench.errors import BenchError, first_line
from methods.adapters import lora, lycoris, peft
from methods.adapters.signs import Naming, adapter_metadata
from methods.adapters.taken import check_acts, sums

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
    try:
        # Tensors without a prefix are PEFT's where its configuration lies beside them.
        beside = layout is Naming.BARE and peft.CONFIG in published.settings.sidecars and not adapter_metadata(published)
        if layout is Naming.PEFT or beside:
            peft.lay(family, published, scale, part)
        elif layout is Naming.LYCORIS:
            lycoris.lay(family, published, scale)
        else:
            lora.lay(family, published, layout, scale)
        if scale:
            check_acts(before, family.adaptable())
    except BenchError:
        raise
    except Exception as error:
        # Libraries list hundreds of names.
        why = shorten(first_line(error), 400, placeholder=" ...")
        raise BenchError(f"Cannot lay the adapter {published.path} ({layout} layout) over the base model: {why}.") from error
