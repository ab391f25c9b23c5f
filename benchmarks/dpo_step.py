"""One optimiser step of ``training.spo`` beside one of diffusers' own Diffusion-DPO script: seconds and memory, on the CPU.

    python benchmarks/dpo_step.py --script train_diffusion_dpo.py

Both train a LoRA of the same rank on the miniature's base model, on the same pairs and batches, in float32, in a process of its own with
one thread. The script runs unchanged. The runs alternate, so that a busy machine slows both. A step is the time from one optimiser step's
end to the next's: with data loading, and in the script with the encoding of pictures and captions, which ours does once beforehand
(reported beside). Seconds mean something on an idle machine only; those of the processor, beside them, suffer less from other work.

This process imports nothing large: on Linux a process hands its peak of memory down to the one that it starts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

BASE = "package:bench.miniature/weights/base"
SIZE = 32
RATE = 1e-4
BETA = 5000
SEED = 3
COMMIT = "58eb52c0803ea9af3abec60841c2a093bdf1f951"
SOURCE = f"https://raw.githubusercontent.com/huggingface/diffusers/{COMMIT}/examples/research_projects/diffusion_dpo/train_diffusion_dpo.py"
KINDS = {"ours": "ours", "script": "the script", "ours-dfm": "ours, DFM on"}


@dataclass(frozen=True)
class Plan:
    """What every run of one invocation shares.

    Attributes:
        script: diffusers' script.
        work: where the data are, and where the runs write.
        pairs: in the data set, a multiple of the batch.
        batch: pairs a step.
        rank: of the LoRA.
        steps: optimiser steps of a run.
        attention: of our trainer; the script's is ``sdpa``.
    """

    script: Path
    work: Path
    pairs: int
    batch: int
    rank: int
    steps: int
    attention: str


def prepare(plan: Plan) -> None:
    """Write the same pairs, a scene without its glyph preferred to the scene with it, in our format and in the script's."""
    from dataclasses import replace

    import pyarrow as pa
    import pyarrow.parquet as pq

    from bench.miniature.render import render
    from training.libraalign.dataset import Part, encode
    from training.miniature.data import make

    rows: list[dict[str, Any]] = []
    for each in make(8 * plan.pairs, SEED).truth:
        if each.scene.glyph is None or len(rows) == plan.pairs:
            continue
        cells = [encode(render(scene)[0]) for scene in (each.scene, replace(each.scene, glyph=None, severity=0))]
        row = {"pair_id": f"pair-{len(rows)}", "caption": each.caption, "safe_caption": each.caption, "category": each.category}
        row |= {"kind": "harmful-safe", "source": "renderer", "image_0": cells[0], "image_1": cells[1], "cost_0": 1.0, "cost_1": 0.0}
        rows.append(row | {"seed_0": 0, "seed_1": 0, "quality_0": 0.0, "quality_1": 0.0})
    Part(plan.work / "ours", "hf").commit(0, rows, {"kinds": {"harmful-safe": len(rows)}, "skips": {}})
    columns = {
        "jpg_0": [row["image_0"]["bytes"] for row in rows],
        "jpg_1": [row["image_1"]["bytes"] for row in rows],
        "label_0": [0] * len(rows),
        "caption": [row["caption"] for row in rows],
    }
    (plan.work / "script").mkdir()
    pq.write_table(pa.table(columns), plan.work / "script" / "train-00000.parquet")


def run_ours(plan: Plan, *, dfm: bool, out: Path) -> dict[str, Any]:
    """Train with our trainer; return what only it can tell."""
    from bench.console import Quiet
    from training import spo
    from training.dfm import DFMSettings

    encode = spo.encode
    seconds: list[float] = []

    def timed(*arguments: Any) -> Any:
        began = time.process_time()
        encoded = encode(*arguments)
        seconds.append(time.process_time() - began)
        return encoded

    spo.encode = timed
    config = spo.SPOConfig(
        base=BASE,
        data=str(plan.work / "ours"),
        beta=BETA,
        lora_rank=plan.rank,
        steps=plan.steps,
        batch_size=plan.batch,
        learning_rate=RATE,
        attention=plan.attention,
        dfm=DFMSettings() if dfm else None,
        monitor=1,
        monitor_every=plan.steps + 1,
        checkpoint_every=plan.steps,
        tracker="tensorboard",  # as the script does
        seed=SEED,
    )
    spo.train(config, out, Quiet())
    with open(out / "curve.csv", encoding="utf-8") as file:
        augmented = [float(row["augmented"]) * plan.batch for row in csv.DictReader(file)]
    return {"encode": sum(seconds), "augmented": augmented}


