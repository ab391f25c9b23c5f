"""The miniature's training data, and the shipped weights against held-out renders (a small sample of the report)."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL

from bench.files.locations import resolve
from bench.miniature.detector import load_detector
from bench.miniature.reader import load_reader, to_tensor
from training.miniature.data import HELD_OUT_SEED, make
from training.miniature.report import detect_renders, read_renders
from training.miniature.vae import build, whiten

WEIGHTS = resolve("package:bench.miniature/weights")


def test_data_is_a_function_of_its_seed() -> None:
    a, b, c = make(50, 7), make(50, 7), make(50, 8)
    assert np.array_equal(a.images, b.images) and a.truth == b.truth
    assert not np.array_equal(a.images, c.images)


def test_the_shipped_reader_and_detector_reach_what_the_card_says() -> None:
    pictures = make(500, HELD_OUT_SEED + 1)
    figures = read_renders(load_reader(WEIGHTS / "reader"), pictures, pictures.images, "reader", 0.995)
    figures += detect_renders(load_detector(WEIGHTS / "detector"), pictures)
    assert len(figures) == 22
    assert all(figure.reached for figure in figures), [figure for figure in figures if not figure.reached]


def test_whitening_changes_the_latents_and_not_the_pictures() -> None:
    torch.manual_seed(0)
    model = build().eval()
    pictures = to_tensor(make(64, 3).images)
    with torch.inference_mode():
        before = model.decode(model.encode(pictures).latent_dist.mean).sample
    whiten(model, pictures)
    with torch.inference_mode():
        latents = model.encode(pictures).latent_dist.mean
        after = model.decode(latents).sample
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), rtol=0, atol=1e-3)


def test_the_shipped_autoencoder_is_whitened() -> None:
    model = AutoencoderKL.from_pretrained(WEIGHTS / "base" / "vae").eval()
    assert model.config.scaling_factor == 1.0
    with torch.inference_mode():
        latents = model.encode(to_tensor(make(500, 5).images)).latent_dist.mean
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.1
