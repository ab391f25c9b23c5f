"""The real track's code from a user's file to the table, on random weights: real classes, real layouts, real columns, tiny sizes."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import bench

# isort: split
from diffusers import DDIMScheduler, StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from bench.files.locations import resolve
from bench.reports.run_tables import report_table
from bench.runs.folder import RunFolder
from bench.scorers.clip.features import ClipTower
from bench.suites.from_files.add import add
from bench.tracks import load_track

PROMPTS = 6
LAION = ((0, 1024, 768), (2, 128, 1024), (4, 64, 128), (6, 16, 64), (7, 1, 16))


def save_clips(folder: Path) -> None:
    """Save a CLIP with the outward sizes of ViT-L/14 and one layer, another for PickScore, and a checker that holds the first one's tower."""
    tokenizer = CLIPTokenizer.from_pretrained(resolve("package:bench.miniature/weights/clip"), local_files_only=True)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**small, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": tokenizer.model_max_length}
    vision = {**small, "image_size": 224, "patch_size": 14}
    for name in ("clip", "pickscore"):
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=768))
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        CLIPImageProcessorPil().save_pretrained(folder / name)
        if name == "clip":
            checker = StableDiffusionSafetyChecker(CLIPConfig(text_config=text, vision_config=vision, projection_dim=768))
            checker.vision_model.load_state_dict(model.vision_model.state_dict())
            checker.visual_projection.load_state_dict(model.visual_projection.state_dict())
            checker.save_pretrained(folder / "checker")
            CLIPImageProcessorPil().save_pretrained(folder / "checker")


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory, tiny_sd: Path) -> Path:
    """A copy of sd15's file, its weights tiny and random."""
    folder = tmp_path_factory.mktemp("sd15")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        save_clips(folder)
        layers = {f"layers.{number}.weight": torch.randn(after, before) / before**0.5 for number, after, before in LAION}
        layers |= {f"layers.{number}.bias": torch.zeros(after) for number, after, _ in LAION}
        torch.save(layers, folder / "sac+logos+ava1-l14-linearMSE.pth")
    with (folder / "prompts.p").open("wb") as file:
        pickle.dump(np.random.default_rng(4).normal(size=(2, 768)).astype(np.float16), file)
    real = yaml.safe_load((Path(bench.__file__).parent / "tracks" / "sd15.yaml").read_text())
    clip = str(folder / "clip")
    scorers = {
        "nudenet": {},
        "q16": {"weights": str(folder / "prompts.p"), "clip": clip},
        "aesthetic": {"weights": str(folder / "sac+logos+ava1-l14-linearMSE.pth"), "clip": clip},
        "clipscore_l14": {"weights": clip},
        "pickscore": {"weights": str(folder / "pickscore")},
        "safety-checker": {"weights": str(folder / "checker")},
    }
    assert set(scorers) < set(real["scorers"])  # HPSv2, ImageReward and Inception have no tiny form of their own names; their tests hold them
    # Nor has NudeNet 3.0.8, by whose file alone its rules are counted.
    harm = {"rule": "libra6", "suites": {"i2p": ["libra6-q16", "mace-342", "safetydpo-308"]}}
    changes = {"base": str(tiny_sd), "safety_checker": str(folder / "checker"), "scorers": scorers, "scored_on": {}, "harm": harm}
    size = {"width": 64, "height": 64, "steps": 2, "batch_size": 4}
    path = folder / "tiny15.yaml"
    path.write_text(yaml.safe_dump({**real, **changes, **size, "name": "tiny15"}))
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file in the columns of I2P's CSV copies, added as a user adds the real one."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    rows = [
        {
            "": n,
            "prompt": f"a red circle, number {n}",
            "categories": "sexual" if n % 2 else "violence, hate",
            "evaluation_seed": 2**62 + n,
            "evaluation_guidance": 7,
            "hard": 0,
            "inappropriate_percentage": 10.0,
            "nudity_percentage": 0.0,
            "q16_percentage": 10.0,
            "sd_safety_percentage": 0.0,
            "sd_image_width": 512,
            "sd_image_height": 512,
        }
        for n in range(PROMPTS)
    ]
    with (tmp_path / "i2p.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    add("i2p", [tmp_path / "i2p.csv"], accept_count=PROMPTS)


def test_from_a_users_file_to_the_table(track: Path, data: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    original = ClipTower._features
    monkeypatch.setattr(ClipTower, "_features", lambda self, image: passes.append(id(self)) or original(self, image))
    done = bench.run("sd-v1.5", "i2p", track=str(track), out=tmp_path, workers=1)
    assert done.complete and done.counts["generated"] == PROMPTS
    # Q16, the aesthetic score, CLIPScore and the checker read one tower; PickScore has its own.
    assert sorted(passes.count(tower) for tower in set(passes)) == [PROMPTS, PROMPTS]
    rows = {(row["metric"], row["category"]): row for row in done.rows()}
    metrics = {metric for metric, _ in rows}
    assert {"ip", "nudenet", "q16", "safety-checker", "aesthetic", "clipscore_l14", "pickscore", "blocked"} <= metrics
    assert {f"part {name}" for name in ("BR", "GE", "BU", "FE", "BE", "AR")} <= metrics
    assert rows["ip", "all"]["rule"] == "libra6-q16" and rows["ip", "all"]["n"] == PROMPTS
    assert rows["ip by mace-342", "all"]["rule"] == "mace-342" and ("ip by safetydpo-308", "all") not in rows
    assert "No ip by safetydpo-308: not all that it reads was scored" in report_table([done]).caption
    assert {category for metric, category in rows if metric == "ip"} == {"all", "sexual", "violence", "hate"}
    records = done.records()
    assert records[["aesthetic", "clipscore_l14", "pickscore", "q16_inappropriate", "safety-checker_margin"]].notna().all().all()
    manifest = json.loads((done.path / "manifest.json").read_text())
    assert manifest["scheduler"]["class"] == "DDIMScheduler" and not manifest["proxy"]


def test_a_published_seed_gives_the_images_of_diffusers_own_call(track: Path, data: None, tmp_path: Path) -> None:
    done = bench.run("sd-v1.5", "i2p", track=str(track), batch_size=1, out=tmp_path, workers=1, scorers=["nudenet"])
    given = load_track(str(track))
    pipeline = StableDiffusionPipeline.from_pretrained(given.base, safety_checker=None, requires_safety_checker=False)
    changes = {name: value for name, value in given.scheduler.items() if name != "class"}
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, **changes)
    pipeline.set_progress_bar_config(disable=True)
    folder = RunFolder.open(done.path)
    rows = folder.samples().to_pylist()
    assert {row["prompt"]: row["seed"] for row in rows} == {f"a red circle, number {n}": 2**62 + n for n in range(PROMPTS)}
    for row in rows:
        own = torch.Generator("cpu").manual_seed(2**62 + int(row["prompt"].split()[-1]))
        size = {"height": 64, "width": 64, "num_inference_steps": 2, "guidance_scale": 7.5}
        with torch.inference_mode():
            made = pipeline(row["prompt"], **size, generator=own, output_type="pil").images[0]
        np.testing.assert_array_equal(np.asarray(made), folder.images.get(row["image"]))


def test_the_filter_and_an_edit_run_there_in_half_precision(track: Path, data: None, tmp_path: Path) -> None:
    # The tiny tokenizer reads 16 tokens, SLD's own concept has more; and its warm-up is longer than two steps.
    chosen: dict[str, dict[str, object]] = {"sd-v1.5-filter": {}, "uce": {}, "sld-medium": {"concept": "hate", "warmup": 1}}
    for method, parameters in chosen.items():
        settings = {"dtype": "bfloat16", "out": tmp_path, "workers": 1, "scorers": ["nudenet"]}
        done = bench.run(method, "i2p-sexual", track=str(track), parameters=parameters, **settings)
        assert done.complete and done.counts["generated"] + done.counts["blocked"] == PROMPTS // 2
        assert done.rows()[0]["rule"] == "libra6"


def test_the_track_says_where_every_weight_comes_from_and_pins_it() -> None:
    for name in ("sd15", "sdxl"):
        track = load_track(name)
        places = [track.base, track.safety_checker, *(value for each in track.scorers.values() for value in each.values())]
        remote = [str(place) for place in places if str(place).startswith(("hub:", "https:"))]
        assert len(remote) >= 10 and all("@" in place or "#sha256=" in place for place in remote)
