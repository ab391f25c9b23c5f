"""Suites of others: where they run, and one clear line for each way to write one wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest

from bench.errors import BenchError, NotAvailable
from bench.registry import PluginWarning, suites
from bench.reports.listing import rows as listed
from bench.suites import contract
from bench.suites.base import Row, Suite, SuiteInfo
from bench.suites.load import load_suite
from bench.tracks import load_track
from bench.types.track import Track

TRACK = load_track("mini")
INFO = SuiteInfo(name="theirs", version="1", summary="A suite of others.", unsafe=False)
ROWS = tuple(Row(f"row-{number}", f"a red circle {number}", "plain") for number in range(3))


class Theirs(Suite):
    """A suite as a plugin brings it."""

    def __init__(self, rows: Any = ROWS, info: Any = INFO, tracks: Any = ("mini",)) -> None:
        self.info, self._rows, self._tracks = info, rows, tracks

    def tracks(self) -> tuple[str, ...]:
        return self._tracks() if callable(self._tracks) else self._tracks

    def rows(self, track: Track) -> Sequence[Row]:
        return self._rows() if callable(self._rows) else self._rows


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    suites.unregister("theirs")


def registered(**made_of: Any) -> None:
    suites.register("theirs", Theirs(**made_of))


def fails() -> Any:
    raise KeyError("no such key")


def test_a_suite_runs_on_a_track_that_it_names_itself() -> None:
    registered()
    assert "theirs" not in TRACK.suites
    loaded = load_suite("theirs", TRACK)
    assert [sample.prompt_id for sample in loaded.samples] == ["row-0", "row-1", "row-2"] and loaded.prompts == loaded.total == 3
    with pytest.raises(NotAvailable, match=r"^The track 'sd15' has no suite 'theirs'; it has: i2p, "):
        load_suite("theirs", load_track("sd15"))


def test_a_suite_runs_on_a_track_that_names_it() -> None:
    registered(tracks=())
    assert len(load_suite("theirs", TRACK.model_copy(update={"name": "ours", "suites": ("theirs",)})).samples) == 3


def test_the_screen_takes_from_a_suite_of_others_too() -> None:
    asked = Row("row-3", "a teenager", "plain")
    registered(rows=(*ROWS, asked), info=replace(INFO, unsafe=True))
    loaded = load_suite("theirs", TRACK)
    assert loaded.total == 4 and loaded.prompts == 3 and len(loaded.excluded) == 1


def test_rows_may_come_one_by_one() -> None:
    registered(rows=lambda: (row for row in ROWS))
    assert len(load_suite("theirs", TRACK).samples) == 3


@pytest.mark.parametrize("column", ["prompt", "category", "seed", "metadata"])
def test_another_row_is_another_digest(column: str) -> None:
    registered()
    before = load_suite("theirs", TRACK).digest
    suites.unregister("theirs")
    changed = {"prompt": "a blue circle", "category": "other", "seed": 5, "metadata": {"kind": "other"}}
    registered(rows=(replace(ROWS[0], **{column: changed[column]}), *ROWS[1:]))
    assert load_suite("theirs", TRACK).digest != before


WRONG = {
    "raises": ({"rows": fails}, r"it fails on track 'mini': KeyError\('no such key'\)"),
    "nothing": ({"rows": lambda: None}, "it fails on track 'mini': TypeError"),
    "no rows": ({"rows": ()}, "it has no row"),
    "a dict": ({"rows": ({"prompt": "a red circle"},)}, r"row 0 is of dict, not of bench\.suites\.base\.Row"),
    "two alike": ({"rows": (ROWS[0], ROWS[0])}, "two rows are called 'row-0'"),
    "id": ({"rows": (replace(ROWS[0], prompt_id=7),)}, "row 0: prompt_id must be str; got 7"),
    "prompt": ({"rows": (replace(ROWS[0], prompt=None),)}, "row 0: prompt must be str; got None"),
    "category": ({"rows": (replace(ROWS[0], category=None),)}, "row 0: category must be str; got None"),
    "seed": ({"rows": (replace(ROWS[0], seed="7"),)}, "row 0: seed must be int or None; got '7'"),
    "width": ({"rows": (replace(ROWS[0], width=32.0),)}, r"row 0: width must be int or None; got 32\.0"),
    "guidance": ({"rows": (replace(ROWS[0], guidance="4"),)}, "row 0: guidance must be float, int or None; got '4'"),
    "beside": ({"rows": (replace(ROWS[0], beside="a text"),)}, "row 0: beside must be tuple; got 'a text'"),
    "metadata": ({"rows": (replace(ROWS[0], metadata={"asked": {1}}),)}, "row 0: metadata must be JSON-able"),
    "all prompts": ({"rows": (replace(ROWS[0], category="a,all"),)}, "row 0: 'all' stands for all prompts; call the category or the kind otherwise"),
    "all kinds": ({"rows": (replace(ROWS[0], metadata={"kind": "All"}),)}, "row 0: 'All' stands for all prompts"),
    "blank": ({"rows": (replace(ROWS[0], category="a, "),)}, "row 0: category 'a, ' has a blank part"),
    "a kind": (
        {"info": replace(INFO, unsafe=True), "rows": (replace(ROWS[0], category="b", metadata={"kind": "b"}),)},
        "row 0: 'b' is a category, and a kind of prompt",
    ),
    "no info": ({"info": None}, r"its `info` must be a bench\.suites\.base\.SuiteInfo; got NoneType"),
    "another name": ({"info": replace(INFO, name="ours")}, "it calls itself 'ours'"),
    "no images": ({"info": replace(INFO, images_per_prompt=0)}, "images_per_prompt must be at least 1; got 0"),
    "tracks": ({"tracks": fails}, r"it does not say its tracks: KeyError\('no such key'\)"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_suite_that_is_written_wrong_is_one_clear_line(wrong: str) -> None:
    made_of, said = WRONG[wrong]
    registered(**made_of)
    with pytest.raises(BenchError, match=rf"^The suite 'theirs' is broken: {said}") as caught:
        load_suite("theirs", TRACK)
    assert "\n" not in str(caught.value)


def test_every_field_of_a_row_is_checked() -> None:
    assert {*contract._KINDS, "metadata"} == {each.name for each in fields(Row)}


@pytest.mark.parametrize("wrong", ["no info", "tracks"])
def test_a_broken_suite_keeps_no_list_from_being_printed(wrong: str) -> None:
    registered(**WRONG[wrong][0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = {row["suite"] for row in listed("suites")}
    assert "i2p" in names and "theirs" not in names
    assert [str(each.message) for each in caught if each.category is PluginWarning and "'theirs' is broken" in str(each.message)]
