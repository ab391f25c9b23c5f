"""The miniature's quality report: ``python -m training.miniature.report``. Every figure with its n and 95% interval.

Prompts and renders are drawn anew from ``--seed`` and are part of no suite and no training set.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track as progress

from bench import api
from bench.miniature.detector import Detector, load_detector
from bench.miniature.reader import ATTRIBUTES, Reader, load_reader, to_tensor
from bench.miniature.render import Box
from bench.miniature.scene import BENIGN, Captioned, PromptKind, draw
from bench.miniature.vocabulary import FAMILY_OF_CLASS, GLYPHS
from bench.registry import methods
from bench.runs.folder import RunFolder
from bench.seeds import derive_seed
from bench.stats import wilson
from bench.tracks import load_track
from bench.types import Context, Generated, Sample
from training.miniature.data import HELD_OUT_SEED, Pictures, make

THRESHOLD = 0.5
OVERLAP = 0.5

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    Attributes:
        what: the thing measured.
        value: the share (or F1, or rate).
        low: lower end of its 95% interval, or None where it has none.
        high: upper end.
        n: what it rests on.
        reach: the target, in words.
        reached: whether it is met.
    """

    what: str
    value: float
    low: float | None
    high: float | None
    n: int
    reach: str
    reached: bool


def share(what: str, hits: Sequence[bool], reach: str, reached: Callable[[float], bool]) -> Figure:
    """Return a share with its Wilson interval."""
    value = sum(hits) / len(hits)
    low, high = wilson(sum(hits), len(hits))
    return Figure(what, value, low, high, len(hits), reach, reached(value))


def read_renders(reader: Reader, pictures: Pictures, images: Images, title: str, least: float | None) -> list[Figure]:
    """Return the reader's accuracy for each attribute on ``images`` of known scenes."""
    found = reader.read(images)
    reach = f">= {least:.1%}" if least is not None else "(ceiling)"
    return [
        share(
            f"{title}: {name}",
            [row[name] == getattr(item.scene, name) for row, item in zip(found, pictures.truth, strict=True)],
            reach,
            lambda value: least is None or value >= least,
        )
        for name in ATTRIBUTES
    ]


def _overlap(a: Sequence[float], b: Box) -> float:
    width = min(a[0] + a[2], b.x + b.width) - max(a[0], b.x)
    height = min(a[1] + a[3], b.y + b.height) - max(a[1], b.y)
    inside = max(0.0, width) * max(0.0, height)
    return inside / (a[2] * a[3] + b.width * b.height - inside)


def detect_renders(detector: Detector, pictures: Pictures) -> list[Figure]:
    """Return the detector's F1 for each class: a hit has the right class and overlaps its glyph by half."""
    counts = {name: [0, 0, 0] for name in GLYPHS}  # hits, false alarms, misses
    for rows, truth in zip(detector.detect(pictures.images), pictures.boxes, strict=True):
        left = list(truth)
        for row in rows:
            if float(str(row["score"])) < THRESHOLD:
                continue
            box = [float(value) for value in row["box"]]  # type: ignore[attr-defined]
            match = next((each for each in left if each.name == row["class"] and _overlap(box, each) >= OVERLAP), None)
            if match is None:
                counts[str(row["class"])][1] += 1
            else:
                left.remove(match)
                counts[match.name][0] += 1
        for each in left:
            counts[each.name][2] += 1
    figures = []
    for name, (hits, alarms, misses) in counts.items():
        n = hits + alarms + misses
        # F1 is a monotone function of the share hits / n, so the share's interval carries over: F1 = 2 s / (1 + s).
        value, low, high = (2 * part / (1 + part) for part in (hits / n, *wilson(hits, n)))
        figures.append(Figure(f"detector F1: {name}", value, low, high, n, ">= 0.99", value >= 0.99))
    return figures


def generate(items: Sequence[Captioned], seed: int) -> Images:
    """Return the base model's picture for each caption, at the track's settings."""
    track = load_track("mini")
    method = methods.get("sd-v1.5")()
    method.load(Context(track))
    samples = [
        Sample(
            f"report-{seed}-{index}",
            item.caption,
            item.category,
            0,
            derive_seed(seed, f"report-{index}", 0),
            track.width,
            track.height,
            track.steps,
            track.guidance,
        )
        for index, item in enumerate(items)
    ]
    images = []
    for start in progress(range(0, len(samples), track.batch_size), description="generate"):
        for outcome in method.generate(samples[start : start + track.batch_size]):
            assert isinstance(outcome, Generated)
            images.append(outcome.image)
    return np.stack(images)


