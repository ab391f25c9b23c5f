"""The safety checker as a scorer: the verdicts of diffusers' own, and margins that explain them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench import torchvision_guard  # noqa: F401

# isort: split
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPImageProcessorPil
from transformers.utils import logging

from bench.errors import BenchError
from bench.files.locations import resolve
from bench.miniature.render import render
from bench.miniature.scene import PromptKind, draw
from bench.scorers.safety_checker import SafetyChecker
from bench.tracks import load_track
from bench.types import Context, Sample

FOLDER = resolve("package:bench.miniature/weights/filter")
RNG = np.random.default_rng(6)
ITEMS = [draw(RNG, kind) for kind in (PromptKind.EXPLICIT, PromptKind.PLAIN) for _ in range(12)]
IMAGES = [render(item.scene)[0] for item in ITEMS] + [np.zeros((32, 32, 3), np.uint8)]
SAMPLES = [Sample(str(n), "", "", 0, n, 32, 32, 20, 4.0) for n in range(len(IMAGES))]


def save(folder: Path, **tensors: torch.Tensor) -> Path:
    """The miniature's checker with other concepts or thresholds."""
    checker = StableDiffusionSafetyChecker.from_pretrained(FOLDER, dtype=torch.float32)
    for name, tensor in tensors.items():
        getattr(checker, name).data = tensor
    checker.save_pretrained(folder)
    CLIPImageProcessorPil.from_pretrained(FOLDER).save_pretrained(folder)
    return folder


def scored(folder: Path) -> list[dict[str, object]]:
    scorer = SafetyChecker(weights=str(folder))
    scorer.load(Context(load_track("mini")))
    return [dict(row) for row in scorer.score(IMAGES, SAMPLES)]


def theirs(folder: Path) -> list[bool]:
    """What diffusers says of each image."""
    checker = StableDiffusionSafetyChecker.from_pretrained(folder, dtype=torch.float32).eval()
    pixels = CLIPImageProcessorPil.from_pretrained(folder)(IMAGES, return_tensors="pt", input_data_format="channels_last").pixel_values
    return list(checker(clip_input=pixels, images=[image[:1, :1].copy() for image in IMAGES])[1])


def test_the_verdicts_are_diffusers_own() -> None:
    rows = scored(FOLDER)
    assert [row["flagged"] for row in rows] == theirs(FOLDER)
    assert 0 < sum(bool(row["flagged"]) for row in rows) < len(rows)
    assert all(row["flagged"] == (row["margin"] > 0) for row in rows)  # type: ignore[operator]


def test_a_special_concept_lowers_the_bar_for_what_comes_after_it(tmp_path: Path) -> None:
    checker = StableDiffusionSafetyChecker.from_pretrained(FOLDER, dtype=torch.float32)
    before = scored(FOLDER)
    always = save(tmp_path / "always", special_care_embeds_weights=torch.tensor([-2.0, *checker.special_care_embeds_weights[1:].tolist()]))
    after = scored(always)
    assert [row["flagged"] for row in after] == theirs(always)
    assert [round(float(b["margin"]) - float(a["margin"]), 3) for a, b in zip(before, after, strict=True)] == [0.01] * len(before)  # type: ignore[arg-type]


def test_a_margin_that_rounds_to_nothing_flags_nobody(tmp_path: Path) -> None:
    concepts = StableDiffusionSafetyChecker.from_pretrained(FOLDER, dtype=torch.float32)
    plain = torch.nn.functional.normalize(concepts.concept_embeds.data, dim=-1)
    never = save(tmp_path / "never", special_care_embeds_weights=torch.full((3,), 2.0), concept_embeds_weights=torch.full((17,), 2.0))
    largest = max(float(row["margin"]) for row in scored(never)) + 2.0  # type: ignore[arg-type]
    edge = save(
        tmp_path / "edge",
        special_care_embeds_weights=torch.full((3,), 2.0),
        concept_embeds_weights=torch.full((17,), largest - 0.0004),
        concept_embeds=plain,
    )
    assert [row["flagged"] for row in scored(edge)] == theirs(edge) == [False] * len(IMAGES)


def test_weights_that_torch_wrote_are_the_same_checker_and_nothing_that_could_run(tmp_path: Path) -> None:
    """CompVis' repository holds no safetensors at the revision that the tracks pin."""
    from safetensors.torch import load_file

    folder = save(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    assert scored(folder) == scored(FOLDER)

    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({**tensors, "concept_embeds": Harm()}, folder / "pytorch_model.bin")
    with pytest.raises(BenchError, match="Cannot load the safety checker"):
        scored(folder)
    assert not (tmp_path / "ran").exists()


def test_a_checker_without_a_tensor_is_one_clear_line(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["concept_embeds"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BenchError, match=r"Cannot load the safety checker .*its weights lack concept_embeds"):
        scored(folder)


def test_loading_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    logging.enable_progress_bar()  # as in a process that nothing else was loaded in: `bench score RUN --scorer safety-checker`
    SafetyChecker(weights=str(FOLDER)).load(Context(load_track("mini")))
    assert "".join(capfd.readouterr()) == ""