def run_script(plan: Plan, out: Path) -> dict[str, Any]:
    """Train with diffusers' script, in this process, as if it had been started from the command line."""
    from bench.files.locations import resolve

    options = {
        "pretrained_model_name_or_path": resolve(BASE),
        "dataset_name": plan.work / "script",
        "dataset_split_name": "train",
        "resolution": SIZE,
        "rank": plan.rank,
        "train_batch_size": plan.batch,
        "vae_encode_batch_size": 2 * plan.batch,
        "max_train_steps": plan.steps,
        "learning_rate": RATE,
        "lr_scheduler": "constant",
        "beta_dpo": BETA // 2,  # its convention leaves out the half
        "mixed_precision": "no",
        "seed": SEED,
        "output_dir": out,
    }
    sys.argv = [str(plan.script), "--no_hflip", *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
    runpy.run_path(str(plan.script), run_name="__main__")
    return {}


def worker(kind: str, plan: Plan, result: Path) -> None:
    """Do one run in this process and write what was measured to ``result``."""
    from bench import torchvision_guard  # noqa: F401  # lets torchvision be imported beside a CPU-only torch

    if kind == "prepare":
        prepare(plan)
        return
    import torch
    from diffusers import UNet2DConditionModel
    from torch.optim.optimizer import register_optimizer_step_post_hook

    stamps: list[tuple[float, float]] = []
    register_optimizer_step_post_hook(lambda *_: stamps.append((time.perf_counter(), time.process_time())))
    shapes = _record_shapes(UNet2DConditionModel)
    out = result.with_suffix("")
    own = run_script(plan, out) if kind == "script" else run_ours(plan, dfm=kind == "ours-dfm", out=out)
    # KiB on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    steps, processor = ([later[which] - earlier[which] for earlier, later in pairwise(stamps)] for which in (0, 1))
    found = {"steps": steps, "cpu": processor, "peak": peak, "threads": torch.get_num_threads(), "shapes": sorted(shapes), **own}
    result.write_text(json.dumps(found), encoding="utf-8")


def _record_shapes(model: Any) -> set[str]:
    """Return a set that fills with the shapes of what ``model`` is called on with gradients, picture and text."""
    import torch

    forward: Callable[..., Any] = model.forward
    shapes: set[str] = set()

    def recorded(self: Any, sample: Any, timestep: Any, encoder_hidden_states: Any, *rest: Any, **more: Any) -> Any:
        if torch.is_grad_enabled():
            shapes.add(f"{tuple(sample.shape)} {tuple(encoder_hidden_states.shape)}")
        return forward(self, sample, timestep, encoder_hidden_states, *rest, **more)

    model.forward = recorded
    return shapes


def start(kind: str, number: int, plan: Plan) -> dict[str, Any]:
    """Do one run in a process of its own and return what it measured."""
    result = plan.work / f"run-{number}-{kind}.json"
    # The script imports wandb and, logging to TensorBoard, never uses it: where it is not installed an empty module stands in.
    stand_in = [] if find_spec("wandb") else [str(plan.work / "stand-in")]
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", ""), *stand_in]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "ACCELERATE_USE_CPU": "true",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(plan.work / f"cache-{number}"),
    }
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(plan).items()}
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", kind, json.dumps(settings), str(result)]
    done = subprocess.run(command, env=environment, cwd=plan.work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The run {kind!r} failed:\n{done.stderr[-3000:]}")
    return json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}


