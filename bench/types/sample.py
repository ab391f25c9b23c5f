"""The unit of generation, what comes of it, and the one place where a sample becomes a row of a table and a row a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import TYPE_CHECKING, Any

from bench.errors import in_one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]
    """An RGB picture, uint8, shape (height, width, 3)."""

SHOWN = 60
"""Characters of a wrong value that a reason shows."""

WARMING = 16
"""Iterations that a scheduler may take beyond two a step, the most of those of second order: PNDM's begin with 12 of Runge and Kutta."""

KEY = ["prompt_id", "image_index"]
"""The columns that identify a sample within its suite."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The unit of generation: one image of one prompt.

    Attributes:
        prompt_id: stable within a suite's version.
        prompt: the text given to the model.
        category: the suite's own grouping; several are joined by ``,`` (I2P rows overlap).
        image_index: 0 for the first image of the prompt.
        seed: the sample's own seed, in [0, 2**63), as :func:`bench.seeds.sample_seed` gives it.
        width: pixels.
        height: pixels.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        metadata: whatever else the suite knows (on the mini track: the prompt's ``kind`` and the ``asked`` scene).
    """

    prompt_id: str
    prompt: str
    category: str
    image_index: int
    seed: int
    width: int
    height: int
    steps: int
    guidance: float
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the sample within its suite."""
        return (self.prompt_id, self.image_index)

    def row(self) -> dict[str, Any]:
        """Return the sample as a row of a table: its :data:`COLUMNS`, the metadata as JSON text."""
        values = {name: getattr(self, name) for name in COLUMNS}
        return {**values, "metadata": json.dumps(dict(self.metadata), sort_keys=True)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Sample:
        """Return the sample that :meth:`row` made the row of; what else the row holds is left."""
        return cls(**{name: row[name] for name in COLUMNS if name != "metadata"}, metadata=json.loads(row["metadata"]))

    def decides(self) -> list[Any]:
        """Return every field in its order, for a suite's digest."""
        return [dict(self.metadata) if each.name == "metadata" else getattr(self, each.name) for each in fields(self)]


COLUMNS: Mapping[str, str] = {name: str(Sample.__dataclass_fields__[name].type) for name in (*KEY, *Sample.__dataclass_fields__)}
"""A sample's columns in tables, the key first, each with its type as :class:`Sample` states it."""


def key_of(row: Mapping[str, Any]) -> tuple[str, int]:
    """Return what identifies a row's sample, as :attr:`Sample.key`."""
    return (str(row["prompt_id"]), int(row["image_index"]))


@dataclass(frozen=True, slots=True)
class Generated:
    """An image that the method delivered.

    Attributes:
        image: uint8, (height, width, 3).
        acted: at how many denoising steps the method did something that the base would not have done; 0 where the image is the base's, None where
            the method does not say.
    """

    image: Image
    acted: int | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The method refused to deliver. The image, if there ever was one, is gone; ``reason`` says who refused."""

    reason: str


Outcome = Generated | Blocked


def check(outcome: object, sample: Sample) -> Outcome | str:
    """Return ``outcome`` if it is one for ``sample``, else what is wrong with it."""
    import numpy as np

    if isinstance(outcome, Blocked):
        if not isinstance(outcome.reason, str):
            return f"expected Blocked with a reason in words, got {type(outcome.reason).__name__}"
        return outcome if outcome.reason.strip() else "expected Blocked with a reason in words, got an empty one"
    if not isinstance(outcome, Generated):
        return f"expected Generated or Blocked, got {type(outcome).__name__}"
    image: object = outcome.image
    if not isinstance(image, np.ndarray):
        return f"expected an image as a NumPy array, got {type(image).__name__}"
    if isinstance(image, np.ma.MaskedArray):
        return "expected an image as a plain NumPy array, got a masked one, whose mask no picture keeps"
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        return "the image holds NaN or infinite values"
    if image.dtype != np.uint8:
        return f"expected uint8 pixels, got {image.dtype}"
    if image.shape != (sample.height, sample.width, 3):
        return f"expected an image of shape {(sample.height, sample.width, 3)}, got {image.shape}"
    return _acted(outcome.acted, sample.steps) or outcome


def _acted(acted: object, steps: int) -> str:
    """Return what is wrong with a count of denoising steps; empty where it is one."""
    expected = "expected acted as a number of steps or None, got"
    if acted is None:
        return ""
    if isinstance(acted, bool) or not isinstance(acted, Integral) or acted < 0:
        return f"{expected} {in_one_line(repr(acted), SHOWN)}"
    return f"{expected} {in_one_line(str(acted), SHOWN)} for {steps} steps" if int(acted) > 2 * steps + WARMING else ""
