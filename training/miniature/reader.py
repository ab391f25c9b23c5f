"""The reader: a small convolutional network with one softmax an attribute, trained on renders blurred and noised a little."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from bench.miniature.reader import ReaderNetwork, to_tensor
from training.miniature.data import Pictures
from training.miniature.loop import Recipe, fit

RECIPE = Recipe("reader", steps=900, learning_rate=2e-3, weight_decay=0.02, seed=11)
BATCH = 128


def augment(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return pictures as a decoder might give them: some blurred, all with a little noise and other brightness and contrast."""
    n = len(pictures)
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share = torch.rand(n, 1, 1, 1, generator=generator) * 0.6 * (torch.rand(n, 1, 1, 1, generator=generator) < 0.6)
    pictures = pictures * (1 - share) + blurred * share
    noise = torch.randn(pictures.shape, generator=generator) * 0.08 * torch.rand(n, 1, 1, 1, generator=generator)
    gain = 1 + 0.1 * (torch.rand(n, 1, 1, 1, generator=generator) * 2 - 1)
    shift = 0.06 * (torch.rand(n, 1, 1, 1, generator=generator) * 2 - 1)
    return (pictures * gain + shift + noise).clamp(-1, 1)


def train(data: Pictures, work: Path, out: Path) -> None:
    """Train the reader on ``data`` and write ``out/model.safetensors``."""
    torch.manual_seed(RECIPE.seed)
    network = ReaderNetwork()
    pictures = to_tensor(data.images)
    truth = torch.from_numpy(data.labels)

    def loss(generator: torch.Generator, step: int) -> torch.Tensor:
        index = torch.randint(len(pictures), (BATCH,), generator=generator)
        logits = network(augment(pictures[index], generator))
        target = truth[index]
        return torch.stack([F.cross_entropy(each, target[:, k], label_smoothing=0.02) for k, each in enumerate(logits)]).sum()

    fit(RECIPE, {"network": network}, loss, work)
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, out / "model.safetensors")
