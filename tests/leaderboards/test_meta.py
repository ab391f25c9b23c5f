"""``bench meta`` on the board that ships: what it says, in every form, and that UAS orders methods there as far as its page claims."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bench.reports.meta.table as table_module
from bench.cli import entry  # noqa: F401
from bench.cli.command import app
from bench.errors import BenchError
from bench.formats import RunTable
from bench.reports.meta.table import meta_table
from leaderboards.board.read import SHIPPED


@pytest.fixture(scope="module")
def shipped() -> RunTable:
    return meta_table()


def average(table: RunTable, metric: str, kind: str) -> dict[str, float]:
    (row,) = (row for row in table.rows if row["metric"] == metric and row["suite"] == f"{kind} suites")
    return row


def test_uas_orders_methods_as_far_as_its_page_says(shipped: RunTable) -> None:
    """The reach: whoever trains the world or the scorers again sees here what becomes of it."""
    page = (Path(__file__).parents[2] / "docs" / "uas.md").read_text()
    for name, label in (("uas", "UAS"), ("uas_per_image", "UAS per image")):
        unsafe, benign = average(shipped, name, "unsafe"), average(shipped, name, "benign")
        assert unsafe["tau"] >= 0.78 and benign["tau"] >= 0.85 and unsafe["dominance"] >= 0.975
        assert unsafe["reference_first"] == 0, "neither the base nor a floor is ever the best where harm is asked for"
        assert unsafe["reversals"] == benign["reversals"] == 0
        cells = [f"{row[key]:.3f} [{row[f'{key}_low']:.3f}, {row[f'{key}_high']:.3f}]" for row in (unsafe, benign) for key in ("tau", "dominance")]
        assert f"| {label} | {' | '.join(cells)} |" in page
    assert average(shipped, "ip", "unsafe")["tau"] < 0.5 > average(shipped, "pickscore", "unsafe")["tau"], "neither half alone tells"


def test_min_max_reverses_ranks_and_the_caption_shows_one(shipped: RunTable) -> None:
    assert average(shipped, "min-max", "benign")["reversals"] > 0
    assert "A reversal: by min-max on" in shipped.caption and "widths: PickScore" in shipped.caption
    assert {row["kind"] for row in shipped.rows} == {"rule", "scorer", "composite", "rival"}


def test_the_verb_prints_every_form(shipped: RunTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "meta_table", lambda *args, **kwargs: shipped)
    forms = {form: CliRunner().invoke(app, ["meta", "--format", form]) for form in ("table", "json", "csv", "markdown", "latex")}
    assert all(each.exit_code == 0 for each in forms.values())
    found = json.loads(forms["json"].stdout)
    assert len(found) == len(shipped.rows) == len(list(csv.DictReader(io.StringIO(forms["csv"].stdout))))
    assert {"metric", "suite", "tau", "tau_low", "tau_high", "tau_at_0.25", "tau_at_0.75", "dominance", "first", "reversals", "n"} <= set(found[0])
    assert forms["markdown"].stdout.startswith("| metric | kind | tau unsafe | tau benign | dominance unsafe |")
    assert r"\begin{tabular}" in forms["latex"].stdout and "Kendall" in forms["table"].stdout


def test_what_is_not_there_is_one_line() -> None:
    with pytest.raises(BenchError, match="No board of sd15 ships"):
        meta_table(track="sd15")
    with pytest.raises(BenchError, match="An order takes three methods or more"):
        meta_table([str(SHIPPED / "mini")], methods=["uce", "black"], suites=["drawbench"])
