"""The Inception scorer on hand-made weights: clean-fid's resizing by another's code, pytorch-fid's values, files that are not what they should be."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import bench
from bench.errors import BenchError, NotAvailable
from bench.miniature.render import render
from bench.miniature.scene import Scene
from bench.runs.folder import RunFolder
from bench.scorers.inception.network import inception_network
from bench.scorers.inception.scorer import FILE, Inception, prepare
from bench.tracks import load_track
from bench.types import Context

# isort: split
from torchvision.models import inception_v3

CONTEXT = Context(load_track("mini"))
PICTURE = render(Scene("circle", "red", "solid", "left", "mint", "harbor", None, 0, "cloud", 1, 7))[0]
RNG = np.random.default_rng(3)


def hand_made(name: str, like: torch.Tensor) -> torch.Tensor:
    """Return a tensor that is the same on every machine, scaled to what a trained layer has."""
    uniform = np.random.default_rng(zlib.crc32(name.encode())).random(tuple(like.shape), dtype=np.float32)
    if like.ndim == 4:
        return torch.from_numpy((uniform - 0.5) * np.float32((24 / like[0].numel()) ** 0.5))
    return torch.from_numpy(uniform + (0.5 if name.endswith(("running_var", "bn.weight")) else -0.5))


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Weights with the names and shapes of the published file, without its counters."""
    model = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    return {name: hand_made(name, value) for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}


@pytest.fixture(scope="module")
def weights(tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint file."""
    file = tmp_path_factory.mktemp("inception") / FILE
    torch.save(tensors, file)
    return file


@pytest.fixture(scope="module")
def scorer(weights: Path) -> Inception:
    scorer = Inception(weights=str(weights))
    scorer.load(CONTEXT)
    return scorer


def resized(channel: np.ndarray, side: int) -> np.ndarray:
    """Return a channel scaled to ``side`` in each direction: Keys' cubic with a = -1/2, stretched where it shrinks, in float64."""

    def matrix(length: int) -> np.ndarray:
        scale = length / side
        stretch = max(scale, 1.0)
        away = np.abs((np.arange(length) + 0.5)[None] - (np.arange(side) + 0.5)[:, None] * scale) / stretch
        near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        weights = np.where(away < 1, near, np.where(away < 2, far, 0.0))
        return weights / weights.sum(axis=1, keepdims=True)

    return matrix(channel.shape[0]) @ channel.astype(np.float64) @ matrix(channel.shape[1]).T


@pytest.mark.parametrize("size", [(32, 32), (299, 299), (512, 512), (640, 427), (48, 700)], ids=str)
def test_images_are_prepared_as_clean_fid_has_it(size: tuple[int, int]) -> None:
    image = RNG.integers(256, size=(*size, 3), dtype=np.uint8)
    expected = np.stack([resized(image[..., index], 299) for index in range(3)])
    assert size != (32, 32) or ((expected < 0).any() and (expected > 255).any())  # the cubic overshoots, and is cut off
    found = prepare(image)
    assert found.shape == (3, 299, 299) and found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy() * 128 + 128, expected.clip(0, 255), atol=2e-4)


def test_features_are_pytorch_fids(scorer: Inception) -> None:
    # pytorch_fid 0.3.0's InceptionV3 with the same tensors and input gives these, bit for bit, on the machine where it was run.
    found = np.array(scorer.features(PICTURE))
    np.testing.assert_allclose(found[[0, 1, 500, 1000, 1500]], [2.8851676, 0.0, 7.2122774, 0.0131649, 10.861351], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose([found.mean(), found.std(), (found == 0).mean()], [4.0379632, 5.5925287, 257 / 2048], rtol=1e-4)


def test_the_counters_of_training_may_be_there(tensors: dict[str, torch.Tensor], scorer: Inception) -> None:
    counters = {name.replace("running_var", "num_batches_tracked"): torch.tensor(7) for name in tensors if name.endswith("running_var")}
    network = inception_network({**tensors, **counters})
    with torch.inference_mode():
        assert network(prepare(PICTURE)[None])[0].tolist() == scorer.features(PICTURE)


def test_features_are_kept_as_they_are(toy: object, weights: Path, scorer: Inception, tmp_path: Path) -> None:
    track = tmp_path / "track.yaml"
    described = load_track("mini").model_dump(mode="json") | {"scorers": {"inception": {"weights": str(weights)}}, "scored_on": {}}
    track.write_text(yaml.safe_dump(described), encoding="utf-8")
    done = bench.run("toy", "coco30k", str(track), limit=2, workers=1, out=tmp_path, scorers=["inception"])
    folder = RunFolder.open(done.path)
    (stored,) = folder.score_sets()
    table = folder.scores(stored)
    assert table is not None and str(table.schema.field("features").type) == "fixed_size_list<element: float>[2048]"
    for row, sample in zip(table.to_pylist(), folder.samples().to_pylist(), strict=True):
        assert row["features"] == scorer.features(folder.images.get(sample["image"]))
    assert "inception_features" not in bench.load_run(done.path).records()  # a vector is no number to report


def _without(tensors: dict[str, torch.Tensor]) -> Any:
    return {name: value for name, value in tensors.items() if name != "Mixed_7c.branch_pool.conv.weight"}


BAD: list[tuple[Callable[[dict[str, torch.Tensor]], Any], str]] = [
    (_without, "1 tensors are missing, first Mixed_7c.branch_pool.conv.weight"),
    (lambda tensors: {"fc.bias": torch.full((1008,), np.nan)}, "fc.bias is not finite"),
    (lambda tensors: {"model": print}, "holds more than tensors"),
]


@pytest.mark.parametrize(("spoil", "says"), BAD, ids=["missing", "nan", "code"])
def test_a_checkpoint_that_is_another_is_refused(spoil: Any, says: str, tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(spoil(tensors), tmp_path / FILE)
    with pytest.raises(BenchError, match=f"Cannot read the Inception weights .*{says}.*release fid_weights") as caught:
        Inception(weights=str(tmp_path)).load(CONTEXT)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_file_is_not_run(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / FILE))
    with pytest.raises(BenchError, match="Cannot read the Inception weights"):
        Inception(weights=str(tmp_path)).load(CONTEXT)


def test_weights_are_told_apart(weights: Path, tmp_path: Path) -> None:
    scorer = Inception(weights=str(weights.parent))
    assert list(scorer.weights(CONTEXT)) == [f"weights/{FILE}"]
    assert scorer.known_as(CONTEXT) == {f"weights/{FILE}": "unknown: none of the published files"}
    with pytest.raises(NotAvailable, match=f"reads {FILE}, which {tmp_path} does not hold"):
        Inception(weights=str(tmp_path)).weights(CONTEXT)
