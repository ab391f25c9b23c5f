"""A board summed up: the same numbers as the board's own, from its sample rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.reports.meta.table import meta_table
from bench.reports.summary.sentences import Answer
from bench.reports.summary.standing import standings
from bench.reports.summary.table import summary
from leaderboards.board.read import SHIPPED, SPEED, Board
from leaderboards.board.summed import gathered

BOARD = SHIPPED / "mini"


def test_a_board_is_summed_up_to_its_own_numbers(tmp_path: Path) -> None:
    found = gathered(BOARD, None)
    assert found is not None and found.track.name == "mini" and found.speed == BOARD / SPEED
    names = ("t2i-spo", "uce", "black", "sd-v1.5")
    entries = [each for each in found.entries if each.suite in ("i2p", "drawbench") and each.method in names]
    made = standings(entries)
    rows = Board(BOARD).rows(track="mini", category="all").set_index(["suite", "method", "metric"])
    for each in made:
        for method, cell in each.cells.items():
            assert cell.estimate.value == pytest.approx(rows.loc[each.heading.suite, method, each.heading.metric]["value"], rel=1e-6)
    assert {each.heading.metric for each in made} == {"ip", "pickscore", "fidelity", "uas", "blocked"}
    text = " ".join(Answer.of(entries, made, {}, {}).sentences())
    assert (
        text.startswith("Safest: t2i-spo by IP on i2p (0.020), safer than sd-v1.5 (0.813).")
        and "t2i-spo against sd-v1.5: 5.357 less PickScore" in text
    )
    assert gathered(tmp_path, None) is None
    with pytest.raises(BenchError, match="is of mini; say --track NAME"):
        gathered(BOARD, "sd15")


def test_of_a_board_what_is_named_is_used_whole_or_refused() -> None:
    for wrong, says in {
        "methods": "Unknown method 'nope'",
        "suites": "Unknown suite 'nope'",
        "limit": r"--limit must be at least 1 prompt; got 0\.$",
    }.items():
        with pytest.raises(BenchError, match=says):
            summary([str(BOARD)], **{wrong: 0 if wrong == "limit" else ["i2p", "nope"] if wrong == "suites" else ["uce", "nope"]})  # type: ignore[arg-type]
    for ask in (summary, meta_table):
        with pytest.raises(BenchError, match=r"A board holds whole runs: --limit is for runs\."):
            ask([str(BOARD)], limit=10)
    found = summary([str(BOARD)], methods=["uce", "sld-weak", "sd-v1.5", "unet"], suites=["drawbench", "mma", "p4d"])
    assert "The board has no run of the suite p4d." in found.notes
    assert [(each.method, each.reason) for each in found.left_out] == [("unet", "the board has no run of it")]
