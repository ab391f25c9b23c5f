"""The four augmentations of the Dynamic Focusing Mechanism (paper Sec. 6.1). Each treats both pictures of a pair alike.

The paper names them and gives no strengths; these are ours. Sharpening and colour jitter act on pixels, the others on latents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torchvision.transforms.v2.functional as V

SHARPEN = (1.5, 3.0)
JITTER = {"brightness": 0.15, "contrast": 0.15, "saturation": 0.2, "hue": 0.02}
LATENT_NOISE = 0.1
"""Standard deviation of the noise, in units of a latent's own."""
ERASED = 0.05
"""The share of the latent's area that is erased."""
BANDS = 4


@dataclass(frozen=True)
class Augmentation:
    """One way to change a pair.

    Attributes:
        on_pixels: True where ``apply`` takes pictures (2, 3, height, width) in [-1, 1], False where it takes latents (2, channels, h, w).
        apply: returns the changed pair; all randomness comes from the generator.
    """

    on_pixels: bool
    apply: Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def sharpen(pair: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the pair sharpened by one random factor."""
    return V.adjust_sharpness((pair + 1) / 2, _between(*SHARPEN, generator)) * 2 - 1


def colour_jitter(pair: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the pair with brightness, contrast, saturation and hue changed by one random draw each."""
    pictures = (pair + 1) / 2
    changes = {name: _between(-amount, amount, generator) for name, amount in JITTER.items()}
    pictures = V.adjust_brightness(pictures, 1 + changes["brightness"])
    pictures = V.adjust_contrast(pictures, 1 + changes["contrast"])
    pictures = V.adjust_saturation(pictures, 1 + changes["saturation"])
    return V.adjust_hue(pictures, changes["hue"]) * 2 - 1


def latent_noise(pair: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the latents with a little noise, and one small square, the same in both, set to its picture's mean."""
    noise = torch.randn(pair.shape[1:], generator=generator).to(pair) * LATENT_NOISE
    changed = pair + noise * pair.std(dim=(1, 2, 3), keepdim=True)
    height, width = pair.shape[-2:]
    side = max(1, round((ERASED * height * width) ** 0.5))
    top = int(torch.randint(height - side + 1, (), generator=generator))
    left = int(torch.randint(width - side + 1, (), generator=generator))
    changed[..., top : top + side, left : left + side] = pair.mean(dim=(2, 3), keepdim=True)
    return changed


def frequency_compensation(pair: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the latents with each band's energy moved towards the pair's mean, by a random share of the way.

    Bands are rings of equal width in the two-dimensional spectrum; the zero frequency is left alone. A winner that was made by
    image-to-image is smoother than its loser: evened out, sharpness can not be what tells them apart.
    """
    share = _between(0.5, 1.0, generator)
    spectrum = torch.fft.fft2(pair.float())
    rows, columns = (torch.fft.fftfreq(length, device=pair.device) for length in pair.shape[-2:])
    radius = (rows[:, None].square() + columns[None].square()).sqrt()
    band = (radius / radius.max() * BANDS).ceil().clamp(max=BANDS).long()
    gain = torch.ones(len(pair), *radius.shape, device=pair.device)
    for each in range(1, BANDS + 1):
        inside = band == each
        energy = (spectrum.abs().square() * inside).sum(dim=(1, 2, 3))
        wanted = energy.mean() / energy.clamp(min=1e-12)
        gain = torch.where(inside, wanted.sqrt().clamp(0.5, 2.0).view(-1, 1, 1) ** share, gain)
    return torch.fft.ifft2(spectrum * gain.unsqueeze(1)).real.to(pair)


POOL: Mapping[str, Augmentation] = {
    "sharpen": Augmentation(True, sharpen),
    "colour": Augmentation(True, colour_jitter),
    "latent-noise": Augmentation(False, latent_noise),
    "frequency": Augmentation(False, frequency_compensation),
}
"""The paper's pool, by name."""
