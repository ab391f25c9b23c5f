"""UCE and RECE as recipes: what is saved is the method's own edit; a selection says which detector chose, and what it saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bench.console import Quiet
from bench.errors import BenchError
from bench.tracks import load_track
from bench.types import Context
from methods.overlay import PARTIAL
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
