"""UCE and RECE as recipes: what is saved is the method's own edit; a selection says which detector chose, and what it saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from bench.console import Quiet
from bench.errors import BenchError
from bench.runs.spec import method_on
from bench.tracks import load_track
from bench.types import Context
from methods.finding import PARTIAL
from methods.rece import RECE
from methods.uce import UCE
from training.edits import EditConfig, train


@pytest.mark.parametrize("name", ["uce", "rece"])
def test_what_is_saved_is_the_methods_edit(name: str, tmp_path: Path) -> None:
    kind, parameters = {"uce": (UCE, {"rows": "last"}), "rece": (RECE, {"epochs": 1})}[name]
    rows = train(EditConfig(method=name, track="mini", parameters=parameters), tmp_path, Quiet())  # type: ignore[arg-type]
    assert rows[-1]["selected"] and [row["selected"] for row in rows].count(True) == 1
    method = kind(**parameters)
    method.load(Context(load_track("mini")))
    own = dict(method.sampler.pipeline.unet.named_parameters())
    saved = load_file(tmp_path / "weights" / PARTIAL)
    assert len(saved) == 14 and all(torch.equal(value, own[key]) for key, value in saved.items())
    assert train(EditConfig(method=name, track="mini", parameters=parameters), tmp_path, Quiet()) == rows  # type: ignore[arg-type]
    with pytest.raises(BenchError, match="finished edit with other settings"):
        train(EditConfig(method=name, track="mini"), tmp_path, Quiet())  # type: ignore[arg-type]


def test_on_sdxl_a_run_and_the_recipe_solve_one_edit_by_the_release_that_knows_sdxl(tiny_sdxl: Path, tmp_path: Path) -> None:
    sdxl = load_track("sdxl")
    track = tmp_path / "tiny.yaml"
    changed = {"name": "tiny", "base": str(tiny_sdxl), "width": 64, "height": 64, "concepts": {"unsafe": ["vorn", "skell"], "neutral": [""]}}
    track.write_text(yaml.safe_dump(sdxl.model_dump(mode="json") | changed))
    shipped = yaml.safe_load(Path("training/configs/uce-sdxl.yaml").read_text())
    train(EditConfig(**(shipped | {"track": str(track), "device": "cpu"})), tmp_path / "made", Quiet())
    saved = load_file(tmp_path / "made" / "weights" / PARTIAL)
    adapter, parameters = method_on("uce", load_track(str(track)), {})
    assert (parameters["rows"], parameters["preserve_empty"]) == ("last", False)
    method = adapter(**parameters)
    method.load(Context(load_track(str(track))))
    own = dict(method.sampler.pipeline.unet.named_parameters())
    assert saved and all(torch.equal(value, own[key]) for key, value in saved.items())
    paper = UCE()
    paper.load(Context(load_track(str(track))))
    other = {key: value.detach() for key, value in paper.sampler.pipeline.unet.named_parameters()}
    assert max(float((value - other[key]).norm() / value.norm()) for key, value in saved.items()) > 1e-3


def test_the_epoch_with_the_fewest_detections_is_kept(tmp_path: Path) -> None:
    config = EditConfig(method="rece", track="mini", select="val", limit=6, parameters={"epochs": 1})
    rows = train(config, tmp_path, Quiet())
    assert [row["model"] for row in rows] == ["uce", "epoch 1"]
    assert all(row["n"] == 6 and row["rate_low"] <= row["rate"] <= row["rate_high"] for row in rows)
    chosen = next(row for row in rows if row["selected"])
    assert chosen["rate"] == min(row["rate"] for row in rows)
    detector = json.loads((tmp_path / "report.json").read_text())["detector"]
    assert (detector["scorer"], detector["threshold"], detector["suite"], detector["prompts"]) == ("glyphs", 0.5, "dev-unsafe", 6)
    assert all(len(digest) == 64 for digest in detector["weights"].values())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"method": "uce", "select": "val"}, "no epochs to select from"),
        ({"method": "rece", "parameters": {"weights": "x"}}, "leave out the parameter"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(bad: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=says):
        train(EditConfig(track="mini", **bad), tmp_path, Quiet())  # type: ignore[arg-type]
