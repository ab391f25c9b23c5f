"""Images made elsewhere, as a run: the same rows as where they were made, resumable, proven, and refused before anything is written."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import bench
from bench import registry
from bench.engine.imported import METHOD, import_images
from bench.errors import BenchError
from bench.metrics.catalogue import HARM
from bench.reports.comparison import compare
from bench.reports.run_tables import report_table
from bench.runs.find import Run, command, describe, find_run, load_run
from bench.runs.folder import RunFolder
from bench.runs.images import Pixels
from bench.runs.imported import IMPORTED, brought_in_words
from bench.runs.regenerate import regenerate
from bench.runs.spec import RunSpec
from bench.runs.verify import verify
from bench.suites.own.place import KEPT
from bench.types import Context, Sample, Scorer, ScorerInfo
from tests.bench.engine.conftest import equal
from tests.conftest import Toy

SCORERS = ["glyphs", "q16", "fidelity"]
LIMIT = 40


class Size(Scorer):
    """Reads images of any size."""

    info = ScorerInfo("size", "Pixels of an image.", {"size": "pixels"}, "better")

    def load(self, context: Context) -> None:
        """Read nothing."""

    def score(self, images: Sequence[Pixels], samples: Sequence[Sample]) -> list[dict[str, float]]:
        return [{"size": float(image.shape[0] * image.shape[1])} for image in images]


@pytest.fixture
def size() -> Iterator[None]:
    """The scorer, registered for one test."""
    registry.scorers.register("size", Size)
    yield
    registry.scorers.unregister("size")


@pytest.fixture
def made(toy: type[Toy], tmp_path: Path) -> Run:
    """A finished run of the toy, some of it blocked."""
    return bench.run("toy", "i2p", limit=LIMIT, parameters={"trouble": "blocks"}, scorers=SCORERS, out=tmp_path / "runs", workers=1)


def exported(run: Run, folder: Path, ending: str = "png", **options: Any) -> Path:
    """Write a run's images into a folder, and its refusals into a list beside them."""
    folder.mkdir()
    store = RunFolder(run.path)
    with (folder / "list.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["prompt_id", "image_index", "path", "refusal"])
        for row in store.samples().to_pylist():
            name = f"{row['prompt_id']}.{ending}" if row["image"] else ""
            if name:
                Image.fromarray(store.images.get(row["image"])).save(folder / name, **options)
            lines.writerow([row["prompt_id"], row["image_index"], name, row["reason"] or ""])
    return folder


def brought(source: Path, name: str = "other", limit: int | None = LIMIT, **options: Any) -> Run:
    return import_images(source, "i2p", name, limit=limit, scorers=SCORERS, out=_beside(source) / "runs", workers=1, **options)


def _beside(source: Path) -> Path:
    return source.parent.parent if source.suffix else source.parent


def numbers(run: Run) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in ("run", "method")} for row in run.rows()]


