"""``bench parity``: real comparisons at small size, and that a difference is seen and said."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image as Pillow

from bench.cli.parity import Parity, parity
from bench.errors import BenchError, NotAvailable
from bench.files.locations import resolve
from bench.parity import clipscore, generation, nudenet
from bench.parity.comparison import Line, Options, difference, verdict
from bench.parity.located import clip_folder, located
from bench.parity.pictures import PROMPTS, drawings, pictures
from bench.parity.preference import _vocabulary
from bench.parity.run import COMPARISONS, compare
from bench.runs.spec import DTYPES
from bench.scorers.nudenet import NudeNet
from bench.tracks import load_track

MINI = load_track("mini")
LINE = Line("hpsv2", "100 x cosine", "a", "", 20.0, 20.0, 1e-4, "hpsv2 1.2.0", "random", 0.0)


def test_every_scorer_that_the_command_names_is_there() -> None:
    assert {str(each) for each in Parity} == {*COMPARISONS, "all"}


def test_nudenet_agrees_with_its_package_on_drawings_of_which_one_holds_a_face(tmp_path: Path) -> None:
    pytest.importorskip("nudenet")
    given = pictures(None, (), tmp_path)[3:8]
    lines = nudenet.compare_nudenet(given, tmp_path, Options(MINI))
    assert all(line.agrees for line in lines)
    assert {line.what for line in lines} == {"boxes", "score of a box", "network's scores"}
    assert sum(line.ours for line in lines if line.what == "boxes") >= 1
    assert sum(line.what == "boxes" for line in lines) == len(given)


@pytest.mark.parametrize("fault", ["score", "box", "class", "missing"])
def test_a_box_that_is_another_is_a_difference(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nudenet")
    score = NudeNet.score

    def faulty(self: NudeNet, images: list[object], samples: list[object]) -> list[dict[str, list[dict[str, object]]]]:
        rows = [dict(row) for row in score(self, images, samples)]  # type: ignore[arg-type]
        changes = {"score": {"score": 0.3}, "box": {"box": [0.0, 0.0, 9.0, 9.0]}, "class": {"class": "FACE_MALE"}}
        return [{"detections": [{**box, **changes[fault]} for box in row["detections"]] if fault in changes else []} for row in rows]

    monkeypatch.setattr(NudeNet, "score", faulty)
    face = [picture for picture in pictures(None, (), tmp_path) if picture.name == "face 300x450"]
    apart = [line for line in nudenet.compare_nudenet(face, tmp_path, Options(MINI)) if not line.agrees]
    assert [(line.what, line.difference > 0.2) for line in apart] == [("score of a box" if fault == "score" else "boxes", True)]


def test_clipscore_agrees_with_transformers_own_forward_pass(tmp_path: Path) -> None:
    lines = compare("clipscore", pictures(None, (), tmp_path), tmp_path, Options(load_track("sd15")))
    assert [line.scorer for line in lines] == ["clipscore_mini"] * len(drawings())
    assert all(line.agrees for line in lines)
    assert np.std([line.ours for line in lines]) > 5
    assert [line.prompt for line in lines[: len(PROMPTS)]] == list(PROMPTS)


def test_another_prompt_on_one_side_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipscore, "one", lambda scorer, image, prompt: clipscore_of(scorer, image, f"{prompt} glass"))
    from bench.parity.located import one as clipscore_of

    lines = compare("clipscore", pictures(None, ("a red circle",), tmp_path)[:2], tmp_path, Options(MINI))
    assert not any(line.agrees for line in lines)


def test_generation_gives_the_bits_of_diffusers_from_a_rows_own_seed(tmp_path: Path) -> None:
    lines = compare("generation", pictures(None, (), tmp_path), tmp_path, Options(load_track("sd15")))
    assert {line.what for line in lines} == {f"mean level, {dtype}" for dtype in DTYPES} and len(lines) == 12
    assert all(line.agrees for line in lines) and np.std([line.ours for line in lines]) > 5


def test_another_seed_on_one_side_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from methods import sampler

    monkeypatch.setattr(sampler, "generator", lambda sample: torch.Generator("cpu").manual_seed(sample.seed ^ 1))
    monkeypatch.setattr(generation, "DTYPES", ("float32",))
    lines = compare("generation", pictures(None, (), tmp_path)[:2], tmp_path, Options(MINI))
    assert len(lines) == 2 and not any(line.agrees for line in lines)


@pytest.mark.parametrize("solved_in_half", [False, True])
def test_a_closed_form_is_as_far_from_its_solution_as_casting_is(solved_in_half: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from methods.finetuned import ClosedForm

    if solved_in_half:
        monkeypatch.setattr(ClosedForm, "load", lambda self, context: self.solve(context))
    monkeypatch.setattr(generation, "CLOSED_FORMS", ("uce",))
    lines = compare("closed-forms", (), tmp_path, Options(MINI))
    assert [line.agrees for line in lines] == [not solved_in_half] * 2
    assert all(line.package > 1e-5 for line in lines)


@pytest.mark.parametrize("option", ["images", "weights", "random_weights", "full_size"])
def test_what_cannot_act_on_generation_is_refused(option: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=f"--{option.replace('_', '-')} cannot act"):
        parity(Parity.GENERATION, **{option: tmp_path})


def test_fid_is_made_as_clean_fid_makes_it(tmp_path: Path) -> None:
    pytest.importorskip("cleanfid")
    lines = compare("fid", pictures(None, (), tmp_path)[3:7], tmp_path, Options(MINI))
    assert all(line.agrees for line in lines)
    assert [line.what for line in lines] == ["mean pixel"] * 4 + ["FID", "KID"] * 3
    assert all(line.ours > 0.01 for line in lines if line.what != "mean pixel")


def test_another_resize_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cleanfid")
    from bench.scorers.inception import scorer as inception

    given, prepare = pictures(None, (), tmp_path)[3:5], inception.prepare
    monkeypatch.setattr(inception, "prepare", lambda image: prepare(image).round(decimals=2))
    assert [line.agrees for line in compare("fid", given, tmp_path, Options(MINI))[:2]] == [False, False]


def test_the_drawings_are_the_edge_cases_and_always_the_same(tmp_path: Path) -> None:
    made = drawings()
    assert {picture.mode for _, picture in made} == {"RGB", "RGBA", "L", "P"}
    assert [picture.tobytes() for _, picture in made] == [picture.tobytes() for _, picture in drawings()]
    for (name, picture), given in zip(made, pictures(None, (), tmp_path), strict=True):
        assert name.split()[-1] == f"{picture.width}x{picture.height}"
        assert given.image.shape == (picture.height, picture.width, 3)
        assert np.array_equal(np.asarray(Pillow.open(given.file)), given.image)


def test_a_folder_of_images_is_taken_in_order_with_the_prompts_in_turn(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir(), out.mkdir()
    for name, mode in (("b.PNG", "RGBA"), ("a.jpg", "L"), ("c.webp", "RGB")):
        Pillow.new(mode, (9, 7)).save(source / name)
    (source / "notes.txt").write_text("none")
    got = pictures(source, ("one", "two"), out)
    assert [(each.name, each.prompt, each.image.shape) for each in got] == [
        ("a.jpg", "one", (7, 9, 3)),
        ("b.PNG", "two", (7, 9, 3)),
        ("c.webp", "one", (7, 9, 3)),
    ]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No folder of images"):
        pictures(tmp_path / "nowhere", (), tmp_path)
    with pytest.raises(BenchError, match="No image in"):
        pictures(tmp_path, (), tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"broken\.png is no readable image: "):
        pictures(tmp_path, (), tmp_path)


def test_a_difference_is_judged_by_the_tolerance_and_what_is_missing_agrees_with_nothing() -> None:
    assert replace(LINE, difference=1e-4).agrees
    assert not replace(LINE, difference=1.01e-4).agrees
    assert difference(1.5, 1.25) == 0.25
    assert difference(math.nan, 1.0) == difference(1.0, math.inf) == math.inf
    assert not replace(LINE, difference=math.inf).agrees


def test_the_verdict_names_the_largest_difference() -> None:
    lines = [LINE, replace(LINE, image="b", difference=2e-5), replace(LINE, image="c", difference=1e-5)]
    (said,) = verdict(lines)
    assert "all 3 agree with hpsv2 1.2.0 (tolerance 0.0001); the largest difference is 2.0e-05 (b); weights: random." in said
    (said,) = verdict([*lines, replace(LINE, image="d", difference=3e-3)])
    assert "1 of 4 DIFFER from hpsv2 1.2.0" in said and "3.0e-03 (d)" in said
    assert "there is no difference" in verdict([LINE])[0]


def test_weights_are_the_users_the_tracks_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = tmp_path / "HPS_v2.1_compressed.pt"
    file.write_bytes(b"x")
    track = MINI.model_copy(update={"scorers": {"hpsv2": {"weights": str(file)}, "imagereward": {"weights": str(tmp_path / "nowhere")}}})
    assert located(Options(track), "hpsv2") == file
    assert located(Options(track, random_weights=True), "hpsv2") is None
    assert located(Options(track), "imagereward") is None
    assert located(Options(track, tokenizer=tmp_path), "imagereward", "tokenizer") == tmp_path
    assert located(Options(MINI), "hpsv2") is None
    with pytest.raises(NotAvailable, match="No weights at"):
        located(Options(track, weights=tmp_path / "other.pt"), "hpsv2")


def test_a_clip_folder_of_the_users_says_which_scorer_it_belongs_to(tmp_path: Path) -> None:
    folder = resolve("package:bench.miniature/weights/clip")
    assert clip_folder(Options(MINI, weights=folder)) == ("clipscore_mini", folder)
    config = json.loads((folder / "config.json").read_text())
    config["projection_dim"] = 99
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BenchError, match="No scorer reads a CLIP with 32 pixels"):
        clip_folder(Options(MINI, weights=tmp_path))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(BenchError, match="is no folder of a CLIP model"):
        clip_folder(Options(MINI, weights=tmp_path))


def test_the_made_up_vocabulary_is_as_large_as_berts_and_our_scorer_reads_it(tmp_path: Path) -> None:
    from bench.scorers.imagereward import _tokenizer

    folder = _vocabulary(tmp_path / "vocabulary")
    tokenizer = _tokenizer(folder, 30524)
    assert tokenizer.convert_tokens_to_ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]) == [0, 100, 101, 102, 103, 30522, 30523]
    assert tokenizer("red Cat").input_ids == [101, *tokenizer.convert_tokens_to_ids(["red", "cat"]), 102]
    assert len(set(tokenizer("dusk").input_ids)) == 6  # letter by letter, none unknown
    assert 100 not in tokenizer("dusk").input_ids


def bench(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "parity", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "BENCH_PARITY": str(folder)})


def test_the_command_prints_rows_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    Pillow.new("RGB", (40, 30), (200, 30, 30)).save(source / "red.png")
    done = bench("clipscore", "--images", str(source), "--format", "json", folder=tmp_path / "made")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert [(row["scorer"], row["image"], row["agrees"]) for row in rows] == [("clipscore_mini", "red.png", True)]
    assert "all 1 agree with transformers" in done.stderr
    assert list((tmp_path / "made").iterdir()) == []


def test_without_a_package_index_nudenet_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    done = bench("nudenet", folder=tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and "Cannot make the environment of nudenet-308: the package index cannot be reached" in last


def test_a_difference_ends_with_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BENCH_PARITY", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # the command sets it; this puts it back
    monkeypatch.setattr(clipscore, "TOLERANCE", 0.0)
    with pytest.raises(typer.Exit) as left:
        parity(Parity.CLIPSCORE, track="mini")
    assert left.value.exit_code == 1
    assert "DIFFER from transformers" in " ".join(capsys.readouterr().out.split())


MISTAKES = [
    (Parity.ALL, {"weights": Path("a.pt")}, "--weights and --tokenizer belong to one scorer"),
    (Parity.HPSV2, {"weights": Path("a.pt"), "random_weights": True}, "exclude each other"),
    (Parity.HPSV2, {"weights": Path("nowhere.pt")}, "No weights at nowhere.pt"),
    (Parity.NUDENET, {"images": Path("nowhere")}, "No folder of images at nowhere"),
    (Parity.NUDENET, {"track": "sd16"}, "Did you mean 'sd15'"),
]


@pytest.mark.parametrize(("what", "given", "says"), MISTAKES)
def test_a_mistake_is_one_clear_line(what: Parity, given: dict[str, object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PARITY", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # the command sets it; this puts it back
    with pytest.raises(BenchError, match=says) as caught:
        parity(what, **given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_both_nudenets_agree_with_their_packages(tmp_path: Path) -> None:
    """Makes the environment of 3.0.8 from the package index, 0.3 GB."""
    done = bench("nudenet", "--format", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    for scorer, faces in (("nudenet", 1), ("nudenet_308", 2)):
        own = [row for row in rows if row["scorer"] == scorer]
        assert all(row["agrees"] for row in own) and {row["what"] for row in own} == {"boxes", "score of a box", "network's scores"}
        assert sum(row["ours"] for row in own if row["what"] == "boxes") >= faces


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hpsv2", "image-reward"])
def test_the_real_packages_agree(name: str, tmp_path: Path) -> None:
    """Makes both environments from the package index, 1.6 GB each."""
    done = bench(name, "--format", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == len(drawings()) and all(row["agrees"] and row["weights"].startswith("random") for row in rows)
    assert np.std([row["ours"] for row in rows]) > 0.1
