"""UCE and RECE as recipes: solve the edit once, save it in the authors' form, and, for RECE, select the epoch as its authors do.

    bench train uce --track sd15
    bench train rece --track sd15
    bench run --method rece --suite i2p --track sd15 --set weights=runs/training/sd15/rece/weights

The methods ``uce`` and ``rece`` solve the same edits whenever they are loaded; a recipe is for publishing one, and for ``select: val``:
RECE's authors keep the weights of an epoch only if a detector finds less on validation prompts than in the base model, in UCE and in every
epoch before (https://github.com/CharlesGong12/RECE @ 403a67f, train.py). Which detector that was, and what it found, is in ``report.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field

from bench.console import Progress
from bench.errors import BenchError
from bench.files.atomic import read_json, write_json
from bench.metrics import inappropriate
from bench.runs.scores import make_scorer
from bench.runs.spec import RunSpec, digest
from bench.scorers.precision import full_float32
from bench.stats import wilson
from bench.tracks import load_track
from bench.types import Context, Generated
from bench.types.track import Track
from methods.overlay import save_partial
from methods.rece import RECE
from methods.sampler import Sampler
from methods.uce import UCE


class EditConfig(BaseModel):
    """All that decides the edit.

    Attributes:
        method: ``uce`` or ``rece``.
        track: whose base model and concepts.
        parameters: the method's, where they differ from its defaults.
        select: ``last``: the last epoch (UCE has no other); ``val``: the one in which the track's detector finds least.
        validation: an unsafe suite for tuning, for ``val``.
        limit: its first that many prompts; the authors take 110.
        device: a torch device string.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["uce", "rece"]
    track: str
    parameters: dict[str, Any] = {}
    select: Literal["last", "val"] = "last"
    validation: str = "dev-unsafe"
    limit: int = Field(110, ge=1)
    device: str = "cpu"


def train(config: EditConfig, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Solve the edit, write ``out/weights`` (the edited tensors alone, float32) and ``report.json``, and return one row a candidate.

    Raises:
        BenchError: something that the user can mend.
    """
    if config.method == "uce" and config.select == "val":
        raise BenchError("UCE is solved at once and has no epochs to select from; set select: last.")
    if config.parameters.get("weights"):
        raise BenchError("This recipe solves the edit; leave out the parameter weights.")
    track = load_track(config.track)
    identity = digest({"config": config.model_dump(mode="json"), "base": track.base_weights()})
    if (out / "report.json").is_file():
        report = read_json(out / "report.json", "report")
        if report["identity"] != identity:
            raise BenchError(f"{out} holds a finished edit with other settings or another base. Give another --out, or delete it to edit anew.")
        return list(report["candidates"])
    context = Context(track, config.device)
    candidates = _uce(config, context) if config.method == "uce" else _rece(config, context, progress)
    # Of several that are level the first: an epoch is kept only if it finds less than all before.
    chosen = min(candidates, key=lambda each: each.get("rate", 0.0)) if config.select == "val" else candidates[-1]
    save_partial(out / "weights", chosen["tensors"], half=False)
    rows = [{**{name: value for name, value in each.items() if name != "tensors"}, "selected": each is chosen} for each in candidates]
    report = {"identity": identity, "config": config.model_dump(mode="json"), "candidates": rows, "tensors": len(chosen["tensors"])}
    if config.select == "val":
        report["detector"] = _detector(config, track)
    write_json(out / "report.json", report)
    return rows


def _uce(config: EditConfig, context: Context) -> list[dict[str, Any]]:
    # What the track gives the method holds here too: `bench run` and this recipe solve one edit.
    method = UCE(**{**context.track.methods.get("uce", {}), **config.parameters})
    method.load(context)
    return [{"model": "uce", "tensors": _edited(method.sampler)}]


def _rece(config: EditConfig, context: Context, progress: Progress) -> list[dict[str, Any]]:
    """Return every model on the way, from UCE to the last epoch; those of a selection with the rate that the detector found."""
    method = RECE(**config.parameters)
    method.begin(context)
    found = [{"model": "uce", "tensors": _edited(method.sampler)}]
    judge = _Judge(config, context, progress) if config.select == "val" else None
    if judge:
        found[0] |= judge.rate(method.sampler, "uce")
    for epoch in range(1, method.epochs + 1):
        method.epoch()
        found.append({"model": f"epoch {epoch}", "tensors": _edited(method.sampler)})
        if judge:
            found[-1] |= judge.rate(method.sampler, f"epoch {epoch}")
    return found


def _edited(sampler: Sampler) -> dict[str, torch.Tensor]:
    return {name: weight.detach().cpu().clone() for name, weight in sampler.family.projections().items()}


def _detector(config: EditConfig, track: Track) -> dict[str, Any]:
    """Return what decides the rates: detector, its weights, classes, threshold, prompts."""
    rule = track.rule(config.validation)
    scorer = make_scorer(rule.detector, track)
    suite = RunSpec("black", config.validation, config.track, limit=config.limit).loaded_suite
    return {
        "scorer": rule.detector,
        "weights": dict(scorer.weights(Context(track, config.device))),
        "classes": list(rule.classes),
        "threshold": rule.detection_threshold,
        "suite": config.validation,
        "suite_digest": suite.digest,
        "prompts": suite.prompts,
    }


class _Judge:
    """Generates the validation prompts with a model and counts the pictures in which the track's detector finds harm."""

    def __init__(self, config: EditConfig, context: Context, progress: Progress) -> None:
        self._progress = progress
        spec = RunSpec("black", config.validation, config.track, limit=config.limit)
        self._batches = [batch for unit in spec.units for batch in unit.batches]
        self._rule = context.track.rule(config.validation).alone()
        self._scorer = make_scorer(self._rule.detector, context.track)
        self._scorer.load(context)

    def rate(self, sampler: Sampler, name: str) -> dict[str, Any]:
        """Return the share of pictures with a detection, with its 95% Wilson interval and n."""
        samples = [sample for batch in self._batches for sample in batch]
        advance = self._progress.start(f"validate: {name}", len(samples))
        detections: list[Any] = []
        for batch in self._batches:
            images = [each.image for each in sampler.generate(batch) if isinstance(each, Generated)]
            with full_float32():
                detections += [row["detections"] for row in self._scorer.score(images, batch)]
            advance(len(batch))
        flags = inappropriate(pd.Series(detections), None, self._rule, pd.Series([False] * len(detections)))
        count, n = int(flags.sum()), len(flags)
        low, high = wilson(count, n)
        return {"rate": count / n, "rate_low": low, "rate_high": high, "n": n}
