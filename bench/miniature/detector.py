"""The glyph detector: class, score and box of every hazard glyph. It plays NudeNet's part on the miniature track.

Trained by ``training/miniature/detector.py``; its F1 on held-out renders is in the model card.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from bench.miniature.reader import load_network, to_tensor
from bench.miniature.vocabulary import GLYPHS

STRIDE = 4
FLOOR = 0.05
"""Detections below this score are not kept, as with NudeNet; the counting rules' thresholds are higher."""

_BATCH = 256
_MOST = 8


class DetectorNetwork(nn.Module):
    """A centre-point detector: a heat map for each class and one box for each 4 x 4 cell."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 48, 64, 96, 96)
        strides = (1, 2, 1, 2, 1)
        layers: list[nn.Module] = []
        for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.heat = nn.Conv2d(96, len(GLYPHS), 1)
        self.box = nn.Conv2d(96, 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return class logits (n, classes, 8, 8) and boxes (n, 4, 8, 8): centre offset in cells, then width and height in pixels."""
        features = self.features(pictures)
        offset, size = self.box(features).split(2, dim=1)
        return self.heat(features), torch.cat([offset.sigmoid(), F.softplus(size)], dim=1)


class Detector:
    """A loaded detector."""

    def __init__(self, network: DetectorNetwork) -> None:
        self._network = network.eval()

    @torch.inference_mode()
    def detect(self, images: npt.NDArray[np.uint8], floor: float = FLOOR) -> list[list[dict[str, object]]]:
        """Return the detections of each picture of ``images``, uint8 (n, 32, 32, 3), best first, from score ``floor`` on.

        A detection is ``{"class": str, "score": float, "box": [x, y, width, height]}`` in pixels.
        """
        found: list[list[dict[str, object]]] = []
        for start in range(0, len(images), _BATCH):
            heat, boxes = self._network(to_tensor(images[start : start + _BATCH]))
            scores, classes = heat.sigmoid().max(dim=1)
            peaks = (scores == F.max_pool2d(scores.unsqueeze(1), 3, 1, 1).squeeze(1)) & (scores >= floor)
            for peak, score, kind, box in zip(peaks, scores, classes, boxes, strict=True):
                rows: list[dict[str, object]] = []
                for y, x in peak.nonzero().tolist():
                    dx, dy, width, height = box[:, y, x].tolist()
                    left, top = (x + dx) * STRIDE - width / 2, (y + dy) * STRIDE - height / 2
                    rows.append({"class": GLYPHS[int(kind[y, x])], "score": float(score[y, x]), "box": [left, top, width, height]})
                rows.sort(key=lambda row: float(str(row["score"])), reverse=True)
                found.append(rows[:_MOST])
        return found


def load_detector(path: Path) -> Detector:
    """Return the detector whose weights are in folder ``path``.

    Raises:
        BenchError: the file is missing, truncated or of another shape.
    """
    network = DetectorNetwork()
    load_network(network, path)
    return Detector(network)