def files(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def test_a_runs_own_images_imported_again_give_the_same_rows(made: Run, tmp_path: Path) -> None:
    folder = exported(made, tmp_path / "images")
    run = brought(folder / "list.csv")
    assert run.spec.method == "imported:other"
    assert run.complete and run.finished and run.counts == made.counts and run.counts["blocked"]
    assert numbers(run) == numbers(made)
    before = files(run.path)
    again = brought(folder / "list.csv")
    assert again.path == run.path and files(run.path) == before
    other = (folder / "list.csv").rename(folder / "renamed.csv")
    assert brought(other).path == run.path
    said = RunFolder(run.path).manifest()
    assert brought_in_words(said, run.counts, run.samples).startswith(f"renamed.csv: {run.counts['generated']} image(s) of 32x32")
    assert files(run.path).keys() == before.keys() and verify(run.path).whole
    assert all(row["difference"] in (0, None) for row in compare([str(made.path), "imported:other"], "i2p", out=tmp_path / "runs"))


def test_as_jpeg_they_give_nearly_the_same_and_are_another_run(made: Run, tmp_path: Path) -> None:
    plain, jpeg = (
        exported(made, tmp_path / ending, ending, **options) for ending, options in (("png", {}), ("jpg", {"quality": 95, "subsampling": 0}))
    )
    first, second = brought(plain / "list.csv"), brought(jpeg / "list.csv")
    assert first.path != second.path
    ours, theirs = ({row["metric"]: row["value"] for row in numbers(run) if row["category"] == "all"} for run in (first, second))
    assert ours.keys() == theirs.keys() and ours["blocked"] == theirs["blocked"]
    assert ours != theirs
    assert theirs["q16"] == pytest.approx(ours["q16"], abs=0.1)
    with pytest.raises(BenchError, match=r"There are 2 imports called imported:other on i2p: .*Give the folder of one\."):
        find_run("imported:other", RunSpec("imported:other", "i2p", limit=LIMIT), tmp_path / "runs")


def test_missing_images_are_counted_and_fatal_to_nothing(made: Run, tmp_path: Path) -> None:
    folder = exported(made, tmp_path / "images")
    (folder / "list.csv").unlink()  # so that the blocked ones are missing
    gone = sorted(folder.glob("*.png"))[:16]
    for path in gone:
        path.unlink()
    run = brought(folder)
    lacking = LIMIT - made.counts["generated"] + len(gone)
    assert run.counts["missing"] == lacking and not run.complete and run.finished
    table = report_table([run])
    assert {(row["complete"], row["missing"]) for row in table.rows} == {(False, lacking)}
    assert f"{lacking} of {LIMIT} images were not brought" in table.caption
    assert "is imported: its images were made elsewhere, of 32x32 (" in table.caption
    assert brought(folder).path == run.path
    part = describe(RunFolder(run.path), replace(run.spec, limit=LIMIT // 2))
    assert f"{part.counts['missing']} of {LIMIT // 2} images were not brought" in report_table([part]).caption
    proof = verify(run.path)
    assert proof.whole and proof.absent == lacking
    rows = compare([str(made.path), "imported:other"], "i2p", out=tmp_path / "runs")
    assert {row["pairs"] for row in rows if row["metric"] == HARM} == {None, run.counts["generated"]}


def test_an_import_that_was_killed_is_mended_by_the_same_command(made: Run, tmp_path: Path) -> None:
    folder = exported(made, tmp_path / "images")
    run = brought(folder / "list.csv")
    before, found = run.records().drop(columns="glyphs_detections"), numbers(run)  # arrays in lists do not compare
    store = RunFolder(run.path)
    units = store.marked_units()
    store.reopen(units[0])
    (run.path / "samples" / f"{units[-1]:05d}.parquet").unlink()
    again = brought(folder / "list.csv")
    assert again.path == run.path and again.complete
    assert equal(again.records().drop(columns="glyphs_detections"), before)
    assert numbers(again) == found
    (run.path / "manifest.json").unlink()
    brought(folder / "list.csv")
    assert verify(run.path).whole and IMPORTED in RunFolder(run.path).manifest()


def test_verify_proves_what_was_brought(made: Run, tmp_path: Path) -> None:
    run = brought(exported(made, tmp_path / "images") / "list.csv")
    assert verify(run.path).whole
    with pytest.raises(BenchError, match="were made elsewhere, so none can be made again here"):
        regenerate(run.path, 1)
    store = RunFolder(run.path)
    said = store.manifest()[IMPORTED]
    store.update_manifest(**{IMPORTED: {**said, "sizes": {"64x64": 1}}})
    assert any("and not of {'64x64': 1}" in each for each in verify(run.path).manifest)
    store.update_manifest(**{IMPORTED: said})
    unit = store.marked_units()[0]
    rows = store.unit_rows(unit)
    store.commit_unit(unit, rows[1:], 0.0)
    assert "its images are not those that its id is the hash of" in verify(run.path).manifest


def test_nothing_can_be_generated_under_such_a_name(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="The images of imported:x were made elsewhere: bring them with `bench import"):
        bench.run("imported:x", "i2p", limit=4, out=tmp_path / "runs", workers=1)
    assert not (tmp_path / "runs").exists()


def test_several_images_a_prompt(draw: Callable[..., Path], tmp_path: Path) -> None:
    folder = draw("i2p-0000_0.png", "i2p-0000_1.png", "i2p-0001_0.png", "i2p-0001_1.png", size=(32, 32))
    run = brought(folder, limit=2)
    assert run.complete and run.samples == 4
    assert sorted(run.records()["image_index"]) == [0, 0, 1, 1]


@pytest.mark.usefixtures("size")
def test_the_same_images_of_other_prompts_or_declarations_are_another_run(draw: Callable[..., Path], tmp_path: Path) -> None:
    folder, mine = draw("a0.png", "a1.png"), tmp_path / "mine.csv"

    def imported(*, benign: bool = False) -> Run:
        return import_images(folder, str(mine), "x", benign=benign, scorers=["size"], out=tmp_path / "runs", workers=1)

    mine.write_text("id,prompt\na0,a cat\na1,a dog\n")
    runs = [imported(benign=True), imported()]
    mine.write_text("id,prompt\na0,a cat\na1,a cow\n")
    runs.append(imported())
    assert len({run.path for run in runs}) == 3
    assert f"bench import FOLDER --suite {runs[0].path / KEPT} --track mini --as x" in command(load_run(runs[0].path).spec)
    assert f"bench import FOLDER --suite {mine} --benign --track mini --as x" in command(RunSpec("imported:x", str(mine), benign=True))
    for run in runs:
        assert run.complete and run.counts["generated"] == 2 and IMPORTED in RunFolder(run.path).manifest()
    store = RunFolder(runs[-1].path)
    for unit in store.marked_units():  # what such an import once left: a manifest alone
        (store.path / "units" / f"{unit:05d}.json").unlink()
        (store.path / "samples" / f"{unit:05d}.parquet").unlink()
    store.write_manifest({name: value for name, value in store.manifest().items() if name != IMPORTED})
    again = imported()
    assert again.path == store.path and again.complete and IMPORTED in store.manifest()


@pytest.mark.usefixtures("size")
def test_other_sizes_are_stated_and_scored_by_what_reads_them(draw: Callable[..., Path], tmp_path: Path) -> None:
    folder = draw("i2p-0000.png", "i2p-0001.png", size=(48, 64))
    with pytest.raises(BenchError, match=r"'glyphs' reads the miniature's world, whose pictures are 32x32; i2p-0000\.png is of 48x64"):
        brought(folder, limit=2)
    assert not (tmp_path / "runs").exists()
    run = import_images(folder, "i2p", "wide", limit=2, scorers=["size"], out=tmp_path / "runs", workers=1)
    assert RunFolder(run.path).manifest()[IMPORTED]["sizes"] == {"48x64": 2}
    assert run.records()["size"].tolist() == [48 * 64, 48 * 64]
    with pytest.raises(BenchError, match=r"2 imported image\(s\) is of 48x64"):
        bench.api.score(run.path, ["glyphs"])
    assert describe(RunFolder.open(run.path)).complete


@pytest.mark.parametrize("name", ["a/b", "", " ", "x" * 41, "uce", "UCE", METHOD, "imported:x", "über", ".x", "a b"])
def test_odd_names_are_refused(name: str, draw: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--as") as caught:
        brought(draw("i2p-0000.png", size=(32, 32)), name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def torn(folder: Path) -> None:
    for name in ("i2p-0000.png", "i2p-0001.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:99])


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "corrupt": (torn, r"i2p-0000\.png is no readable image.*So it is with 1 more file"),
    "not an image": (lambda folder: (folder / "i2p-0000.png").write_text("x"), "is no readable image"),
    "empty": (emptied, "holds no image"),
    "gone": (lambda folder: folder.rename(folder.with_name("elsewhere")), "There is no"),
    "another prompt set": (lambda folder: (folder / "i2p-0000.png").rename(folder / "coco-1.png"), "1 of 2 images name no prompt of i2p"),
    "beyond the limit": (lambda folder: [path.rename(path.with_stem(f"i2p-069{n}")) for n, path in enumerate(folder.iterdir())], "beyond --limit"),
    "grey of 16 bits": (lambda folder: Image.fromarray(np.zeros((32, 32), np.uint16)).save(folder / "i2p-0000.png"), "grey image of 16 bits"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused_leaves_nothing_on_the_disk(case: str, draw: Callable[..., Path], tmp_path: Path) -> None:
    folder = draw("i2p-0000.png", "i2p-0001.png", size=(32, 32))
    spoil, says = BAD[case]
    spoil(folder)
    with pytest.raises(BenchError, match=says) as caught:
        brought(folder, limit=2)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_neither_folder_nor_list(draw: Callable[..., Path]) -> None:
    with pytest.raises(BenchError, match="is neither a folder of images nor a list of them"):
        brought(draw("i2p-0000.png") / "i2p-0000.png")
    with pytest.raises(BenchError, match="--by is id or order; got 'name'"):
        brought(draw("i2p-0000.png"), by="name")


@pytest.mark.slow
def test_the_miniatures_own_images_imported_again_give_the_same_rows(tmp_path: Path) -> None:
    run = bench.run("sd-v1.5", "i2p", limit=16, out=tmp_path / "runs", workers=1)
    folder = exported(run, tmp_path / "images")
    again = import_images(folder, "i2p", "other", limit=16, out=tmp_path / "runs", workers=1)
    assert numbers(again) == numbers(run)
