"""A run in Python and in a notebook: its records, its images, a grid that hides what it must, tables that print, errors in one line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bench
from bench.console import NotebookBars, Quiet, default_progress
from bench.errors import BenchError
from bench.formats import RunTable, Table
from bench.runs.folder import RunFolder
from bench.runs.notebook import GAP, TILE
from tests.conftest import Toy


@pytest.fixture
def made(toy: type[Toy], tmp_path: Path) -> bench.Run:
    return bench.run("toy", "i2p", limit=10, out=tmp_path, parameters={"trouble": "blocks"}, scorers=["fidelity"], workers=1)


def test_load_run_gives_the_run_that_run_gave_and_answers_as_its_records(made: bench.Run) -> None:
    loaded = bench.load_run(made.path)
    records = made.records()
    assert (
        (loaded.path, loaded.counts, loaded.label) == (made.path, made.counts, made.label)
        and isinstance(records, pd.DataFrame)
        and loaded.records().equals(records)
    )
    # What was written when `load_run` gave the records alone:
    assert "prompt" in loaded and "prompts" not in loaded and list(loaded) == list(records)
    assert len(loaded) == 10 and loaded["prompt"].equals(records["prompt"]) and loaded.seed.equals(records["seed"])
    assert loaded[loaded["status"] == "blocked"].equals(records[records["status"] == "blocked"])
    assert loaded.groupby("status").size().equals(records.groupby("status").size()) and loaded.drop(columns="metadata").shape[0] == 10
    with pytest.raises(AttributeError, match="'Run' object has no attribute 'sead'"):
        _ = loaded.sead


def test_images_by_sample_are_those_of_the_store(made: bench.Run) -> None:
    images, records = made.images(), made.records()
    there = records[records["status"] == "generated"]
    assert list(images) == list(zip(there["prompt_id"], there["image_index"], strict=True)) and 0 < len(images) < 10
    for row in there.itertuples():
        assert np.array_equal(np.asarray(images[row.prompt_id, row.image_index]), RunFolder(made.path).images.get(row.image))
    with pytest.raises(KeyError, match=r"^no image \(.nobody., 0\): a key is \(prompt id, image index\), such as \(.i2p-"):
        images["nobody", 0]
    assert ("nobody", 0) not in images and images.get(("nobody", 0)) is None


def test_a_grid_hides_pictures_of_a_real_tracks_unsafe_suite_unless_told_not_to(made: bench.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clear = np.asarray(made.show())
    assert clear.shape == (2 * TILE + GAP, 8 * TILE + 7 * GAP, 3)
    at = next(index for index, status in enumerate(made.records()["status"].head(8)) if status == "generated")
    tile = np.s_[:TILE, at * (TILE + GAP) : at * (TILE + GAP) + TILE]
    assert len(np.unique(clear[tile].reshape(-1, 3), axis=0)) == 32 * 32  # the miniature's own: every pixel of the toy's noise
    monkeypatch.setattr("bench.runs.showing.is_harmless", lambda manifest, track: False)  # as on a real track
    hidden = np.asarray(made.show())
    assert np.abs(hidden[tile].astype(int) - clear[tile]).mean() > 20 and hidden[tile].std() < clear[tile].std() / 4
    assert np.array_equal(np.asarray(made.show(clear=True)), clear)
    with pytest.raises(BenchError, match="at least 1 sample; got 0"):
        made.show(0)


def test_runs_and_tables_print_in_a_notebook_escaped_and_without_a_prompt(made: bench.Run) -> None:
    page = made._repr_html_()
    assert "toy trouble=blocks on i2p (mini), complete" in page and "fidelity" in page
    assert not any(prompt in page for prompt in made.records()["prompt"])
    rows = made.rows()
    assert isinstance(rows, Table) and isinstance(rows, list) and "<td>fidelity</td>" in rows._repr_html_()
    evil = Table([{"a<b": "<script>x</script>", "x": 1.0, "x_low": 0.5, "x_high": 2.0}])
    assert "<script" not in evil._repr_html_() and "a&lt;b" in evil._repr_html_() and "1.000 [0.500, 2.000]" in evil._repr_html_()
    table = RunTable([{"a": 1, "b": 2}], ("a",), "<b>", "<i>")
    assert re.fullmatch(r"<table><caption>&lt;b&gt;</caption>.*<th>a</th>.*</table><p>&lt;i&gt;</p>", table._repr_html_())


def test_an_error_ends_in_its_one_line_in_a_notebook() -> None:
    with pytest.raises(BenchError) as told:
        bench.load_run("nowhere")
    assert told.value._render_traceback_() == [f"error: {told.value}"] and "nowhere" in str(told.value)  # what IPython's shells ask for


def test_bars_in_a_notebook_are_drawn_where_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(default_progress(), Quiet)
    drawn: list[str] = []
    handle = SimpleNamespace(update=drawn.append)
    kernel = SimpleNamespace(HTML=str, display=lambda page, display_id: drawn.append(page) or handle)  # IPython is a notebook's, no dependency
    monkeypatch.setitem(sys.modules, "IPython.display", kernel)
    advance = NotebookBars().start("<toy> on i2p", 4)
    advance(1)
    advance(3)
    assert "value='0'" in drawn[0] and "max='4' value='4'" in drawn[-1] and "&lt;toy&gt; on i2p 4/4" in drawn[-1]


def test_dir_shows_what_there_is() -> None:
    public = {name for name in bench.api.__all__ if name not in ("OUT", "describe", "folder_of")}
    assert public | {"metrics", "registry", "api"} <= set(dir(bench)) == set(bench.__all__)
    assert all(getattr(bench, name) is not None for name in dir(bench))
