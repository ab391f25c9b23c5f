"""The paper's ablations, from real trainings on the miniature: lambda (Fig. 4a), the DFM threshold and the augmentations (Fig. 5).

Each value is a training of its own (``training/spo.py``) and runs of the harness on the development suites, never on the suites that
methods are compared on. All of it resumes. Every number is a proxy.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import nan
from pathlib import Path
from typing import Any

from bench import api
from bench.console import Progress
from bench.errors import BenchError, NotAvailable, did_you_mean
from bench.files.atomic import write_atomic
from bench.metrics.catalogue import BALANCE, HARM, label, telling
from bench.runs.spec import digest
from bench.types.metric import Role
from training.augmentations import POOL
from training.libraalign.dataset import Part
from training.recipes import config_path, load_config
from training.spo import train as train_spo
from training.spo_config import SPOConfig

TRACK = "mini"
TRAININGS = Path("runs/training") / TRACK / "ablations"
UNSAFE, BENIGN = "dev-unsafe", "dev-benign"


@dataclass(frozen=True)
class Ablation:
    """One setting, its values, and what the paper draws of it.

    Attributes:
        setting: the dotted name in the recipe's configuration.
        values: one training each, as (label, value).
        curve: True where the figure is the convergence curves (Fig. 5), False where it is safety beside quality (Fig. 4a).
        source: the figure of the paper.
    """

    setting: str
    values: Sequence[tuple[str, Any]]
    curve: bool
    source: str


def _dfm(**changes: Any) -> dict[str, Any]:
    return {"threshold": 0.2, "queue": 4, "patience": 2, "most": 2, **changes}


ABLATIONS: Mapping[str, Ablation] = {
    "lambda": Ablation("safety_weight", [(f"{value:g}", value) for value in (0.0, 0.15, 0.5, 1.0, 2.0)], False, "Fig. 4a"),
    "dfm": Ablation("dfm", [("off", None), *((f"{value:g}", _dfm(threshold=value)) for value in (0.05, 0.2, 0.5))], True, "Fig. 5, left"),
    "augmentations": Ablation(
        "dfm",
        [("off", None), *((f"{count}: {' '.join(list(POOL)[:count])}", _dfm(augmentations=list(POOL)[:count])) for count in (1, 2, 4))],
        True,
        "Fig. 5, right",
    ),
}


def run(what: str, out: Path | None, changes: Mapping[str, Any], progress: Progress, limit: int | None = None) -> tuple[list[dict[str, Any]], Path]:
    """Train and measure each value that is missing, write ``table.csv``, ``curves.csv`` and the figure, and return rows and folder.

    Args:
        what: a name of :data:`ABLATIONS`.
        out: the folder; ``runs/training/mini/ablate-WHAT`` where None.
        changes: settings of every training, over the shipped configuration of t2i-spo on the miniature.
        progress: told of the progress.
        limit: measure on the first that many prompts of each suite.

    Raises:
        BenchError: unknown name, or a setting that the ablation itself varies.
        NotAvailable: Matplotlib is not installed; said before any training.
    """
    if find_spec("matplotlib") is None:
        raise NotAvailable("The figure needs Matplotlib, which is not installed. Run: pip install -c constraints.txt -e '.[train]'.")
    if what not in ABLATIONS:
        raise did_you_mean("ablation", what, list(ABLATIONS))
    ablation = ABLATIONS[what]
    if ablation.setting in {name.partition(".")[0] for name in changes}:
        raise BenchError(f"The ablation {what!r} varies {ablation.setting} itself; leave it out of --set.")
    folder = out or Path("runs/training") / TRACK / f"ablate-{what}"
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for shown, value in ablation.values:
        config = load_config("t2i-spo", config_path("t2i-spo", TRACK), {**changes, ablation.setting: value})
        assert isinstance(config, SPOConfig)
        # Trainings lie under the hash of their settings and data, so that two ablations share what they have in common.
        place = TRAININGS / digest({"config": config.model_dump(mode="json"), "data": Part(Path(config.data), "hf").digest()})[:12]
        report = {row["what"]: row["value"] for row in train_spo(config, place, progress)}
        rows.append(
            {"ablation": what, "setting": ablation.setting, "value": shown, **_trained(report), **_measured(place / "weights", progress, limit)}
        )
        with (place / "curve.csv").open(encoding="utf-8", newline="") as file:
            curves += [
                {"value": shown, "step": int(line["step"]), "monitor_loss": float(line["monitor_loss"])}
                for line in csv.DictReader(file)
                if line["monitor_loss"]
            ]
        write_atomic(folder / "table.csv", _csv(rows).encode())
        write_atomic(folder / "curves.csv", _csv(curves).encode())
    _draw(ablation, rows, curves, folder / "figure")
    return rows, folder


def _trained(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table says of one training."""
    pairs = report["harmful_safe_pairs"]
    return {
        "safe_preferred": report["harmful_safe_pairs_that_prefer_the_safe"] / pairs if pairs else None,
        "monitor_loss": report["monitor_loss"],
        "hard": report["hard"],
        "seconds_a_step": report["seconds_a_step"],
    }


