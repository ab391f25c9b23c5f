"""The Inception features behind FID and KID, prepared as clean-fid prepares images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.files.checkpoint import checkpoint_file, told_apart, unreadable
from bench.files.hashes import sha256
from bench.files.published import read_weights
from bench.scorers.features import FeatureScorer
from bench.scorers.precision import full_float32
from bench.types import Context, ScorerInfo

if TYPE_CHECKING:
    import torch

    from bench.types import Image

FILE = "pt_inception-2015-12-05-6726825d.pth"
"""pytorch-fid's release ``fid_weights``; its name holds the start of its SHA-256."""

PUBLISHED = {"6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2": "pytorch-fid's, of TensorFlow's inception-2015-12-05"}

SIDE = 299
"""Of the network's input, in pixels."""


class Inception(FeatureScorer):
    """2048 features of TensorFlow's Inception of 2015-12-05.

    clean-fid runs NVIDIA's translation of the same network, a TorchScript file. Such a file is a program, and none is run here: the same tensors
    come from pytorch-fid's release. The input is scaled as NVIDIA's network has it, (x - 128) / 128; pytorch-fid's own is 2 x / 255 - 1.
    """

    info: ClassVar[ScorerInfo] = ScorerInfo(
        name="inception",
        summary="Features of the FID Inception, for FID and KID (`bench fid`); no number by itself.",
        columns={"features": "2048 activations, before the last layer"},
        higher_is="neither",
        source="Heusel et al., arXiv:1706.08500; Parmar et al., arXiv:2104.11222; mseitzer/pytorch-fid fid_weights; GaParmar/clean-fid 0.1.35",
        licence="Apache-2.0",
        defaults={"weights": None},
    )
    network = "FID Inception"
    width = 2048
    frechet = "fid"
    kernel = "kid"
    kernel_least = 1000
    rules = "clean-fid clean"
    preparation = "PIL's bicubic on each float channel to 299 x 299, not rounded, cut off at 0 and 255, (x - 128) / 128"

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hash of the checkpoint."""
        file = self._file()
        return {f"weights/{file.name}": sha256(file)}

    def known_as(self, context: Context) -> Mapping[str, str]:
        """Return whether the checkpoint is the published one."""
        return told_apart(self.info.name, self.parameters | {"weights": str(self._file())}, PUBLISHED)

    def load(self, context: Context) -> None:
        """Read the checkpoint.

        Raises:
            BenchError: it is damaged or of another network.
        """
        from bench.scorers.inception.network import inception_network

        file = self._file()
        try:
            network = inception_network(read_weights(file).tensors)
        except Exception as error:
            mend = f"Expected {FILE} from the release fid_weights of github.com/mseitzer/pytorch-fid: fetch it again."
            raise unreadable("Inception weights", file, error, mend) from error
        self._network: Any = network.to(context.device)
        self._device = context.device

    def features(self, image: Image) -> list[float]:
        """Return the 2048 features of an RGB image, uint8 (height, width, 3)."""
        import torch

        with full_float32(), torch.inference_mode():
            found: list[float] = self._network(prepare(image)[None].to(self._device))[0].cpu().tolist()
        return found

    def _file(self) -> Path:
        return checkpoint_file(self.info.name, self.parameters, FILE)


def prepare(image: Image) -> torch.Tensor:
    """Return the network's input for an RGB image, uint8 (height, width, 3): float32, shape (3, 299, 299), in [-1, 1).

    Source: Parmar et al. 2022, "On Aliased Resizing"; GaParmar/clean-fid 0.1.35, mode ``clean``.
    """
    import numpy as np
    import torch
    from PIL import Image as Pillow

    channels = [Pillow.fromarray(np.ascontiguousarray(image[..., index], dtype=np.float32)) for index in range(3)]
    scaled = [np.asarray(channel.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC)) for channel in channels]
    return (torch.from_numpy(np.stack(scaled).clip(0, 255)) - 128) / 128
