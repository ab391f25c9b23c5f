"""``bench fid`` on the miniature: one set of images as a run, a folder and statistics; what is kept, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import bench
from bench import registry
from bench.cli import app
from bench.errors import BenchError
from bench.fid.folder import image_files
from bench.fid.networks import find_network
from bench.fid.runs import run_features
from bench.fid.table import fid_table
from bench.files.signed import write_signed
from bench.runs.folder import RunFolder
from bench.scorers.miniature.clip_features import ClipMini
from bench.stats.distances import moments
from bench.tracks import load_track
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Outcome, Sample


class Grain(Method):
    """Noise from the sample's seed, some of it blocked."""

    info = MethodInfo("grain", Kind.FLOOR, "Noise from the sample's seed.", defaults={"range": 256, "blocks": 0})

    def load(self, context: Context) -> None:
        pass

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        return [self._one(sample) for sample in samples]

    def _one(self, sample: Sample) -> Outcome:
        if sample.seed % 100 < self.parameters["blocks"]:
            return Blocked("on purpose")
        pixels = np.random.default_rng(sample.seed).integers(self.parameters["range"], size=(4, 4, 3), dtype=np.uint8)
        return Generated(pixels.repeat(8, axis=0).repeat(8, axis=1))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Finished runs: bright grain, dark grain, one with blocked images, and one that is too small. For reading only."""
    registry.methods.register("grain", Grain)
    out = tmp_path_factory.mktemp("runs")
    wanted = {"bright": ({}, 160), "dark": ({"range": 128}, 150), "blocked": ({"blocks": 20}, 200), "small": ({}, 99)}
    yield {
        name: bench.run("grain", "coco30k", parameters=parameters, limit=limit, out=out / name, scorers=["clip_mini"], workers=1).path
        for name, (parameters, limit) in wanted.items()
    }
    registry.methods.unregister("grain")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "features"


def numbers(run: Path, against: Path, **options: bool) -> list[float]:
    return [row["value"] for row in fid_table(run, against, **options).rows]


def features(run: Path) -> np.ndarray:
    return run_features(RunFolder.open(run), ClipMini, blocked_as_black=True).features.values


def test_rows_say_what_was_compared_and_how(runs: dict[str, Path]) -> None:
    done = CliRunner().invoke(app, ["fid", str(runs["bright"]), "--against", str(runs["dark"]), "--format", "json", "--quiet"])
    rows = json.loads(done.stdout)
    assert [row["metric"] for row in rows] == ["fd_clip_mini", "kd_clip_mini"]  # never by the names of FID and KID
    for row in rows:
        assert row["value_low"] < row["value"] < row["value_high"] and row["value_low"] > 0
        assert (row["n"], row["prompts"], row["n_reference"], row["excluded"], row["excluded_reference"]) == (160, 160, 150, 0, 0)
        assert row["rules"] == "proxy" and len(row["weights_sha256"]) == 64 and row["network"] == f"the miniature's CLIP {row['weights_sha256'][:8]}"
        assert row["preparation"] and row["interval"] == "jackknife, 20 groups of prompts"
    shown = CliRunner().invoke(app, ["fid", str(runs["bright"]), "--against", str(runs["dark"]), "--quiet"]).stdout
    said = " ".join(shown.split())
    assert rows[0]["weights_sha256"] in said and "values at different n do not compare" in said and "is a proxy" in said


def test_a_run_its_folder_of_images_and_its_statistics_are_one_reference(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    as_run = numbers(runs["bright"], runs["dark"])
    as_folder = fid_table(runs["bright"], runs["dark"] / "images")
    assert [row["value"] for row in as_folder.rows] == pytest.approx(as_run, rel=1e-6)
    assert all(row["n_reference"] == 150 and row["interval"].endswith("the reference held fixed") for row in as_folder.rows)
    found = moments(features(runs["dark"]))
    np.savez(tmp_path / "dark.npz", mu=found.mean, sigma=found.covariance)
    as_statistics = fid_table(runs["bright"], tmp_path / "dark.npz")
    assert [row["value"] for row in as_statistics.rows] == pytest.approx(as_run[:1], rel=1e-6)
    assert as_statistics.rows[0]["n_reference"] is None and "does not say of how many images" in as_statistics.caption


def test_features_are_what_the_scorer_gives_in_the_order_of_samples(runs: dict[str, Path]) -> None:
    folder = RunFolder.open(runs["blocked"])
    scorer = ClipMini(**load_track("mini").scorers["clip_mini"])
    scorer.load(Context(load_track("mini")))
    found = run_features(folder, ClipMini, blocked_as_black=True)
    for index in (0, 7, 199):
        row = folder.samples().to_pylist()[index]
        image = np.zeros((32, 32, 3), np.uint8) if row["image"] is None else folder.images.get(row["image"])
        np.testing.assert_array_equal(found.features.values[index], np.float32(scorer.features(image)))
        assert found.features.clusters[index] == row["prompt_id"]
    statuses = [row["status"] for row in folder.samples().to_pylist()]
    delivered = run_features(folder, ClipMini, blocked_as_black=False)
    assert delivered.excluded == statuses.count("blocked") > 10
    np.testing.assert_array_equal(delivered.features.values, found.features.values[[status == "generated" for status in statuses]])


def test_blocked_images_are_black_or_left_out(runs: dict[str, Path]) -> None:
    black, delivered = (fid_table(runs["blocked"], runs["bright"], blocked_as_black=each) for each in (True, False))
    assert black.rows[0]["value"] > delivered.rows[0]["value"]
    assert black.rows[0]["n"] == 200 == delivered.rows[0]["n"] + delivered.rows[0]["excluded"]
    assert f"left out: {delivered.rows[0]['excluded']}" in delivered.caption


def test_a_folders_features_are_kept_and_only_what_is_missing_is_made(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(runs["dark"] / "images", pictures)
    first = numbers(runs["bright"], pictures)
    kept = sorted(data.rglob("*.parquet"), key=lambda file: file.stat().st_mtime_ns)
    assert len(kept) == 3  # 150 images in chunks of 64
    kept[0].unlink()  # as if the first try had been interrupted
    kept[1].write_bytes(kept[1].read_bytes()[:-100])  # or a file damaged
    before = kept[2].stat().st_mtime_ns
    assert numbers(runs["bright"], pictures) == first
    assert len(list(data.rglob("*.parquet"))) == 3 and kept[2].stat().st_mtime_ns == before
    last = image_files(pictures)[-1]
    Image.new("RGB", (50, 20), "red").save(last)  # other content under a known name
    assert numbers(runs["bright"], pictures) != first
    assert len(list(data.rglob("*.parquet"))) == 4


def test_every_kind_of_picture_is_read(runs: dict[str, Path], tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(runs["dark"] / "images", pictures)
    for name, mode in (("grey.JPG", "L"), ("clear.png", "RGBA"), ("inner/print.jpeg", "CMYK"), ("palette.bmp", "P")):
        (pictures / name).parent.mkdir(exist_ok=True)
        Image.new(mode, (40, 30)).save(pictures / name)
    (pictures / "notes.txt").write_text("no picture")
    for hidden in (".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/inner/a.png", "._palette.png"):
        (pictures / hidden).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(pictures / hidden)
    assert fid_table(runs["bright"], pictures).rows[0]["n_reference"] == 154
    Image.new("RGB", (40, 30)).save(pictures / "moving.gif")
    with pytest.raises(BenchError, match=r"holds 1 images of other forms, first moving\.gif"):
        fid_table(runs["bright"], pictures)


def test_too_few_images_are_refused_before_anything_is_computed(runs: dict[str, Path], data: Path) -> None:
    refused = "fd_clip_mini over 128 features takes more than 128 images a side.*has 99. Use more, or take kd_clip_mini alone: --no-fid"
    with pytest.raises(BenchError, match=refused):
        fid_table(runs["small"], runs["bright"])
    with pytest.raises(BenchError, match=refused):
        fid_table(runs["bright"], runs["small"] / "images")
    with pytest.raises(BenchError, match=r"kd_clip_mini takes at least 100 images a side.*has 99\. Use more, or leave it out: --no-kid"):
        fid_table(runs["bright"], runs["small"] / "images", fid=False)
    assert not data.exists()
    assert len(numbers(runs["bright"], runs["dark"], fid=False)) == 1


def test_what_is_no_reference_is_refused_in_one_line(runs: dict[str, Path], tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (tmp_path / "notes.txt").write_text("nothing")
    for against, says in (
        (pictures, "holds neither a run nor images"),
        (tmp_path / "nowhere", "is no run folder, no folder of images and no .npz file"),
        (tmp_path / "notes.txt", "is no run folder, no folder of images and no .npz file"),
    ):
        with pytest.raises(BenchError, match=says):
            fid_table(runs["bright"], against)
    shutil.copytree(runs["dark"] / "images", pictures, dirs_exist_ok=True)
    (pictures / "a.png").write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"a\.png is no readable image: .*run the same command again") as caught:
        fid_table(runs["bright"], pictures)
    assert "\n" not in str(caught.value)


BROKEN = {
    "no zip": (b"nothing", "is no file of statistics"),
    "no sigma": ({"mu": np.zeros(128)}, "sigma"),
    "objects": ({"mu": np.array([{}] * 128), "sigma": np.eye(128)}, "is no file of statistics"),
    "other network": ({"mu": np.zeros(2048), "sigma": np.eye(2048)}, r"`mu` has shape \(2048,\) .*expected \(128,\)"),
    "not finite": ({"mu": np.full(128, np.nan), "sigma": np.eye(128)}, "finite"),
    "not symmetric": ({"mu": np.zeros(128), "sigma": np.tri(128)}, "symmetric"),
    "negative": ({"mu": np.zeros(128), "sigma": -np.eye(128)}, "diagonal"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_of_statistics_is_refused(case: str, runs: dict[str, Path], tmp_path: Path) -> None:
    content, says = BROKEN[case]
    file = tmp_path / "reference.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.savez(file, **content)
    with pytest.raises(BenchError, match=f"reference.npz.*{says}") as caught:
        fid_table(runs["bright"], file)
    assert "\n" not in str(caught.value)


def test_statistics_have_no_kernel_distance(runs: dict[str, Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "reference.npz", mu=np.zeros(128), sigma=np.eye(128))
    with pytest.raises(BenchError, match=r"holds their mean and covariance alone. Leave out --kid"):
        fid_table(runs["bright"], tmp_path / "reference.npz", kid=True)
    with pytest.raises(BenchError, match="Neither distance"):
        fid_table(runs["bright"], tmp_path / "reference.npz", fid=False)


def test_a_run_without_the_features_or_with_others_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    bare = shutil.copytree(runs["dark"], tmp_path / "bare")
    RunFolder(bare).update_manifest(scorers={})
    with pytest.raises(BenchError, match=f"lacks features of clip_mini. Run: bench score {bare} --scorer clip_mini"):
        fid_table(bare, runs["bright"])
    bench.api.score(bare, ["clip_mini"], workers=1)
    assert numbers(bare, runs["bright"]) == numbers(runs["dark"], runs["bright"])
    other = "0" * 64
    RunFolder(bare).update_manifest(scorers={"clip_mini": other})
    scores = next((bare / "scores").iterdir()).rename(bare / "scores" / f"clip_mini-{other[:8]}")
    for file in scores.glob("*.json"):
        write_signed(file, {name: value for name, value in json.loads(file.read_text()).items() if name != "sha256"} | {"fingerprint": other})
    with pytest.raises(BenchError, match=r"scored with different weights or versions of clip_mini. Score both again"):
        fid_table(bare, runs["bright"])
    with pytest.raises(BenchError, match="other weights or another version than the track mini has now"):
        fid_table(bare, runs["bright"] / "images")
    next((bare / "units").glob("*.json")).unlink()
    with pytest.raises(BenchError, match=r"is incomplete: .* of 150 images are not there"):
        fid_table(bare, runs["bright"])


def test_a_network_is_the_tracks_unless_another_is_named() -> None:
    mini = load_track("mini")
    assert find_network(mini) is ClipMini and find_network(load_track("sd15")).info.name == "inception"
    with pytest.raises(BenchError, match=r"The scorer 'fidelity' keeps no features. Scorers that do: clip_mini, inception"):
        find_network(mini, "fidelity")
    with pytest.raises(BenchError, match="has no scorer that keeps features"):
        find_network(mini.model_copy(update={"scorers": {}}))


@pytest.mark.parametrize(("track", "name"), [("mini", "clip_mini"), ("sd15", "inception"), ("sdxl", "inception")])
def test_features_are_kept_by_default_on_coco_alone(track: str, name: str) -> None:
    on = load_track(track).scorers_on
    assert name in on("coco30k") and name not in on("i2p") and set(on("i2p")) | {name} == set(load_track(track).scorers)
