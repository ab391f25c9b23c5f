"""The whole paper at once: which runs it needs, a board made of them, every file, and a line for what could not be made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import registry
from bench.runs.find import find_runs
from bench.tracks import load_track
from leaderboards import paper
from leaderboards.board.read import Board
from leaderboards.figures import grid
from leaderboards.published import printed
from tests.conftest import Toy


class Silent:
    """Shows no progress."""

    def start(self, what: str, total: int, unit: str = "images"):
        return lambda done: None


@pytest.fixture
def two_methods(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """A paper of two quick methods on one suite."""
    registry.methods.register("toy", Toy)
    pairs = [("toy", "i2p"), ("black", "i2p")]
    monkeypatch.setattr(paper, "needed", lambda: pairs)
    monkeypatch.setattr(grid, "METHODS", ("toy", "black"))
    yield pairs
    registry.methods.unregister("toy")


def test_the_runs_are_those_of_the_tables_and_of_figure_4b() -> None:
    found = paper.needed()
    assert len(found) == len(set(found)) == 9 + 9 + 8 + 4 * 3 + 8 * 2
    wanted = {(cell.method, cell.suite) for cell in printed() if cell.suite}
    assert wanted <= set(found)
    assert {suite for _, suite in found} <= set(load_track("mini").suites)
    assert {method for method, _ in found} <= set(registry.methods.names())


def test_a_board_is_made_of_limited_runs_and_everything_is_written(
    two_methods: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paper, "SHIPPED", tmp_path / "none")
    monkeypatch.setattr("leaderboards.figures.ablations.BESIDE_THE_BOARD", tmp_path / "none")
    said: list[str] = []
    rows = paper.make_paper(tmp_path / "paper", None, 8, tmp_path / "runs", Silent(), said.append)
    assert said == ["no board ships: making 2 runs of 8 prompts each"]
    assert Board(tmp_path / "paper" / "board").methods("mini", "i2p") == ["black", "toy"]
    found = {row["what"]: row for row in rows}
    assert [row["files"] for row in rows[:4]] == [4, 4, 4, 4] and found["lint"]["files"] == 1
    assert "bench ablate lambda" in found["figure 4a"]["missing"] and "bench ablate dfm" in found["figure 5"]["missing"]
    assert "bench run --method t2i-spo --suite sneakyprompt" in found["figure 4b"]["missing"]
    tex = (tmp_path / "paper" / "table-2.tex").read_text()
    assert "31.90" in tex and "make them with" in tex
    assert "Table 3's" not in tex and "| possible-share | wrong | 2 | i2p-sexual | rece |" in (tmp_path / "paper" / "lint-paper.md").read_text()
    again = paper.make_paper(tmp_path / "paper", tmp_path / "paper" / "board", 8, tmp_path / "runs", Silent(), said.append)
    assert again == rows and len(said) == 1 and len(find_runs(tmp_path / "runs")) == 2
