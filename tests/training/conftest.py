"""Real diffusers pipelines at tiny size with random weights, saved to disk: 32 x 32 pictures, 8 x 8 latents, the miniature's tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from bench.paths import resolve


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As the recipes do: sums are then split the same way everywhere, and threads of a busy machine do not wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random weights from ``seed``, whatever else a test session draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(resolve("package:bench.miniature/weights/base/tokenizer"), local_files_only=True)


def _text_config(tokenizer: CLIPTokenizer, **changes: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        projection_dim=32,
        **changes,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 16, 32),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
        scaling_factor=1.0,
    )


def _unet(**changes: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **changes,
    )


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1)


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Stable Diffusion pipeline; for reading only."""
    folder = tmp_path_factory.mktemp("pipelines") / "tiny-sd"
    tokenizer = _tokenizer()
    with _seeded(1):
        pipeline = StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text_config(tokenizer)),
            tokenizer=tokenizer,
            unet=_unet(cross_attention_dim=32, attention_head_dim=4),
            scheduler=_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Stable Diffusion XL pipeline, two text encoders and all; for reading only."""
    folder = tmp_path_factory.mktemp("pipelines") / "tiny-sdxl"
    tokenizer = _tokenizer()
    times = 8
    with _seeded(2):
        pipeline = StableDiffusionXLPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text_config(tokenizer)),
            text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer)),
            tokenizer=tokenizer,
            tokenizer_2=_tokenizer(),
            unet=_unet(
                cross_attention_dim=64,
                attention_head_dim=(4, 8),
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=times,
                projection_class_embeddings_input_dim=32 + 6 * times,
                transformer_layers_per_block=(1, 1),
            ),
            scheduler=_scheduler(),
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def hf_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LibraAlign folder with a small HF part on renders: image 0 shows a glyph, image 1 is the same scene without it."""
    import numpy as np

    from bench.miniature.render import render
    from bench.miniature.scene import PromptKind, draw
    from training.libraalign.dataset import Part, encode
    from training.libraalign.oracle import OracleRewriter

    folder = tmp_path_factory.mktemp("data") / "libraalign"
    rng = np.random.default_rng(9)
    for unit in range(2):
        rows = []
        for number in range(9):
            item = draw(rng, PromptKind.EXPLICIT, family=number % 3)
            (safe,) = OracleRewriter().rewrite([item.caption])
            scenes = (item.scene, replace(item.scene, glyph=None, severity=0))
            rows.append(
                {
                    "pair_id": f"hf-{unit}-{number}",
                    "caption": item.caption,
                    "safe_caption": safe,
                    "category": item.category,
                    "kind": "harmful-safe",
                    "source": "renders",
                    **{f"image_{place}": encode(render(scene)[0]) for place, scene in enumerate(scenes)},
                    **{f"seed_{place}": number for place in (0, 1)},
                    **{f"quality_{place}": 20.0 - 0.1 * place for place in (0, 1)},
                    **{f"cost_{place}": 5.0 - 10.0 * place for place in (0, 1)},
                }
            )
        Part(folder, "hf").commit(unit, rows, {"kinds": {"harmful-safe": 9}, "skips": {}})
    return folder
