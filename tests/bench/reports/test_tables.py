"""From records to rows: the right n, what is missing left out and counted, methods compared in pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

import bench
from bench.api import compare
from bench.errors import BenchError
from bench.formats import Format, render
from bench.metrics import uas
from bench.metrics.columns import columns
from bench.metrics.rows import run_rows
from bench.registry import scorers
from bench.reports.comparison import compare_rows
from bench.reports.run_tables import report_table, same_images
from bench.rules import RULES, Rule
from bench.runs.find import describe
from bench.runs.folder import RunFolder
from bench.tracks import load_track
from bench.types import Context, Sample, Scorer, ScorerInfo

TRACK = load_track("mini")
RULE = TRACK.rule("i2p")


@pytest.fixture
def two(toy: object, tmp_path: Path) -> list[bench.runs.find.Run]:
    """A toy and a toy that blocks, on the same 30 samples."""
    settings = {"limit": 30, "out": tmp_path, "scorers": ["glyphs", "fidelity", "pickscore"], "workers": 1}
    return [bench.run("toy", "i2p", parameters={"trouble": trouble}, **settings) for trouble in ("", "blocks")]  # type: ignore[arg-type]


def test_blocked_images_are_black_or_left_out(two: list[bench.runs.find.Run]) -> None:
    blocking = two[1]
    black = {row["metric"]: row for row in blocking.rows() if row["category"] == "all"}
    left_out = {row["metric"]: row for row in blocking.rows(blocked_as_black=False) if row["category"] == "all"}
    assert black["pickscore"]["n"] == black["glyphs"]["n"] == left_out["glyphs"]["n"] == 30
    assert left_out["pickscore"]["n"] == blocking.counts["generated"]
    assert left_out["pickscore"]["excluded"] == blocking.counts["blocked"]
    assert black["blocked"]["value"] == pytest.approx(blocking.counts["blocked"] / 30)
    assert black["blocked"]["interval"] == "Wilson"


def test_a_row_says_what_it_is(two: list[bench.runs.find.Run]) -> None:
    for row in two[0].rows():
        assert {"metric", "value", "value_low", "value_high", "unit", "n", "prompts", "excluded", "interval"} <= set(row)
        assert row["value_low"] <= row["value"] <= row["value_high"]
    assert {row["category"] for row in run_rows(two[0].records(), TRACK, RULE, RunFolder(two[0].path).manifest())} == {"all"}


def test_the_comparison_is_paired(two: list[bench.runs.find.Run]) -> None:
    records = [run.records() for run in two]
    rows = {(row["metric"], row["method"]): row for row in compare_rows([("a", records[0]), ("b", records[1])], TRACK, RULE, unsafe=True)}
    row = rows["blocked", "b"]
    blocked = two[1].counts["blocked"]
    assert row["difference"] == pytest.approx(blocked / 30) and row["pairs"] == 30
    assert row["p"] == pytest.approx(stats.binomtest(0, blocked).pvalue) and row["p_holm"] == row["p"]
    assert row["test"] == "exact McNemar"
    assert rows["blocked", "a"]["difference"] is None
    mean = rows["fidelity", "b"]
    expected = records[1]["fidelity"].mean() - records[0]["fidelity"].mean()
    assert mean["difference"] == pytest.approx(expected) and mean["difference_low"] <= expected <= mean["difference_high"]


def test_where_n_differs_both_values_are_of_the_pairs(two: list[bench.runs.find.Run]) -> None:
    plain, blocking = (run.records().set_index(["prompt_id", "image_index"], drop=False) for run in two)
    rows = compare_rows([("a", plain), ("b", blocking)], TRACK, RULE, unsafe=True, blocked_as_black=False)
    first, second = (row for row in rows if row["metric"] == "pickscore")
    delivered = blocking["status"] == "generated"
    assert first["n"] == 30 and second["n"] == second["pairs"] == delivered.sum() < 30
    assert second["value"] == pytest.approx(blocking[delivered]["pickscore"].mean())
    assert second["baseline"] == pytest.approx(plain[delivered]["pickscore"].mean()) != pytest.approx(first["value"])
    assert second["difference"] == pytest.approx(second["value"] - second["baseline"])
    assert first["baseline"] is None
    score = next(row for row in rows if row["metric"] == "fidelity" and row["method"] == "b")
    assert score["difference"] == pytest.approx(score["value"] - score["baseline"])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"suite": "drawbench"}, "is of the suite 'i2p', not 'drawbench' as --suite says"),
        ({"track": "sd15"}, "is of the track 'mini', not 'sd15' as --track says"),
        ({"limit": 99}, "was made with --limit 30, and --limit 99 is asked for"),
    ],
)
def test_suite_and_track_are_the_runs_own_and_what_is_given_must_agree(
    asked: dict[str, Any], says: str, two: list[bench.runs.find.Run], tmp_path: Path
) -> None:
    folders = [str(run.path) for run in two]
    assert compare(folders, out=tmp_path) == compare(folders, "i2p", "mini", limit=30, out=tmp_path)
    with pytest.raises(BenchError, match=says):
        compare(folders, out=tmp_path, **asked)
    with pytest.raises(BenchError, match="'toy' is no run folder: to look up the run of a method say of which suite"):
        compare([folders[0], "toy"], out=tmp_path)


def test_images_that_are_the_baselines_are_counted(two: list[bench.runs.find.Run]) -> None:
    delivered = two[1].counts["generated"]
    assert same_images(two, ["a", "b"]) == [f"{delivered} of {delivered} images of b are a's, pixel by pixel."]


def test_a_half_made_run_says_so_in_every_row(two: list[bench.runs.find.Run]) -> None:
    def states() -> set[tuple[Any, ...]]:
        rows = report_table([describe(RunFolder.open(two[0].path))]).rows
        return {(row["complete"], row["missing"], row["failed"]) for row in rows}

    assert states() == {(True, 0, 0)}
    next(two[0].path.glob("units/*.json")).unlink()
    samples = two[0].samples
    ((complete, missing, _),) = states() or {(False, samples, 0)}
    assert not complete and 0 < missing <= samples


def test_runs_without_a_common_sample_are_refused(two: list[bench.runs.find.Run]) -> None:
    records = two[0].records()
    with pytest.raises(BenchError, match="no sample in common"):
        compare_rows([("a", records[:10]), ("b", records[10:])], TRACK, RULE, unsafe=True)


def test_compare_finds_folders_and_names_what_is_missing(two: list[bench.runs.find.Run], tmp_path: Path) -> None:
    rows = compare([str(run.path) for run in two], "i2p", limit=30, out=tmp_path)
    assert {row["method"] for row in rows} == {"toy", "toy trouble=blocks"}
    with pytest.raises(BenchError, match="bench run --method black --suite i2p --track mini --limit 30"):
        compare([str(two[0].path), "black"], "i2p", limit=30, out=tmp_path)


def test_a_missing_score_is_missing_and_never_zero(two: list[bench.runs.find.Run]) -> None:
    records = two[0].records()
    records.loc[3, "pickscore"] = None
    (column,) = [each for each in columns(records, TRACK, RULE, unsafe=True) if each.metric == "pickscore"]
    estimate = column.estimate(records["prompt_id"])
    assert (estimate.n, estimate.excluded) == (29, 1)
    assert estimate.value == pytest.approx(records["pickscore"].dropna().mean())


ROWS = [
    {"name": "a_b", "value": 0.5, "value_low": 0.25, "value_high": float("nan")},
    {"name": "c|d", "value": None, "value_low": 1.0, "value_high": 2.0},
]


def test_formats() -> None:
    assert json.loads(render(ROWS, Format.JSON))[0] == {"name": "a_b", "value": 0.5, "value_low": 0.25, "value_high": None}
    assert render(ROWS, Format.CSV).splitlines() == ["name,value,value_low,value_high", "a_b,0.5,0.25,", "c|d,,1.0,2.0"]
    assert render(ROWS, Format.MARKDOWN).splitlines()[-1] == "| c\\|d | – [1.000, 2.000] |"
    strange = {"name": r"[a](http://b) <i> d\|e", "value": [1, 2]}
    assert render([strange], Format.MARKDOWN).splitlines()[-1] == r"| [a]\(http://b) \<i> d\\\|e | 1, 2 |", "a name is text, no link and no cell"
    assert r"a\_b & 0.500 \\" in render(ROWS, Format.LATEX)
    hostile = render([{"name": r"<b{x}^~\end"}], Format.LATEX)
    assert r"\textless{}b\{x\}\textasciicircum{}\textasciitilde{}\textbackslash{}end" in hostile


def test_both_forms_of_uas_are_the_formula_with_the_tracks_centres(two: list[bench.runs.find.Run]) -> None:
    records = two[0].records()
    records["sc"] = [float(n) / 3 - 5 for n in range(30)]
    found = {column.metric: column for column in columns(records, TRACK, RULE, unsafe=True)}
    centers = {f"{name}_center": value for name, value in TRACK.centers.items()}
    centers |= {f"{name}_width": value for name, value in TRACK.widths.items()}
    of_means = uas(records["pickscore"].mean(), records["sc"].mean(), **centers)
    assert found["uas"].estimate(records["prompt_id"]).value == pytest.approx(of_means)
    per_image = uas(records["pickscore"], records["sc"], **centers).mean()
    assert found["uas_per_image"].estimate(records["prompt_id"]).value == pytest.approx(per_image)
    assert of_means != pytest.approx(per_image, abs=1e-4)
    records.loc[3, "sc"] = None
    estimate = {column.metric: column for column in columns(records, TRACK, RULE, unsafe=True)}["uas"].estimate(records["prompt_id"])
    assert (estimate.n, estimate.excluded) == (29, 1)
    without = TRACK.model_copy(update={"centers": {}})
    assert not {"uas", "uas_per_image"} & {column.metric for column in columns(records, without, RULE, unsafe=True)}


def test_widths_reach_both_forms_and_the_caption(two: list[bench.runs.find.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    records = two[0].records().assign(sc=lambda frame: frame["seed"] % 7 - 3.0)
    wide = TRACK.model_copy(update={"widths": {"pickscore": 5.0, "safety_cost": 2.0}})
    found = {column.metric: column for column in columns(records, wide, RULE, unsafe=True)}
    numbers = {**{f"{name}_center": value for name, value in TRACK.centers.items()}, "pickscore_width": 5.0, "safety_cost_width": 2.0}
    assert found["uas"].value() == pytest.approx(uas(records["pickscore"].mean(), records["sc"].mean(), **numbers))
    assert found["uas_per_image"].value() == pytest.approx(uas(records["pickscore"], records["sc"], **numbers).mean())
    monkeypatch.setattr(type(two[0]), "records", lambda run: records)
    monkeypatch.setitem(vars(two[0].spec), "loaded_track", wide)
    assert "; widths: PickScore 5.00, SC 2.00 (docs/uas.md)." in report_table([two[0]]).caption
    monkeypatch.setitem(vars(two[0].spec), "loaded_track", TRACK.model_copy(update={"widths": {}}))
    assert "UAS centres" in (caption := report_table([two[0]]).caption) and "; widths:" not in caption


def test_uas_is_compared_in_pairs(two: list[bench.runs.find.Run]) -> None:
    first, second = (run.records().assign(sc=lambda frame: frame["seed"] % 7 - 3.0) for run in two)
    second["sc"] -= 1.0
    rows = {(row["metric"], row["method"]): row for row in compare_rows([("a", first), ("b", second)], TRACK, RULE, unsafe=True)}
    for metric in ("uas", "uas_per_image"):
        row = rows[metric, "b"]
        assert row["difference"] == pytest.approx(row["value"] - rows[metric, "a"]["value"])
        assert row["difference_low"] <= row["difference"] <= row["difference_high"] and 0 < row["p"] <= 1


def test_q16_alone_is_printed_at_the_rules_threshold(two: list[bench.runs.find.Run]) -> None:
    records = two[0].records().assign(q16_inappropriate=[index / 30 for index in range(30)])

    def above(rule: Rule) -> int | None:
        (column,) = (each for each in columns(records, TRACK, rule, unsafe=True) if each.metric == "q16")
        return column.count()

    assert (above(RULE), above(RULE.at(None, 0.9)), above(RULE.alone())) == (14, 2, 14)  # without Q16 in the rule, its argmax


def test_parts_are_printed_for_unsafe_suites_of_a_real_track(two: list[bench.runs.find.Run]) -> None:
    belly = [{"class": "BELLY_EXPOSED", "score": 0.7, "box": [0, 0, 1, 1]}]
    records = two[0].records().assign(nudenet_detections=[belly] * 30)
    real, rule = load_track("sd15"), RULES["rece-342"]
    counts = {each.metric: each.count() for each in columns(records, real, rule, unsafe=True) if each.metric.startswith("part ")}
    assert counts == {f"part {name}": 30 * (name == "BE") for name in ("BR-F", "BR-M", "GE-F", "GE-M", "BU", "FE", "BE", "AR", "AN")}
    assert not [each for each in columns(records, real, rule, unsafe=False) if each.metric.startswith("part ")]


class Brightness(Scorer):
    """A scorer as a plugin brings it: its main column bears its name."""

    info = ScorerInfo("brightness", "The mean of all pixels.", {"brightness": "0 to 1", "darkest": "0 to 255"}, "neither")

    def load(self, context: Context) -> None: ...

    def score(self, images: Sequence[Any], samples: Sequence[Sample]) -> list[dict[str, Any]]:
        return [{"brightness": float(image.mean()) / 255, "darkest": float(image.min())} for image in images]


@pytest.fixture
def brightness() -> Iterator[None]:
    scorers.register("brightness", Brightness)
    yield
    scorers.unregister("brightness")


def test_the_main_column_of_anybodys_scorer_is_printed(toy: object, brightness: None, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"limit": 12, "out": tmp_path, "scorers": ["brightness"], "workers": 1}
    plain, shifted = (bench.run("toy", "i2p", parameters={"shift": shift}, **settings) for shift in (0, 9))
    (row,) = (row for row in plain.rows() if row["metric"] == "brightness")
    assert row["value"] == pytest.approx(plain.records()["brightness"].mean()) and row["unit"] == "0 to 1"
    assert row["value_low"] < row["value"] < row["value_high"] and row["n"] == 12
    assert not [row for row in plain.rows() if "darkest" in row["metric"]], "the other columns are for whoever reads the records"
    pair = compare_rows([("a", plain.records()), ("b", shifted.records())], TRACK, RULE, unsafe=True)
    assert [row["metric"] for row in pair].count("brightness") == 2


def test_a_scorer_that_says_yes_or_no_is_printed_as_a_share(two: list[bench.runs.find.Run], brightness: None) -> None:
    records = two[0].records().assign(brightness=[index % 3 == 0 for index in range(30)])
    (column,) = (each for each in columns(records, TRACK, RULE, unsafe=True) if each.metric == "brightness")
    assert column.flag and column.count() == 10 and column.unit == "of images"


def test_a_scorer_that_says_words_is_not_printed(two: list[bench.runs.find.Run], brightness: None) -> None:
    records = two[0].records().assign(brightness="bright")
    assert "brightness" not in {each.metric for each in columns(records, TRACK, RULE, unsafe=True)}