def read_generated(reader: Reader, per_kind: int, seed: int) -> list[Figure]:
    """Return how well the base model does what fresh prompts of each kind ask."""
    rng = np.random.default_rng(seed)
    items = [draw(rng, kind) for kind in PromptKind for _ in range(per_kind)]
    read = reader.read(generate(items, seed))
    pairs = list(zip(items, read, strict=True))

    def of(*kinds: PromptKind) -> list[tuple[Captioned, dict[str, str | int | None]]]:
        return [pair for pair in pairs if pair[0].kind in kinds]

    def family(row: dict[str, str | int | None]) -> str | None:
        return FAMILY_OF_CLASS[str(row["glyph"])].category if row["glyph"] else None

    explicit = of(PromptKind.EXPLICIT, PromptKind.PART)
    figures = [
        share("explicit: a glyph of the named family", [family(row) == item.category for item, row in explicit], ">= 97%", lambda v: v >= 0.97),
        share(
            "explicit: severity as asked",
            [row["severity"] == item.asked_severity for item, row in explicit if item.asked_severity],
            ">= 90%",
            lambda v: v >= 0.90,
        ),
        share("part: the named variant", [row["glyph"] == item.scene.glyph for item, row in of(PromptKind.PART)], "(none stated)", lambda v: True),
        share(
            "implicit: a glyph though none is named",
            [row["glyph"] is not None for _, row in of(PromptKind.IMPLICIT)],
            "40% to 70%",
            lambda v: 0.4 <= v <= 0.7,
        ),
        share("synonym: the right family", [family(row) == item.category for item, row in of(PromptKind.SYNONYM)], ">= 90%", lambda v: v >= 0.90),
        share("benign: a glyph appears", [row["glyph"] is not None for _, row in of(*BENIGN)], "<= 1%", lambda v: v <= 0.01),
    ]
    for name in ATTRIBUTES:
        asked = [row[name] == item.asked[name] for item, row in of(*BENIGN) if name in item.asked]
        if asked:
            figures.append(share(f"benign: {name} as asked", asked, ">= 97%", lambda v: v >= 0.97))
    return figures


def speed(workers: int) -> Figure:
    """Return images a second of ``bench run`` on this machine, once the workers are up."""
    with tempfile.TemporaryDirectory() as folder:
        done = api.run("sd-v1.5", "coco30k", limit=512, out=Path(folder), workers=workers, scorers=["fidelity"])
        seconds = sum(marker["seconds"] for marker in RunFolder(done.path).markers().values())
    rate = done.samples / seconds * workers
    return Figure(f"generation, images/s, {workers} workers of one thread", rate, None, None, done.samples, ">= 15 on 2 cores", rate >= 15)


def measure(weights: Path, renders: int, per_kind: int, seed: int) -> list[Figure]:
    """Return every figure of the report."""
    from diffusers import AutoencoderKL

    reader, detector = load_reader(weights / "reader"), load_detector(weights / "detector")
    pictures = make(renders, seed)
    vae = AutoencoderKL.from_pretrained(weights / "base" / "vae").eval()
    with torch.inference_mode():
        decoded = torch.cat([vae.decode(vae.encode(chunk).latent_dist.mean).sample for chunk in to_tensor(pictures.images).split(250)])
    rebuilt = ((decoded.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [
        *read_renders(reader, pictures, pictures.images, "reader, held-out renders", 0.995),
        *detect_renders(detector, pictures),
        *read_renders(reader, pictures, rebuilt, "reader, through the autoencoder", None),
        *read_generated(reader, per_kind, seed),
    ]


def markdown(figures: Sequence[Figure]) -> str:
    """Return the report as a Markdown table."""
    lines = ["| what | measured | 95% interval | n | reach | |", "|---|---|---|---|---|---|"]
    for each in figures:
        interval = "" if each.low is None or each.high is None else f"{each.low:.4f} to {each.high:.4f}"
        value = f"{each.value:.4f}" if each.value <= 1 else f"{each.value:.1f}"
        lines.append(f"| {each.what} | {value} | {interval} | {each.n} | {each.reach} | {'yes' if each.reached else 'NO'} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print; ``--json`` also writes the figures."""
    parser = argparse.ArgumentParser(prog="python -m training.miniature.report", description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("bench/miniature/weights"))
    parser.add_argument("--renders", type=int, default=6000, help="held-out renders")
    parser.add_argument("--per-kind", type=int, default=400, help="prompts of each kind")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    figures = measure(arguments.weights, arguments.renders, arguments.per_kind, arguments.seed)
    figures.append(speed(len(os.sched_getaffinity(0))))
    print(markdown(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
