"""The autoencoder: 32 x 32 pictures to 8 x 8 x 4 latents and back, whitened so that it is a plain ``AutoencoderKL``."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from bench.miniature.reader import to_tensor
from training.miniature.data import Pictures
from training.miniature.loop import Recipe, fit

RECIPE = Recipe("vae", steps=3000, learning_rate=1.5e-3, weight_decay=0.0, average=0.995, seed=12)
BATCH = 24


def build() -> AutoencoderKL:
    """Return an untrained autoencoder (1.6 M parameters)."""
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )
    # The default initialisation drowns the latents in unit noise: start from almost none.
    with torch.no_grad():
        model.quant_conv.bias[4:] = -6.0
    return model


def _gradient(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


@torch.no_grad()
def whiten(model: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Fold per-channel whitening of the latents into the two 1 x 1 convolutions around them.

    Channels of unequal spread would get unequal signal-to-noise from one noise schedule. Being 1 x 1, the
    convolutions absorb the affine maps exactly, so ``from_pretrained`` gives a plain pipeline with scaling factor 1.
    """
    latents = torch.cat([model.encode(chunk).latent_dist.mean for chunk in pictures.split(250)])
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    model.quant_conv.weight[:4] /= std.view(4, 1, 1, 1)
    model.quant_conv.bias[:4] = (model.quant_conv.bias[:4] - mean) / std
    model.quant_conv.bias[4:] -= 2 * std.log()
    model.post_quant_conv.bias += (model.post_quant_conv.weight[:, :, 0, 0] @ mean).view(-1)
    model.post_quant_conv.weight *= std.view(1, 4, 1, 1)


def train(data: Pictures, work: Path, out: Path) -> None:
    """Train the autoencoder on ``data`` and save it, whitened, as a diffusers folder at ``out``."""
    torch.manual_seed(RECIPE.seed)
    model = build()
    pictures = to_tensor(data.images)

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        batch = pictures[torch.randint(len(pictures), (BATCH,), generator=generator)]
        with torch.autocast("cpu", torch.bfloat16):
            posterior = model.encode(batch).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator)
            decoded = model.decode(posterior.mean + posterior.std * noise).sample
        decoded = decoded.float()
        edges = sum((F.l1_loss(a, b) for a, b in zip(_gradient(decoded), _gradient(batch), strict=True)), torch.zeros(()))
        divergence = posterior.kl().float().mean()
        return F.l1_loss(decoded, batch) + 2 * F.mse_loss(decoded, batch) + 0.5 * edges + 1e-4 * divergence

    fit(RECIPE, {"vae": model}, loss, work)
    whiten(model, pictures[:4000])
    model.save_pretrained(out, safe_serialization=True)
