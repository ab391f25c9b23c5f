"""The authors' own small files: taken as they are, told apart, and refused where they are something else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.runs.scores import choose_scorers
from bench.scorers import aesthetic
from bench.scorers.aesthetic import NUMBERS, SIZES, Aesthetic, read_published
from bench.scorers.q16 import prompts as q16_prompts
from bench.scorers.q16.prompts import read_prompts
from bench.scorers.q16.scorer import Q16
from bench.tracks import load_track
from bench.types import Context

MINI = load_track("mini")


def authors_model() -> torch.nn.Sequential:
    """The predictor's module as its authors define it, with random weights."""
    torch.manual_seed(0)
    linear, dropout = torch.nn.Linear, torch.nn.Dropout
    return torch.nn.Sequential(
        linear(768, 1024), dropout(0.2), linear(1024, 128), dropout(0.2), linear(128, 64), dropout(0.1), linear(64, 16), linear(16, 1)
    ).eval()


def state() -> dict[str, torch.Tensor]:
    return {f"layers.{name}": value for name, value in authors_model().state_dict().items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The authors' file."""
    torch.save(state(), tmp_path / "head.pth")
    return tmp_path / "head.pth"


def test_the_authors_head_gives_their_numbers(file: Path) -> None:
    features = torch.nn.functional.normalize(torch.randn(4, 768), dim=-1)
    values = features.T
    for weight, bias in read_published(file):
        values = weight @ values + bias[:, None]
    torch.testing.assert_close(values[0], authors_model()(features)[:, 0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers.0.weight": torch.zeros(1024, 512)}, r"layers.0.weight has shape \(1024, 512\), the authors' has \(1024, 768\)"),
        ({"layers.7.bias": torch.zeros(2)}, r"layers.7.bias has shape \(2,\)"),
        ({"layers.6.bias": None}, "other layers than the authors', first layers.6.bias"),
        ({"layers.8.weight": torch.zeros(1)}, "first layers.8.weight"),
        ({"layers.2.weight": torch.full((128, 1024), float("nan"))}, "layers.2.weight is not finite"),
    ],
)
def test_another_head_is_refused(file: Path, change: dict[str, torch.Tensor | None], says: str) -> None:
    torch.save({name: value for name, value in {**state(), **change}.items() if value is not None}, file)
    with pytest.raises(BenchError, match=says) as raised:
        read_published(file)
    assert "Expected the authors' sac+logos+ava1-l14-linearMSE.pth" in str(raised.value)


def test_the_head_with_activations_is_told_from_the_linear_one(file: Path) -> None:
    numbers = dict(zip(NUMBERS, (0, 3, 6, 9, 11), strict=True))  # its ReLU layers are numbered too
    torch.save({f"layers.{numbers[int(name.split('.')[1])]}.{name.split('.')[2]}": value for name, value in state().items()}, file)
    with pytest.raises(BenchError, match=r"as ava\+logos-l14-reluMSE.pth has, whose layers have activations between them"):
        read_published(file)


def test_a_head_of_another_clip_is_refused(file: Path) -> None:
    with pytest.raises(BenchError, match=f"takes {SIZES[0]} features, its CLIP gives 128; they must be of one model"):
        Aesthetic(weights=str(file), clip=str(MINI.scorers["aesthetic"]["clip"])).load(Context(MINI))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04."])
def test_a_damaged_head_is_one_clear_line(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(BenchError, match="Cannot read the aesthetic head") as raised:
        read_published(file)
    assert "\n" not in str(raised.value)


def test_the_files_in_circulation_are_told_apart_by_hash(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(torch.ones(2, 768), tmp_path / "prompts.pt")
    scorers = {
        "aesthetic": {"weights": str(file), "clip": MINI.scorers["aesthetic"]["clip"]},
        "q16": {"weights": str(tmp_path / "prompts.pt"), "clip": MINI.scorers["q16"]["clip"]},
    }
    track = MINI.model_copy(update={"scorers": scorers})
    unknown = choose_scorers(["aesthetic", "q16"], track)
    assert [each.description["known_as"] for each in unknown] == [
        {"weights/head.pth": "unknown: none of the published files"},
        {"weights/prompts.pt": "unknown: none of the published files"},
    ]
    for module, each in ((aesthetic, unknown[0]), (q16_prompts, unknown[1])):
        (digest,) = (value for name, value in each.description["weights"].items() if name.startswith("weights/"))
        monkeypatch.setitem(module.PUBLISHED, digest, "the one of the test")
    known = choose_scorers(["aesthetic", "q16"], track)
    assert all("the one of the test" in each.description["known_as"].values() for each in known)
    assert [each.fingerprint for each in known] == [each.fingerprint for each in unknown]  # the same weights are the same scores


def test_the_hashes_are_those_that_the_tracks_fetch() -> None:
    for track in map(load_track, ("sd15", "sdxl")):
        for name, published, says in (
            ("q16", q16_prompts.PUBLISHED, "Q16's own, ViT-L/14"),
            ("aesthetic", aesthetic.PUBLISHED, "sac+logos+ava1-l14-linearMSE.pth, the usual"),
        ):
            assert published[track.scorers[name]["weights"].rpartition("=")[2]].startswith(says)


@pytest.mark.parametrize("kind", [torch.nn.Parameter, torch.Tensor])
def test_prompts_that_torch_wrote_are_read(tmp_path: Path, kind: type[torch.Tensor]) -> None:
    prompts = torch.randn(2, 128)
    torch.save(kind(prompts), tmp_path / "prompts.pt")
    np.testing.assert_array_equal(read_prompts(tmp_path / "prompts.pt"), prompts.numpy())
    Q16(weights=str(tmp_path / "prompts.pt"), clip=MINI.scorers["q16"]["clip"]).load(Context(MINI))


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.mkdir, ("hostile",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (Hostile(), "holds more than a tensor"),
        ({"prompts": torch.ones(2, 8)}, "no small tensor of floats"),
        (torch.ones(2, 8, dtype=torch.int64), "no small tensor of floats"),
        (torch.ones(1).expand(2, 1 << 28), "no small tensor of floats"),  # a view of one number as two GB
        (torch.ones(2, 1 << 18), "larger than"),
        (torch.ones(3, 8), "its shape is"),
        (torch.tensor([[1.0, 2.0], [0.0, 0.0]]), "zero or not finite"),
    ],
    ids=["hostile", "mapping", "integers", "view", "large", "three", "zero"],
)
def test_any_other_torch_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "prompts.pt")
    with pytest.raises(BenchError, match=says):
        read_prompts(tmp_path / "prompts.pt")
    assert not (tmp_path / "hostile").exists()


def test_an_archive_that_unpacks_to_more_is_refused(tmp_path: Path) -> None:
    torch.save(torch.ones(2, 8), tmp_path / "small.pt")
    with zipfile.ZipFile(tmp_path / "small.pt") as small, zipfile.ZipFile(tmp_path / "prompts.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for entry in small.infolist():
            bomb.writestr(entry.filename, bytes(50_000_000) if entry.filename.endswith("data/0") else small.read(entry))
    with pytest.raises(BenchError, match="larger than"):
        read_prompts(tmp_path / "prompts.pt")
