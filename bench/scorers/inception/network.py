"""The Inception of the Frechet Inception distance: TensorFlow's of 2015-12-05, as torchvision's with another pooling.

TensorFlow's average does not count the padding, and its last block takes the maximum in place of the average. Everything else is
torchvision's Inception v3, so that the published tensors have their names there. Source: mseitzer/pytorch-fid 0.3.0, whose values it gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench import torchvision_guard  # noqa: F401  # puts the torchvision guard in place before torchvision is imported

# isort: split
import torch
from torch import nn
from torchvision.models import inception

from bench.files.checkpoint import fill

CLASSES = 1008
"""Outputs of the layer after the features, which is read and not run."""


class _Repooled(nn.Module):
    """A block whose last branch pools in another way than torchvision's."""

    branch_pool: nn.Module

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.pool: nn.Module = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = self.branch_pool(self.pool(x))
        whole: torch.Tensor = super().forward(x)
        return torch.cat([whole[:, : -pooled.shape[1]], pooled], 1)


class _A(_Repooled, inception.InceptionA):  # type: ignore[misc]
    pass


class _C(_Repooled, inception.InceptionC):  # type: ignore[misc]
    pass


class _E(_Repooled, inception.InceptionE):  # type: ignore[misc]
    pass


def inception_network(tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    """Return the network, from pixels of shape (n, 3, 299, 299) in [-1, 1] to features of shape (n, 2048), in evaluation mode.

    Args:
        tensors: of pytorch-fid's checkpoint, by name. The counters of training steps (``num_batches_tracked``) may be left out: nothing reads them.

    Raises:
        ValueError: a tensor is missing, of another shape, or has no place.
    """
    blocks = [inception.BasicConv2d, _A, inception.InceptionB, _C, inception.InceptionD, _E, inception.InceptionAux]
    network = inception.Inception3(num_classes=CLASSES, aux_logits=False, inception_blocks=blocks, init_weights=False)
    network.Mixed_7c.pool = nn.MaxPool2d(3, stride=1, padding=1)
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    fill(network, {**counters, **tensors})
    network.fc = nn.Identity()
    return network.float().eval()  # type: ignore[no-any-return]