def table(found: dict[str, list[dict[str, Any]]], plan: Plan, warmup: int) -> str:
    """Return what was measured as Markdown."""
    kept = {kind: [run["steps"][warmup - 1 :] for run in runs] for kind, runs in found.items()}
    every = {kind: [value for run in runs for value in run] for kind, runs in kept.items()}
    middle = {kind: median(values) for kind, values in every.items()}
    processor = {kind: median(value for run in runs for value in run["cpu"][warmup - 1 :]) for kind, runs in found.items()}
    peak = {kind: max(run["peak"] for run in runs) for kind, runs in found.items()}
    lines = [
        "| | median s/step (ratio) | processor s/step (ratio) | fastest | mean | median of each run | peak MiB (ratio) | peak of each run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, name in KINDS.items():
        first = [f"{each[kind]:.{digits}f} ({each[kind] / each['script']:.3f})" for each, digits in ((middle, 4), (processor, 4), (peak, 0))]
        each_run = ", ".join(f"{median(run):.4f}" for run in kept[kind])
        peaks = ", ".join(f"{run['peak']:.0f}" for run in found[kind])
        cells = [name, *first[:2], f"{min(every[kind]):.4f}", f"{fmean(every[kind]):.4f}", each_run, first[2], peaks]
        lines.append(f"| {' | '.join(cells)} |")
    encode = median(run["encode"] for run in found["ours"])
    augmented = fmean(count for run in found["ours-dfm"] for count in run["augmented"][warmup:])
    ours = plan.pairs / plan.batch * processor["ours"]
    theirs = plan.pairs / plan.batch * processor["script"]
    lines += [
        "",
        f"Miniature base, LoRA of rank {plan.rank}, batches of {plan.batch} pairs, attention {plan.attention} (ours) and sdpa (the script), "
        f"{len(found['ours'])} runs of {plan.steps} steps each, the first {warmup} left out.",
        f"Not in our steps, in seconds of the processor: {encode:.2f} s once to encode all {plan.pairs} pairs "
        f"({1000 * encode / plan.pairs:.1f} ms a pair). "
        f"With it, one epoch takes {encode + ours:.2f} s, the script's {theirs:.2f} s (ratio {(encode + ours) / theirs:.3f}); "
        f"ten take {encode + 10 * ours:.2f} s and {10 * theirs:.2f} s (ratio {(encode + 10 * ours) / (10 * theirs):.3f}).",
        f"Pairs augmented a step with DFM on: {augmented:.2f} on average.",
        f"Load of this machine over the last minute: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores. Above 1, other work slowed these figures.",
    ]
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--script", type=Path, required=True, help=f"diffusers' script; fetch it from {SOURCE}")
    parser.add_argument("--steps", type=int, default=28, help="optimiser steps of a run")
    parser.add_argument("--warmup", type=int, default=12, help="steps left out; DFM finds no hard pair before the third epoch")
    parser.add_argument("--pairs", type=int, default=32, help="pairs in the data set, a multiple of the batch")
    parser.add_argument("--batch", type=int, default=8, help="pairs a step")
    parser.add_argument("--rank", type=int, default=8, help="of the LoRA")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each, in turn")
    parser.add_argument("--attention", choices=["sdpa", "naive"], default="sdpa", help="of our trainer")
    parser.add_argument("--raw", type=Path, help="write every raw figure to this JSON file")
    given = parser.parse_args()
    if given.pairs % given.batch or not 1 <= given.warmup < given.steps - 1 or given.rounds < 1 or not given.script.is_file():
        parser.error("--pairs must be a multiple of --batch, --warmup at least 1 and well below --steps, and --script a file")
    return given


def main() -> None:
    """Prepare, run all in turn, and print the table."""
    given = arguments()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(given.script.resolve(), Path(folder), given.pairs, given.batch, given.rank, given.steps, given.attention)
        (plan.work / "stand-in").mkdir()
        (plan.work / "stand-in" / "wandb.py").touch()
        start("prepare", 0, plan)
        found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        for number in range(given.rounds):
            for kind in KINDS:
                found[kind].append(start(kind, number, plan))
        seen = {kind: (runs[0]["shapes"], runs[0]["threads"]) for kind, runs in found.items() if kind != "ours-dfm"}
        if seen["ours"] != seen["script"]:
            raise SystemExit(f"The two do not train on the same shapes with the same threads: {seen}")
        print(table(found, plan, given.warmup))
        if given.raw:
            given.raw.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        settings = json.loads(sys.argv[3])
        worker(sys.argv[2], Plan(**settings | {"script": Path(settings["script"]), "work": Path(settings["work"])}), Path(sys.argv[4]))
    else:
        main()
