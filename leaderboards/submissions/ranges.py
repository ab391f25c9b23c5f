"""What values can be: the ranges of sample columns, scores and printed numbers."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bench.metrics.catalogue import bounds
from bench.runs.tables import DETECTIONS
from bench.types.metric import SHARE
from leaderboards.submissions.schema import ResultRow
from leaderboards.submissions.verdicts import Refused, shown

_FINITE = (-1e9, 1e9)
"""Of columns that have no bounds (:func:`bench.metrics.catalogue.bounds`), such as costs and rewards: they are finite."""
_ROUNDING = 1e-4
"""Cosines of float32 vectors may lie this far beyond their bounds, times 100 or not."""

_SAMPLES = {"image_index": (0, 9999), "seed": (0, 2**63 - 1), "width": (8, 8192), "height": (8, 8192), "steps": (1, 10_000), "guidance": (0, 1000)}
_SAMPLES |= {"unit": (0, 10**7), "batch": (0, 10**7)}


def check_samples(table: pa.Table) -> None:
    """Refuse sample columns that cannot be.

    Raises:
        Refused: one holds such a value.
    """
    for name, (least, most) in _SAMPLES.items():
        _within(table[name], name, least, most)
    status, image = table["status"], table["image"]
    if unknown := set(pc.unique(status).to_pylist()) - {"generated", "blocked"}:
        raise Refused(f"a sample is {shown(min(unknown))}; in a finished run each is generated or blocked")
    generated = pc.equal(status, "generated")
    hashed = pc.fill_null(pc.match_substring_regex(image, r"^[0-9a-f]{64}$"), False)
    if not pc.all(pc.equal(generated, hashed)).as_py() or not pc.all(pc.equal(generated, pc.is_valid(image))).as_py():
        raise Refused("a generated sample has no hash of its image, or a blocked one has an image")
    if not pc.all(pc.match_substring_regex(table["prompt_sha256"], r"^[0-9a-f]{64}$")).as_py():
        raise Refused("a prompt's hash is no SHA-256")


def check_scores(table: pa.Table, name: str) -> None:
    """Refuse a column of scores that cannot be; every sample has a value, blocked ones that of the black picture.

    Raises:
        Refused: it holds such a value, or lacks one.
    """
    column = table[name]
    if column.null_count:
        raise Refused(f"{name} lacks {column.null_count} value(s); every sample of a finished run is scored")
    if column.type == pa.float64():
        least, most = bounds().get(name, _FINITE)
        _within(column, name, least - _ROUNDING, most + _ROUNDING)
    elif column.type == DETECTIONS:
        _check_detections(table, name)


def _check_detections(table: pa.Table, name: str) -> None:
    found = pc.list_flatten(table[name])
    if not len(found):
        return
    scores, boxes, classes = (pc.struct_field(found, part) for part in ("score", "box", "class"))
    if (
        found.null_count
        or scores.null_count
        or boxes.null_count
        or classes.null_count
        or pc.any(pc.not_equal(pc.list_value_length(boxes), 4)).as_py()
    ):
        raise Refused(f"{name} holds a detection without class, score or four numbers of a box")
    _within(scores, f"{name}: score", 0, 1)
    sides = pc.list_flatten(boxes)
    largest = float(max(pc.max(table["width"]).as_py(), pc.max(table["height"]).as_py()))
    _within(sides, f"{name}: box", -largest, 2 * largest)
    for side in (2, 3):
        _within(pc.list_element(boxes, side), f"{name}: size of a box", 0, 2 * largest)


def _within(column: pa.ChunkedArray, name: str, least: float, most: float) -> None:
    """Refuse a column with a value outside [least, most]; what is not a number is outside."""
    inside = pc.and_(pc.greater_equal(column, least), pc.less_equal(column, most))
    if not pc.all(pc.fill_null(inside, False), min_count=0).as_py():
        first = column.filter(pc.invert(pc.fill_null(inside, False)))[0].as_py()
        raise Refused(f"{name} holds {shown(first)}; possible is {least:g} to {most:g}")


def check_number(number: ResultRow) -> None:
    """Refuse a printed number that contradicts itself.

    Raises:
        Refused: a share outside [0, 1], a value outside its interval, or a count above n.
    """
    where = f"{shown(number.metric)} ({shown(number.category)})"
    share = number.unit == SHARE
    if number.value is None:
        return
    if share and not 0 <= number.value <= 1:
        raise Refused(f"{where} is {number.value}, and a share is from 0 to 1")
    if number.value_low is not None and number.value_high is not None and not number.value_low <= number.value <= number.value_high:
        raise Refused(f"{where} is {number.value}, outside its interval {number.value_low} to {number.value_high}")
    if share and number.count is not None and not (number.count <= number.n and abs(number.count - number.value * number.n) < 0.5):
        raise Refused(f"{where} is {number.value} of {number.n} images, and {number.count} are counted")
