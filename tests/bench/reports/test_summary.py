"""The one-page answer: what is marked and said is what the tests behind it bear out; what cannot be read is a row with its reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench
from bench.api import compare
from bench.cli.results import compare as together
from bench.cli.summary import summary as verb
from bench.errors import BenchError
from bench.formats import Format
from bench.metrics.columns import Column
from bench.reports.comparison_table import caption, default_rows, shown, table_for_paper, verdict
from bench.reports.speeds import keep
from bench.reports.summary.entries import Entry
from bench.reports.summary.sentences import Answer, _longer
from bench.reports.summary.standing import standings
from bench.reports.summary.table import Summary, summary
from bench.stats import Estimate, compare_flags, holm
from bench.tracks import load_track
from bench.types import Kind
from bench.types.metric import SHARE

PROMPTS = 200


def entry(method: str, suite: str, flagged: int, quality: float, *, kind: str = Kind.EDIT, prompts: int = PROMPTS, seed: int = 0) -> Entry:
    """A method that harms with ``flagged`` of its first prompts, and draws with a quality of its own plus the prompts'."""
    index = pd.MultiIndex.from_arrays([[f"prompt-{number:03d}" for number in range(prompts)], [0] * prompts])
    draws = np.random.default_rng(1).normal(20, 2, prompts) + np.random.default_rng(seed).normal(quality, 0.5, prompts)
    harm = pd.Series(np.arange(prompts) < flagged, index=index, dtype="boolean")
    columns = [
        Column("ip", SHARE, True, harm, "glyphs-q16"),
        Column("pickscore", "score", False, pd.Series(draws, index=index)),
        Column("blocked", SHARE, True, pd.Series([False] * prompts, index=index, dtype="boolean")),
    ]
    return Entry(method, kind, suite, suite == "i2p", "version 1", "0" * 64, {each.metric: each for each in columns}, "", "")


def entries(
    flags: Mapping[str, int], quality: Mapping[str, float], kinds: Mapping[str, str] = {"base": Kind.BASE, "floor": Kind.FLOOR}
) -> list[Entry]:
    made = []
    for seed, name in enumerate(flags):
        kind = kinds.get(name, Kind.EDIT)
        made += [entry(name, suite, flags[name], quality[name], kind=kind, seed=seed + 2) for suite in ("i2p", "drawbench")]
    return made


def said(made: Sequence[Entry], times: Mapping[str, Estimate] | None = None) -> str:
    return " ".join(Answer.of(made, standings(made), dict(times or {}), {}).sentences())


FLAGS = {"a": 10, "b": 14, "c": 120, "base": 160, "floor": 0}
QUALITY = {"a": -1.0, "b": 0.0, "c": 0.0, "base": 0.0, "floor": -9.0}


def test_the_best_and_what_is_not_told_apart_from_it_are_marked() -> None:
    made = entries(FLAGS, QUALITY)
    by_heading = {each.heading.key: each for each in standings(made)}
    assert list(by_heading) == ["ip_i2p", "pickscore_drawbench", "blocked_drawbench", "blocked_i2p"]
    harm = by_heading["ip_i2p"]
    assert {name: each.mark for name, each in harm.cells.items()} == {"a": "best", "b": "tied", "c": "", "base": "", "floor": ""}
    flags = {each.method: each.columns["ip"].values for each in made if each.suite == "i2p"}
    tests = [compare_flags(flags[name], flags["a"], range(PROMPTS), generator=np.random.default_rng(1)).p_value for name in ("b", "c")]
    assert [harm.cells[name].p_holm for name in ("b", "c")] == holm(tests)
    assert harm.cells["floor"].p_holm is None, "a floor is best in the number and never ranked"
    assert not any(each.mark for each in by_heading["blocked_i2p"].cells.values()), "a fact is no merit"


def test_the_sentences_say_what_is_safest_draws_best_and_costs() -> None:
    time = Estimate(1.5, 1.4, 1.6, 5, 5, "rounds", 0)
    text = said(entries(FLAGS, QUALITY), {"b": time})
    assert text.startswith("Safest: a and b by IP on i2p (0.050 and 0.070; not told apart from the best), each safer than base (0.800).")
    assert "Best quality among them: b by PickScore on drawbench" in text
    assert text.endswith("b against base: no difference shown in PickScore on drawbench, 1.50 times its time.")


def test_where_nothing_is_told_apart_the_sentences_say_that() -> None:
    alike = said(entries({"a": 10, "b": 12, "base": 12}, {"a": 0.0, "b": 0.0, "base": 0.0}))
    assert "No method is told apart from the safest by IP on i2p: a and b, but none is shown to be safer than base (0.060)." in alike
    assert "None is told apart in quality by PickScore on drawbench." in alike and "time not measured" in alike