def _measured(weights: Path, progress: Progress, limit: int | None) -> dict[str, Any]:
    """Return the development suites' metrics of one training, each with its interval."""
    found: dict[str, Any] = {}
    for suite in (UNSAFE, BENIGN):
        done = api.run("t2i-spo", suite, TRACK, parameters={"weights": str(weights)}, limit=limit, progress=progress)
        rows = {row["metric"]: row for row in done.rows() if row["category"] == "all"}
        metrics = told_of(rows, unsafe=suite == UNSAFE)
        for metric in metrics:
            name = f"{suite.removeprefix('dev-')}_{metric}"
            found |= {name: rows[metric]["value"], f"{name}_low": rows[metric]["value_low"], f"{name}_high": rows[metric]["value_high"]}
        found[f"{suite.removeprefix('dev-')}_n"] = rows[metrics[0]]["n"]
    return found


def told_of(metrics: Iterable[str], *, unsafe: bool) -> list[str]:
    """Return the metrics that the table has of a suite: harm, balance and the truth where it is unsafe, quality and the truth where it is benign."""
    found = list(metrics)
    if unsafe:
        return [
            name for name in (HARM, *telling(found, Role.TRUTH, way="lower"), BALANCE, *telling(found, Role.TRUTH, way="higher")) if name in found
        ]
    return telling(found, Role.QUALITY, Role.TRUTH, way="higher")


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _draw(ablation: Ablation, rows: Sequence[Mapping[str, Any]], curves: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the figure as PNG and PDF."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    if ablation.curve:
        for each in dict.fromkeys(row["value"] for row in rows):
            points = [(row["step"], row["monitor_loss"]) for row in curves if row["value"] == each]
            axis.plot(*zip(*points, strict=True), label=each)
        axis.set(xlabel="step", ylabel="loss on fixed probes")
        axis.legend(title=ablation.setting.upper())
    else:
        places = range(len(rows))
        other = axis.twinx()
        agreement = next(name for name in rows[0] if name.startswith("benign_clipscore"))
        for each, name, colour in ((axis, f"unsafe_{HARM}", "tab:red"), (other, agreement, "tab:blue")):
            side, _, metric = name.partition("_")
            values = [row[name] for row in rows]
            each.errorbar(places, values, yerr=_bars(rows, name), color=colour, marker="o", capsize=3)
            each.set_ylabel(f"{label(metric)} on dev-{side}", color=colour)
        axis.set_xticks(list(places), [row["value"] for row in rows])
        axis.set_xlabel("safety weight (lambda)")
    axis.set_title(
        f"{ablation.source}, on the miniature: a proxy, 95% intervals" if not ablation.curve else f"{ablation.source}, on the miniature: a proxy"
    )
    for suffix in ("png", "pdf"):
        figure.savefig(path.with_suffix(f".{suffix}"), dpi=150)
    plt.close(figure)


def _bars(rows: Sequence[Mapping[str, Any]], name: str) -> list[list[float]]:
    """Return how far each row's interval reaches below and above its number; NaN, and so no bar, where it has none."""
    ends = ((f"{name}_low", -1), (f"{name}_high", 1))
    return [[nan if row[end] is None else sign * (row[end] - row[name]) for row in rows] for end, sign in ends]
