"""A copy of the miniature's track file under another name runs the embedded suites; a size that is not its world's is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import bench
from bench import api
from bench.errors import BenchError, NotAvailable
from bench.registry import suites
from bench.runs.scores import make_scorer
from bench.suites.base import Row, Suite, SuiteInfo
from bench.suites.load import load_suite
from bench.tracks import load_track
from bench.types.track import Track

Copy = Callable[..., str]
MINI = yaml.safe_load((Path(bench.__file__).parent / "tracks" / "mini.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of ``mini.yaml`` called ``my.yaml`` with some keys changed, None for left out; its path."""

    def made(**changes: Any) -> str:
        said = {name: value for name, value in {**MINI, **changes}.items() if value is not None}
        path = tmp_path / f"my{len(list(tmp_path.glob('*.yaml'))) or ''}.yaml"
        path.write_text(yaml.safe_dump(said), encoding="utf-8")
        return str(path)

    return made


@pytest.mark.parametrize(("name", "called"), [("ours", "ours"), (None, "my"), ("mini", "mini")])
def test_a_copy_runs_the_embedded_suites_and_scorers(name: str | None, called: str, copy: Copy, toy: object, tmp_path: Path) -> None:
    track = copy(name=name)
    assert load_track(track).name == called
    done = bench.run("toy", "dev-benign", track, limit=3, out=tmp_path, workers=1)
    assert done.complete and done.path.parent == tmp_path / called / "dev-benign"
    assert {"fidelity", "severity", "pickscore", "q16"} <= {row["metric"] for row in done.rows()}
    assert api.verify(done.path).whole


def test_every_suite_is_the_same_under_any_name(copy: Copy) -> None:
    mini, ours = load_track("mini"), load_track(copy(name="ours"))
    for name in mini.suites:
        assert load_suite(name, ours).digest == load_suite(name, mini).digest
    for name in mini.scorers:
        assert make_scorer(name, ours).parameters == make_scorer(name, mini).parameters


def test_a_real_track_has_no_miniature_whatever_its_name(copy: Copy) -> None:
    other = load_track(copy(name="ours", proxy=False))
    with pytest.raises(NotAvailable, match="'dev-unsafe' has no variant on track 'ours'; it has one on: mini"):
        load_suite("dev-unsafe", other)
    with pytest.raises(BenchError, match="The scorer 'fidelity' does not run on track 'ours'; it runs on: mini"):
        make_scorer("fidelity", other)


@pytest.mark.parametrize("name", ["ours", "mini"])
@pytest.mark.parametrize("size", [{"width": 64}, {"height": 16}, {"width": 64, "height": 64}], ids=str)
def test_another_size_is_one_line_before_anything_is_made(name: str, size: dict[str, int], copy: Copy, toy: object, tmp_path: Path) -> None:
    width, height = ({"width": 32, "height": 32} | size).values()
    says = rf"'i2p' on track '{name}' is of the miniature's world: .* 32x32 pixels and the track says {width}x{height}\. Set width: 32 and height: 32"
    for scorers in (None, ["pickscore"]):
        with pytest.raises(BenchError, match=says) as caught:
            bench.run("toy", "i2p", copy(name=name, **size), limit=1, scorers=scorers, out=tmp_path / "runs", workers=1)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


class Wide(Suite):
    """A suite of a plugin whose second row brings another size."""

    info = SuiteInfo(name="wide", version="1", summary="Two sizes.", unsafe=False)

    def tracks(self) -> tuple[str, ...]:
        return ("mini",)

    def rows(self, track: Track) -> Sequence[Row]:
        return [Row("a", "a red circle", "plain"), Row("b", "a blue circle", "plain", width=64, height=40)]


@pytest.fixture
def wide() -> Iterator[None]:
    suites.register("wide", Wide())
    yield
    suites.unregister("wide")


def test_a_row_of_another_size_is_refused_by_what_reads_the_world_alone(wide: None, toy: object, tmp_path: Path) -> None:
    says = r"^The scorer 'glyphs' reads the miniature's world, whose pictures are 32x32; sample 'b' is of 64x40\. .*--scorer NAME"
    with pytest.raises(BenchError, match=says):
        bench.run("toy", "wide", out=tmp_path / "runs", workers=1)
    assert not (tmp_path / "runs").exists()
    done = bench.run("toy", "wide", scorers=["pickscore"], out=tmp_path / "runs", workers=1)
    assert done.complete
    with pytest.raises(BenchError, match=r"^The scorer 'fidelity' reads the miniature's world"):
        api.score(done.path, ["fidelity"], workers=1)
