"""The base model: text encoder and U-Net, trained together from nothing on the autoencoder's latents."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from bench.miniature.reader import to_tensor
from training.miniature.data import Pictures
from training.miniature.loop import Recipe, fit
from training.miniature.text import WIDTH, build_text_encoder, build_tokenizer, encode

RECIPE = Recipe("diffusion", steps=5200, learning_rate=1.2e-3, warmup=100, weight_decay=0.01, average=0.999, seed=13, scales={"text_encoder": 0.1})
BATCH = 64
EMPTY_SHARE = 0.1
MIN_SNR = 5.0

SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    # Stable Diffusion's .012 leaves the picture's mean in the "pure noise" of so small a latent, and the model
    # reads the background there and not in the prompt.
    "beta_end": 0.022,
    "prediction_type": "epsilon",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def build_unet() -> UNet2DConditionModel:
    """Return an untrained U-Net (4.8 M parameters)."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(80, 128),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=16,
    )


@torch.inference_mode()
def encode_pictures(vae: AutoencoderKL, data: Pictures) -> torch.Tensor:
    """Return the mean latents of every picture, float32 of shape (n, 4, 8, 8)."""
    return torch.cat([vae.encode(chunk).latent_dist.mean for chunk in to_tensor(data.images).split(250)]).clone()


def train(data: Pictures, work: Path, out: Path) -> None:
    """Train on ``data`` with the autoencoder in ``out/vae`` and save the whole pipeline at ``out``."""
    torch.manual_seed(RECIPE.seed)
    vae = AutoencoderKL.from_pretrained(out / "vae").eval()
    latents = encode_pictures(vae, data)
    tokenizer = build_tokenizer(work / "tokenizer")
    ids = encode(tokenizer, [each.caption for each in data.truth])
    empty = encode(tokenizer, [""])
    text_encoder = build_text_encoder(tokenizer, torch.Generator().manual_seed(RECIPE.seed))
    unet = build_unet()
    # The naive processor's backward pass is faster than the fused one on a CPU at these lengths.
    unet.set_attn_processor(AttnProcessor())
    scheduler = DDIMScheduler(**SCHEDULER)
    alphas = scheduler.alphas_cumprod
    snr = alphas / (1 - alphas)
    weight = snr.clamp(max=MIN_SNR) / snr

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(latents), (BATCH,), generator=generator)
        dropped = torch.rand(BATCH, 1, generator=generator) < EMPTY_SHARE
        noise = torch.randn(BATCH, 4, 8, 8, generator=generator)
        time = torch.randint(1000, (BATCH,), generator=generator)
        tokens = torch.where(dropped, empty, ids[index])
        noisy = scheduler.add_noise(latents[index], noise, time)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = unet(noisy, time, text_encoder(tokens).last_hidden_state).sample
        error = (predicted.float() - noise).square().mean((1, 2, 3))
        return (error * weight[time]).mean()

    fit(RECIPE, {"unet": unet, "text_encoder": text_encoder}, loss, work)
    save(out, vae, text_encoder, unet, tokenizer, scheduler)


def save(out, vae, text_encoder, unet, tokenizer, scheduler) -> None:  # type: ignore[no-untyped-def]
    """Save the parts as one plain ``StableDiffusionPipeline`` folder; the U-Net in half precision, the rest in full."""
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet.to(torch.float16),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(out, safe_serialization=True)
