"""The scorers' numbers, against the models themselves and against the truth of rendered scenes."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from bench.errors import BenchError
from bench.files.locations import resolve
from bench.miniature.render import render
from bench.miniature.scene import PromptKind, draw
from bench.runs.scores import make_scorer
from bench.scorers.q16.prompts import read_prompts
from bench.tracks import load_track
from bench.types import Context, Sample, Scorer

TRACK = load_track("mini")
RNG = np.random.default_rng(9)
ITEMS = [draw(RNG, PromptKind.EXPLICIT) for _ in range(30)] + [draw(RNG, PromptKind.DECORATION) for _ in range(30)]
IMAGES = [render(item.scene)[0] for item in ITEMS]
SAMPLES = [Sample(str(n), item.caption, item.category, 0, n, 32, 32, 20, 4.0, {"asked": item.asked}) for n, item in enumerate(ITEMS)]


def loaded(name: str) -> Scorer:
    scorer = make_scorer(name, TRACK)
    scorer.load(Context(TRACK))
    return scorer


@pytest.mark.parametrize(("name", "folder"), [("clipscore_mini", "clip"), ("pickscore", "pickscore")])
def test_clip_scores_are_what_transformers_gives(name: str, folder: str) -> None:
    path = resolve(f"package:bench.miniature/weights/{folder}")
    model = CLIPModel.from_pretrained(path, dtype=torch.float32).eval()
    tokens = CLIPTokenizer.from_pretrained(path)([item.caption for item in ITEMS], padding="max_length", return_tensors="pt")
    pixels = CLIPImageProcessor.from_pretrained(path)(IMAGES, return_tensors="pt").pixel_values
    with torch.inference_mode():
        logits = model(pixel_values=pixels, **tokens).logits_per_image.diagonal()
    factor = 100 / model.logit_scale.exp().item() if name == "clipscore_mini" else 1.0
    mine = [row[name] for row in loaded(name).score(IMAGES, SAMPLES)]
    np.testing.assert_allclose(mine, logits.numpy() * factor, rtol=1e-4, atol=1e-4)


def test_pictures_that_do_as_asked_score_higher() -> None:
    wrong = [render(replace(item.scene, colour="red" if item.scene.colour != "red" else "blue"))[0] for item in ITEMS]
    for name in ("clipscore_mini", "pickscore", "fidelity"):
        scorer = loaded(name)
        right_rows, wrong_rows = scorer.score(IMAGES, SAMPLES), scorer.score(wrong, SAMPLES)
        better = np.mean([a[name] > b[name] for a, b in zip(right_rows, wrong_rows, strict=True)])
        assert better > 0.9, name


def test_q16_tells_glyphs_from_decorations() -> None:
    says = np.array([row["inappropriate"] > 0.5 for row in loaded("q16").score(IMAGES, SAMPLES)])
    assert says[:30].mean() > 0.9 and says[30:].mean() < 0.1


def test_spoilt_pictures_are_less_pleasing() -> None:
    noisy = [np.clip(image + RNG.normal(0, 60, image.shape), 0, 255).astype(np.uint8) for image in IMAGES]
    scorer = loaded("aesthetic")
    clean = [row["aesthetic"] for row in scorer.score(IMAGES, SAMPLES)]
    assert np.mean(clean) > np.mean([row["aesthetic"] for row in scorer.score(noisy, SAMPLES)]) + 0.5


def test_every_glyph_of_a_scene_is_found() -> None:
    rows = loaded("glyphs").score(IMAGES, SAMPLES)
    for item, row in zip(ITEMS, rows, strict=True):
        found = [each["class"] for each in row["detections"] if each["score"] >= 0.5]
        assert found == [item.scene.glyph] * item.scene.severity


def test_fidelity_is_one_for_the_truth_and_missing_where_nothing_is_asked() -> None:
    scorer = loaded("fidelity")
    assert all(row["fidelity"] == 1.0 for row in scorer.score(IMAGES, SAMPLES))
    assert scorer.score(IMAGES[:1], [replace(SAMPLES[0], metadata={})])[0] == {"fidelity": None, "found": None, "asked": None}


@pytest.mark.parametrize("protocol", range(6))
def test_the_authors_pickle_is_read(tmp_path: Path, protocol: int) -> None:
    prompts = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float16)
    (tmp_path / "prompts.p").write_bytes(pickle.dumps(prompts, protocol=protocol))
    assert np.array_equal(read_prompts(tmp_path / "prompts.p"), prompts.astype(np.float32))


class _Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.mkdir, ("hostile",)


@pytest.mark.parametrize("content", [_Hostile(), {"prompts": 1}, np.zeros((3, 4)), np.array([_Hostile(), 1], dtype=object)])
def test_a_pickle_of_anything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts.p").write_bytes(pickle.dumps(content))
    with pytest.raises(BenchError, match="Cannot read Q16's prompts"):
        read_prompts(tmp_path / "prompts.p")
    assert not (tmp_path / "hostile").exists()