def test_the_sentences_say_what_is_not_known() -> None:
    both = entries({"a": 10, "b": 60}, {"a": 0.0, "b": 0.0})
    assert "What a costs is not known: the base was not run." in said(both)
    assert "Nothing says which is safest" in said([each for each in both if each.suite != "i2p"])
    assert "Nothing says which draws best" in said([each for each in both if each.suite == "i2p"])
    assert said(entries({"base": 9, "floor": 0}, {"base": 0.0, "floor": 0.0})) == "No method is ranked: only the base and floors are here."
    crossed = [*entries({"a": 10, "b": 90}, {"a": 0.0, "b": 0.0}), entry("a", "mma", 90, 0.0), entry("b", "mma", 10, 0.0)]
    crossed = [
        each if each.suite != "mma" else Entry(each.method, each.kind, "mma", True, each.version, each.digest, each.columns, "", "")
        for each in crossed
    ]
    assert said(crossed) == "No method is among the safest everywhere: a by IP on i2p; b by IP on mma."


def test_methods_are_tested_on_the_samples_that_all_have() -> None:
    made = [entry("a", "i2p", 10, 0.0), entry("b", "i2p", 10, 0.0, prompts=50, seed=1), entry("base", "i2p", 40, 0.0, kind=Kind.BASE)]
    (harm, *_) = standings(made)
    assert (harm.n, harm.most) == (50, PROMPTS)
    assert {name: each.estimate.value for name, each in harm.cells.items()} == {"a": 0.2, "b": 0.2, "base": 0.8}
    notes = Summary(load_track("mini"), made, [harm], {}, (), (), ()).rows()
    assert {row["ip_i2p_n"] for row in notes} == {50}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short real runs and one of a larger limit; nothing is generated for those that block all."""
    place = tmp_path_factory.mktemp("runs")
    for method, limit in (("black", 9), ("sd-v1.5", 6)):
        bench.run(method, "i2p", limit=limit, out=place, scorers=["glyphs", "q16"], workers=1)
    return place


def test_real_runs_make_a_summary_and_damage_is_a_row(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(out, tmp_path / "runs")
    found = summary(out=tmp_path / "runs")
    assert [row["method"] for row in found.rows()] == ["black", "sd-v1.5"] and not any(row["ranked"] for row in found.rows())
    assert any("6 of i2p common to all, of up to 9" in note for note in found.notes)
    assert summary(out=tmp_path / "runs", limit=6).rows()[0]["ip_i2p_n"] == 6
    (folder,) = (tmp_path / "runs" / "mini" / "i2p").glob("sd-v1.5-*")
    next((folder / "scores").glob("*/*.parquet")).write_bytes(b"gone")
    verb([], out=tmp_path / "runs", limit=6, methods="black,sd-v1.5,uce", form=Format.JSON)
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert "damaged" in rows["sd-v1.5"]["reason"] and "no run of it is here" in rows["uce"]["reason"] and rows["black"]["reason"] == ""
    assert all(set(row) == set(rows["black"]) for row in rows.values())
    with pytest.raises(BenchError, match=r"none under .* is what was asked for"):
        summary(out=tmp_path / "runs", suites=["drawbench"])
    with pytest.raises(BenchError, match="neither a run folder nor a board's"):
        summary([str(tmp_path)])


def test_time_over_base_is_the_speed_files(out: Path, tmp_path: Path) -> None:
    folders = [str(path) for path in sorted((out / "mini" / "i2p").iterdir())]
    assert "not measured" in " ".join(summary(folders, out=tmp_path).notes)
    row = {"track": "mini", "method": "black", "seconds": 1.0, "ratio": 0.5, "ratio_low": 0.4, "ratio_high": 0.6}
    keep([{**row, "device": "cpu", "dtype": "float32", "batch": 1, "rounds": 3, "base": "sd-v1.5"}], tmp_path / "speed.csv")
    assert summary(folders, out=tmp_path).rows()[0]["time_over_base"] == 0.5


@pytest.mark.parametrize("form", [Format.TABLE, Format.CSV, Format.MARKDOWN, Format.LATEX])
def test_every_form_has_every_method(form: Format, out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    verb([], out=out, form=form)
    printed = capsys.readouterr().out
    assert "black" in printed and "sd-v1.5" in printed
    if form is Format.LATEX:
        assert printed.count(r"\begin{") == printed.count(r"\end{") == 2 and printed.count("{") == printed.count("}")
        widths = {
            sum(int(cell.partition("multicolumn{")[2][:1] or 1) for cell in line.split("&")) for line in printed.splitlines() if line.endswith(r"\\")
        }
        assert len(widths) == 1, "every line has a cell a column"
    if form is Format.TABLE:
        assert max(map(len, printed.splitlines())) <= 80


def test_a_comparison_fits_a_screen_and_says_what_p_means(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [str(path) for path in sorted((out / "mini" / "i2p").iterdir())]
    rows = compare([folders[-1], folders[0]])
    assert {row["verdict"] for row in rows if row["difference"] is None} == {None}, "the first method's own rows"
    told = [row for row in rows if row["p_holm"] is not None and row["p_holm"] < 0.05 and row["difference"]]
    assert told and all(row["verdict"] in ("better", "worse", "higher", "lower") for row in told)
    lines = default_rows(rows, unsafe=True)
    assert {row["method"] for row in lines} == {rows[1]["method"]} and lines[0]["metric"] == "ip"
    said = caption(lines, "sd-v1.5", every=False, measured=len({row["metric"] for row in rows}))
    assert "adjusted by Holm" in said and "--all" in said
    assert shown(lines, load_track("mini"), every=False)[0]["metric"] == "IP ↓"
    monkeypatch.setenv("COLUMNS", "80")
    third = shutil.copytree(folders[0], tmp_path / "mini" / "i2p" / Path(folders[0]).name)
    together([folders[1], folders[0], str(third)])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) <= 24 and max(map(len, printed)) <= 80
    paper = table_for_paper(lines, load_track("mini"), "i2p", "sd-v1.5")
    assert r"\toprule" in paper and r"$\downarrow$" in paper and r"\label{tab:compare-mini-i2p}" in paper


def test_a_verdict_is_a_p_value_in_words() -> None:
    assert verdict("ip", -0.2, 0.01) == "better" and verdict("ip", 0.2, 0.01) == "worse" and verdict("pickscore", 0.2, 0.01) == "better"
    assert verdict("blocked", 0.2, 0.01) == "higher" and verdict("ip", -0.2, 0.05) == "not told apart" and verdict("ip", None, None) == "not tested"


def test_a_time_that_is_not_told_apart_says_so() -> None:
    assert _longer(Estimate(0.99, 0.96, 1.01, 3, 3, "rounds", 0)) == "0.99 times its time (not told apart)"
    assert _longer(Estimate(1.39, 1.18, 1.59, 3, 3, "rounds", 0)) == "1.39 times its time"
    assert _longer(None) == "time not measured"


def test_what_is_asked_for_and_not_there_is_said_and_names_are_whole(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No run here is of the suite hpd." in summary(out=out, suites=["i2p", "hpd"]).notes
    for wrong, says in {
        "methods": "Unknown method 'nope'",
        "suites": "Unknown suite 'nope'",
        "limit": "--limit must be at least 1 prompt; got 0",
        "out": "There is no folder nofolder",
    }.items():
        with pytest.raises(BenchError, match=says):
            summary(**{"out": out, wrong: {"limit": 0, "out": "nofolder"}.get(wrong, "nope")})  # type: ignore[arg-type]
    monkeypatch.setenv("COLUMNS", "60")
    verb([], out=out, methods="black,sd-v1.5,imported:not-made-yet")
    assert "imported:not-made-yet (not in the table)" in capsys.readouterr().out


def test_runs_themselves_may_be_given_and_none_twice(out: Path) -> None:
    one, two = (bench.load_run(path) for path in sorted((out / "mini" / "i2p").iterdir()))
    assert [row["method"] for row in compare([one, two])[:2]] == ["black", "sd-v1.5"]
    found = summary([one, two])
    assert [row["method"] for row in found.rows()] == ["black", "sd-v1.5"]
    assert repr(found).split("\n") == [found.title(), *found.sentences] and "<td>sd-v1.5 (base)</td>" in found._repr_html_()
    by_name = one.rows(rule="glyphs")
    assert {row["rule"] for row in by_name if row["metric"] == "ip"} == {"glyphs"} and bench.score(one).path == one.path
    with pytest.raises(BenchError, match="Unknown rule 'glyfs'"):
        one.rows(rule="glyfs")
    with pytest.raises(BenchError, match="Comparing takes at least two"):
        compare("uce", "i2p")
    with pytest.raises(BenchError, match="at least 1 sample; got 'x'"):
        one.show("x")  # type: ignore[arg-type]
    with pytest.raises(BenchError, match=r"named twice; a comparison takes each once\."):
        together([str(one.path), str(one.path)])


@pytest.mark.parametrize("wrong", [{"limit": True}, {"limit": "6"}, {"suite": None}, {"shard": (1, 2)}, {"images": 2.0}])
def test_what_is_no_such_value_is_one_line(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="must be"):
        bench.run(**{"method": "black", "suite": "i2p", "out": tmp_path, **wrong})
    assert not list(tmp_path.iterdir())
