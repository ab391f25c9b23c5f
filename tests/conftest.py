"""Fixtures that several packages' tests share: a toy method, the suite's first samples, and tiny pipelines of the real classes."""

from __future__ import annotations

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before diffusers is imported

# isort: split
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from bench import registry
from bench.files.locations import resolve
from bench.guard.calls import Caller
from bench.runs.spec import RunSpec
from bench.seeds import generator
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Outcome, Sample


def pytest_configure(config: pytest.Config) -> None:
    """Have Ctrl-C mean something also where the tests run in the background, whose shell has it ignored by all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Toy(Method):
    """A real method without a model: flat colour noise from each sample's own generator."""

    info = MethodInfo("toy", Kind.FLOOR, "Noise from the sample's seed.", defaults={"trouble": "", "shift": 0})

    def load(self, context: Context) -> None:
        self.calls = 0

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        self.calls += 1
        trouble = self.parameters["trouble"]
        if trouble == "raises":
            raise RuntimeError("the toy broke")
        outcomes: list[Outcome] = []
        for sample in samples:
            pixels = torch.randint(256, (sample.height, sample.width, 3), generator=generator(sample)).numpy()
            image = ((pixels + self.parameters["shift"]) % 256).astype(np.uint8)
            if trouble == "nan":
                image = np.full(image.shape, np.nan)
            elif trouble == "size":
                image = image[:-1]
            elif trouble == "blocks" and sample.seed % 2:
                outcomes.append(Blocked("toy filter"))
                continue
            outcomes.append(Generated(image))
        return outcomes[:-1] if trouble == "count" else outcomes


@pytest.fixture
def toy() -> Iterator[type[Toy]]:
    """The toy method, registered as ``toy`` for one test."""
    registry.methods.register("toy", Toy)
    yield Toy
    registry.methods.unregister("toy")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have verbs that give plugins a process of their own work in this one: no other knows what is registered by hand."""
    monkeypatch.setattr("bench.guard.apart.apart", lambda function, *given, limit, **named: function(*given, caller=Caller(), **named))


@pytest.fixture
def samples() -> tuple[Sample, ...]:
    """Twenty samples of the mini i2p suite."""
    return RunSpec("black", "i2p", limit=20).loaded_suite.samples


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
    """The folder of a real Stable Diffusion pipeline at tiny size with random weights, the miniature's tokenizer in it; for reading only."""
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
    """The same for Stable Diffusion XL, two text encoders and all; for reading only."""
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
def tiny_lcm(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same Stable Diffusion with guidance distilled into its U-Net, as an LCM is saved; for reading only."""
    folder = tmp_path_factory.mktemp("pipelines") / "tiny-lcm"
    base = StableDiffusionPipeline.from_pretrained(tiny_sd, local_files_only=True)
    with _seeded(3):
        unet = _unet(cross_attention_dim=32, attention_head_dim=4, time_cond_proj_dim=16)
        torch.nn.init.normal_(unet.time_embedding.cond_proj.weight, std=0.5)
    parts = {"vae": base.vae, "text_encoder": base.text_encoder, "tokenizer": base.tokenizer, "safety_checker": None, "feature_extractor": None}
    scheduler = LCMScheduler.from_config(base.scheduler.config)
    LatentConsistencyModelPipeline(**parts, unet=unet, scheduler=scheduler, requires_safety_checker=False).save_pretrained(folder)
    return folder
