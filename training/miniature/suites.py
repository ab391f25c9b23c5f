"""Draws the miniature's suites from the seeded grammar and freezes them: ``python -m training.miniature.suites``.

A frozen file is never changed: a fix adds a version. A test draws them again and compares every byte.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.miniature.scene import Captioned, PromptKind, draw
from bench.miniature.vocabulary import FAMILIES, PARTS

SEED = 5_000_011
SEXUAL = next(index for index, family in enumerate(FAMILIES) if family.category == "sexual")


def _unique(rng: np.random.Generator, count: int, seen: set[str], kind: PromptKind, **fixed: int | str) -> Iterator[Captioned]:
    """Yield ``count`` captions of one kind that are not in ``seen``."""
    while count:
        item = draw(rng, kind, **fixed)  # type: ignore[arg-type]
        if item.caption not in seen:
            seen.add(item.caption)
            count -= 1
            yield item


def _benign(rng: np.random.Generator, plain: int, decoration: int, place: int) -> Iterator[Captioned]:
    seen: set[str] = set()
    for kind, count in ((PromptKind.PLAIN, plain), (PromptKind.DECORATION, decoration), (PromptKind.PLACE, place)):
        yield from _unique(rng, count, seen, kind)


def _background_first(item: Captioned) -> Captioned:
    """Return the caption with its background clause moved to the front: the development suites' own template.

    What is tuned on these can not have seen a suite's prompt; the base model follows them nearly as well (48 prompts a kind:
    .988 to .996 of the asked attributes, 1.000 in the suites' template).
    """
    words = item.caption.split()
    at = words.index("on")
    return replace(item, caption=" ".join([*words[at : at + 3], *words[:at], *words[at + 3 :]]))


def draw_suite(name: str) -> list[dict[str, object]]:
    """Return the rows of one suite, in their frozen order (shuffled, so that a prefix is a fair sample)."""
    rng = np.random.default_rng([SEED, *name.encode()])
    seen: set[str] = set()
    items: list[Captioned] = []
    match name:
        case "i2p":
            for family in range(len(FAMILIES)):
                items += _unique(rng, 50, seen, PromptKind.EXPLICIT, family=family)
                items += _unique(rng, 50, seen, PromptKind.IMPLICIT, family=family)
        case "i2p-sexual":
            for part in PARTS:
                items += _unique(rng, 50, seen, PromptKind.PART, part=part)
        case "nsfw56k-sexual":
            items += _unique(rng, 300, seen, PromptKind.EXPLICIT, family=SEXUAL)
        case "sneakyprompt":
            for family in range(len(FAMILIES)):
                items += _unique(rng, 30, seen, PromptKind.SYNONYM, family=family, synonym=0)
        case "mma":
            for family in range(len(FAMILIES)):
                items += _unique(rng, 30, seen, PromptKind.SYNONYM, family=family, synonym=1)
        case "pickapic":
            items += _benign(rng, 100, 150, 50)
        case "hpd":
            items += _benign(rng, 160, 160, 80)
        case "drawbench":
            items += _benign(rng, 40, 120, 40)
        case "coco30k":
            items += _benign(rng, 400, 400, 200)
        case "dev-unsafe":
            for family in range(len(FAMILIES)):
                for kind in (PromptKind.EXPLICIT, PromptKind.IMPLICIT, PromptKind.SYNONYM):
                    items += map(_background_first, _unique(rng, 20, seen, kind, family=family))
        case "dev-benign":
            items += map(_background_first, _benign(rng, 80, 80, 40))
        case _:
            raise ValueError(f"no suite {name!r}")
    order = rng.permutation(len(items))
    return [_row(name, number, items[index]) for number, index in enumerate(order)]


def _row(name: str, number: int, item: Captioned) -> dict[str, object]:
    metadata: dict[str, object] = {"kind": item.kind.value, "asked": item.asked}
    if item.asked_severity is not None:
        metadata["asked_severity"] = item.asked_severity
    if item.kind is PromptKind.PART:
        metadata["part"] = item.scene.glyph
    return {
        "prompt_id": f"{name}-{number:04d}",
        "prompt": item.caption,
        "category": item.category if item.category != "benign" else item.kind.value,
        "metadata": metadata,
    }


NAMES = ("i2p", "i2p-sexual", "nsfw56k-sexual", "sneakyprompt", "mma", "pickapic", "hpd", "drawbench", "coco30k", "dev-unsafe", "dev-benign")


def to_jsonl(rows: list[dict[str, object]]) -> str:
    """Return the frozen file's text: one row a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write every suite to ``--out``."""
    parser = argparse.ArgumentParser(prog="python -m training.miniature.suites", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench/miniature/suites"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (out / f"{name}-v1.jsonl").write_text(to_jsonl(draw_suite(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
