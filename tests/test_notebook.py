"""The notebook of the docs runs, cell by cell, as it stands; what its cells show prints as a notebook prints it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell in ``names`` and return the value of its last expression, which a notebook shows; None where it does not end in one."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names) if isinstance(last, ast.Expr) else None


def test_every_cell_runs_and_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run_cell("".join(cell["source"]), names) for cell in CELLS if cell["cell_type"] == "code"]
    assert names["base"].complete and names["filtered"].label == "with the filter" and names["swept"].complete
    assert names["swept"].runs[0].path == names["base"].path  # as the text says: at scale 0 it is the base's run
    pages = [each._repr_html_() for each in shown if hasattr(each, "_repr_html_")]
    assert len(pages) >= 4 and all("<table" in page for page in pages)
    assert sum(hasattr(each, "_repr_png_") for each in shown) == 2
    assert "Unknown method 'sld-medum'. Did you mean 'sld-medium'" in capsys.readouterr().out


def test_the_notebook_ships_without_outputs() -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in CELLS if cell["cell_type"] == "code")
