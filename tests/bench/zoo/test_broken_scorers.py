"""Scorers that break: an image has no score and the run says why; the others keep theirs, and a mended scorer scores what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import bench
from bench import registry
from bench.engine.run import score
from bench.errors import BenchError
from bench.reports.run_tables import report_table
from bench.runs.folder import RunFolder
from bench.types import Context, Sample, Scorer, ScorerInfo
from bench.types.scorer import check_scorer
from tests.bench.zoo.test_broken_methods import SAYS as RAISED

Score = Callable[..., object]


class Paint(Scorer):
    """Gives ``value`` for the second image, and does ``way`` with a call that it is in."""

    info = ScorerInfo("paint", "One of the zoo.", {"paint": "mean of the pixels", "note": "anything"}, "neither")
    way: Score | None = None
    value: Mapping[str, Any] | object = None
    good: Mapping[str, Any] = {"paint": 1.0, "note": None}

    def load(self, context: Context) -> None: ...

    def score(self, images: Sequence[Any], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        broken = [sample.prompt_id == "i2p-0001" for sample in samples]
        if self.way is not None and any(broken):
            return type(self).way(images, samples)  # type: ignore[misc, return-value]
        return [self.value if each and self.value is not None else self.good for each in broken]  # type: ignore[misc]


@pytest.fixture
def paint() -> Iterator[type[Paint]]:
    """The scorer, registered; a class of its own for each test."""
    made = type("Paint", (Paint,), {"__module__": __name__})
    registry.scorers.register("paint", made)
    yield made
    registry.scorers.unregister("paint")


def run(out: Path, *scorers: str, **settings: object) -> bench.runs.find.Run:
    """Three black pictures, all of one unit, so that one call of the scorer is for all three."""
    return bench.run("black", "i2p", out=out, scorers=scorers or ["paint"], workers=1, **{"limit": 3, **settings})  # type: ignore[arg-type]


def unscored(done: bench.runs.find.Run, reason: str) -> None:
    """Check that the second image alone has no score, for that reason, and that everything says so."""
    assert not done.complete
    (said,) = done.lacking_scores()
    assert said.startswith("1 image(s) have no score of 'paint', first i2p-0001 (image 0): ") and reason in said and said.isprintable()
    assert said in report_table([done]).caption
    records = done.records().set_index("prompt_id")
    assert records["paint"].isna().tolist() == [False, True, False]
    assert reason in records.loc["i2p-0001", "paint_unscored"]
    (row,) = (each for each in done.rows() if each["metric"] == "paint")
    assert (row["n"], row["excluded"]) == (2, 1)


GIVES = {
    "none": (lambda *_: None, "the scorer returned NoneType; expected a list of rows"),
    "text": (lambda *_: "word", "the scorer returned str; expected a list of rows"),
    "too-few": (lambda images, samples: [Paint.good] * (len(images) - 1), "the scorer returned 0 rows for 1 images"),
    "too-many": (lambda images, samples: [Paint.good] * (len(images) + 1), "the scorer returned more than 1 rows for 1 images"),
    "writes": (lambda images, samples: [image.fill(0) for image in images], "ValueError: assignment destination is read-only"),
    "unlocks": (lambda images, samples: [image.setflags(write=True) for image in images], "ValueError: cannot set WRITEABLE flag to True"),
}


def test_every_way_of_raising_is_told_of(zoo: ModuleType) -> None:
    assert set(zoo.RAISES) < set(RAISED)


@pytest.mark.parametrize(
    "way", [*(name for name in RAISED if name in ("sys-exit", "generator-exit", "recursion", "memory", "mute", "clinging")), *GIVES]
)
def test_a_call_that_breaks(way: str, paint: type[Paint], zoo: ModuleType, tmp_path: Path) -> None:
    act, reason = GIVES[way] if way in GIVES else (zoo.RAISES[way], RAISED[way])
    paint.way = act
    done = run(tmp_path)
    unscored(done, reason)
    paint.way = None
    mended = run(tmp_path)
    assert mended.complete and mended.path == done.path and mended.records()["paint"].tolist() == [1.0] * 3


VALUES = {
    "nan": (float("nan"), "column 'paint': nan; a number is finite"),
    "infinite": (np.float32("inf"), "column 'paint': inf; a number is finite"),
    "huge": (2**53 + 1, "column 'paint': a whole number of 54 bits"),
    "huge-numpy": (np.uint64(2**64 - 1), "column 'paint': a whole number of 64 bits"),
    "complex": (1j, "column 'paint': a value of type complex; expected a number"),
    "bytes": (b"1", "column 'paint': a value of type bytes; expected a number"),
    "object": (object(), "column 'paint': a value of type object; expected a number"),
    "ragged": ([[1.0], [2.0, 3.0]], "column 'paint': a list that holds a value of type list"),
    "square": (torch.ones(2, 2), "column 'paint': a list that holds a value of type list"),
    "text": ("word", "column 'paint' bears the scorer's name, so it holds numbers, or yes or no; got text"),
    "vector": (np.ones(3), "column 'paint' bears the scorer's name, so it holds numbers, or yes or no; got a vector of 3"),
    "other-kind": (True, "column 'paint' holds a number in other images; got yes or no"),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_value_that_cannot_be_kept(case: str, paint: type[Paint], tmp_path: Path) -> None:
    value, reason = VALUES[case]
    paint.value = {"paint": value, "note": None}
    unscored(run(tmp_path), reason)
    paint.value = None
    assert run(tmp_path).complete


ROWS = {
    "no-mapping": (1.0, "the scorer returned a row of type float; expected a mapping of its columns"),
    "other-columns": ({"paint": 1.0}, "the scorer returned the columns ['paint']; it declares ['note', 'paint']"),
    "keys-of-all-kinds": ({1: 1.0, "paint": 1.0}, "the scorer returned the columns ['1', 'paint']"),
    "long-text": ({"paint": 1.0, "note": "x" * 10_001}, "column 'note': a text of 10001 characters"),
    "surrogate": ({"paint": 1.0, "note": "\ud800"}, "column 'note': a text with a lone surrogate"),
    "mixed": ({"paint": 1.0, "note": [1.0, "a"]}, "column 'note': a list that holds a value of type str"),
    "detection": ({"paint": 1.0, "note": [{"class": "a", "score": 1.0}]}, "column 'note': a detection with the keys ['class', 'score']"),
    "box": ({"paint": 1.0, "note": [{"class": "a", "score": 1.0, "box": [1, 2]}]}, "column 'note': a detection whose box is not four numbers"),
    "float32": ({"paint": 1.0, "note": [1e300]}, "column 'note': a vector that holds 1e+300"),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_that_cannot_be_kept(case: str, paint: type[Paint], tmp_path: Path) -> None:
    paint.value, reason = ROWS[case]
    unscored(run(tmp_path), reason)


KEPT = {
    "int": (7, 7.0),
    "largest": (2**53, float(2**53)),
    "numpy": (np.float32(0.5), 0.5),
    "numpy-int": (np.int64(3), 3.0),
    "array": (np.array(2.5), 2.5),
    "tensor": (torch.tensor(1.5, requires_grad=True), 1.5),
    "missing": (None, None),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_value_that_is_converted(case: str, paint: type[Paint], tmp_path: Path) -> None:
    paint.value, kept = {"paint": KEPT[case][0], "note": None}, KEPT[case][1]
    done = run(tmp_path)
    assert done.complete
    value = done.records().set_index("prompt_id").loc["i2p-0001", "paint"]
    assert value == kept or (kept is None and np.isnan(value))


@pytest.mark.parametrize(
    "note", ["word", np.ones(3), torch.ones(3), (1, 2, 3), [], [{"class": "a", "score": np.float32(0.5), "box": np.ones(4)}], np.bool_(True)]
)
def test_any_kind_is_kept_in_another_column(note: object, paint: type[Paint], tmp_path: Path) -> None:
    paint.good = {"paint": np.True_, "note": note}
    done = run(tmp_path)
    assert done.complete and [row["value"] for row in done.rows() if row["metric"] == "paint"] == [1.0]
    assert ("In the records alone, as text: paint_note." in report_table([done]).caption) == isinstance(note, str)


def test_vectors_are_of_one_length(paint: type[Paint], tmp_path: Path) -> None:
    paint.good = {"paint": 1.0, "note": [1.0, 2.0]}
    paint.value = {"paint": 1.0, "note": [1.0, 2.0, 3.0]}
    unscored(run(tmp_path), "column 'note' holds a vector of 2 in other images; got a vector of 3")


def test_a_column_is_of_one_kind_in_all_units(paint: type[Paint], tmp_path: Path) -> None:
    """Two workers, each of which sees one unit alone."""
    units = {"batch_size": 1, "limit": 17}  # three: of eight samples, eight and one
    done = run(tmp_path, **units)
    folder = RunFolder(done.path)
    (scores,) = folder.score_sets()
    for unit, value in enumerate((1.0, True, 2.0)):
        keys = [{name: row[name] for name in ("prompt_id", "image_index")} for row in folder.unit_rows(unit)]
        folder.commit_scores(scores, unit, [{**key, "paint": value, "note": None} for key in keys])
    with pytest.raises(BenchError, match=r"^The scorer 'paint' gave a number in column 'paint' for unit 0 of .* and yes or no for unit 1"):
        run(tmp_path, **units)
    assert run(tmp_path, **units).complete


def test_a_bench_error_stops_the_run_and_names_scorer_and_sample(paint: type[Paint], zoo: ModuleType, tmp_path: Path) -> None:
    paint.way = zoo.raising(BenchError(""))
    with pytest.raises(BenchError) as found:
        run(tmp_path)
    assert str(found.value) == "The scorer 'paint' (score, sample i2p-0000 (image 0) and 2 more): it raised a BenchError without a message."


@pytest.mark.parametrize("place", ["__init__", "weights", "known_as", "load"])
def test_what_it_raises_elsewhere_is_one_line(
    place: str, paint: type[Paint], zoo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(paint, place, lambda self, *_, **__: zoo.RAISES["sys-exit"]())
        asked = "weights" if place == "known_as" else place
        with pytest.raises(BenchError, match=rf"^The scorer 'paint' is broken: {asked} raised SystemExit: 0\.$"):
            run(tmp_path)
    assert run(tmp_path).complete


def test_one_that_does_not_end_is_stopped_and_the_others_go_on(paint: type[Paint], tmp_path: Path) -> None:
    def forever(*_: object) -> None:
        while True:
            pass

    paint.way = forever
    done = run(tmp_path, "paint", "fidelity", unit_timeout=0.3)
    (said,) = done.lacking_scores()
    assert "3 image(s) have no score of 'paint'" in said and "took longer than 0.3 s over a unit of 3 sample(s) (--unit-timeout)" in said
    assert done.records()["fidelity"].notna().all()


def test_what_it_writes_into_samples_reaches_no_other_scorer(paint: type[Paint], tmp_path: Path) -> None:
    def greedy(images: list[Any], samples: list[Sample]) -> list[Mapping[str, Any]]:
        rows = [Paint.good] * len(images)
        for sample in samples:
            sample.metadata.clear()  # type: ignore[attr-defined]
        images.clear()
        samples.clear()
        return rows

    paint.way = greedy
    done = run(tmp_path, "paint", "fidelity")
    assert done.complete and done.records()["fidelity"].notna().all()


def test_a_failed_image_is_tried_once_a_command(paint: type[Paint], tmp_path: Path) -> None:
    calls: list[int] = []

    def fails(images: list[Any], samples: list[Sample]) -> None:
        calls.append(len(images))
        raise ValueError

    paint.way = fails
    run(tmp_path)
    assert calls == [3, 1]  # the other two were scored alone
    done = run(tmp_path)
    assert calls == [3, 1, 3, 1] and not done.complete
    assert len(done.lacking_scores()) == 1
    paint.way = None
    assert score(done.path, ["paint"], workers=1).complete


@pytest.mark.parametrize(
    ("info", "says"),
    [
        (None, "it says nothing of itself"),
        (ScorerInfo("bad", "", {}, "neither"), "columns names no column"),
        (ScorerInfo("bad", "", {"unscored": ""}, "neither"), "columns names 'unscored', which is a column of every table"),
        (ScorerInfo("bad", "", {"prompt_id": ""}, "neither"), "columns names 'prompt_id', which is a column of every table"),
        (ScorerInfo("bad", "", {"bad": ""}, "up"), "higher_is is 'up'"),
        (ScorerInfo("bad", "", {"bad": ""}, "neither"), "it lacks score"),
    ],
)
def test_a_scorer_that_declares_itself_wrong_is_refused(info: ScorerInfo | None, says: str) -> None:
    class Bad(Scorer):
        def load(self, context: Context) -> None: ...

    if info is not None:
        Bad.info = info
    with pytest.raises(BenchError, match=f"The scorer 'bad' is broken: {says}"):
        check_scorer("bad", Bad)


def test_a_run_that_was_scored_says_in_its_files_what_is_missing(paint: type[Paint], zoo: ModuleType, tmp_path: Path) -> None:
    paint.way = zoo.RAISES["sys-exit"]
    done = run(tmp_path)
    folder = RunFolder(done.path)
    (scores,) = folder.score_sets()
    assert folder.unscored_images(scores) == {0: 1} and folder.unscored_units(scores) == [0] and folder.stale_units(scores) == []
    assert json.loads((scores.folder / "scorer.json").read_text())["source"]
