"""LibraAlign-Coarse: harmful pictures paired with each other and with safe ones, each pair judged (paper Sec. 3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bench.seeds import derive_seed
from training.libraalign.dataset import encode
from training.libraalign.judging import Judge, JudgedPicture, Judgement, Skipped
from training.libraalign.prompts import Prompt
from training.libraalign.sources import PictureSource


class CoarseSettings(BaseModel):
    """How pairs are made.

    The paper says that harmful pictures are matched with each other or with safe ones, and how many pairs came of it; the rest is ours, and so is
    that a pair is left out in which the judge finds no harm at all.

    Attributes:
        pairs: that are made at most (the paper has 90,000); None for all that the prompts give.
        images_per_prompt: pictures of each prompt, each from another seed, the sources taking turns.
        pairs_per_image: pairs that begin with each harmful prompt's picture.
        safe_share: the share of those pairs whose partner is a safe prompt's picture; the others' is another harmful prompt's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int | None = Field(90_000, ge=1)
    images_per_prompt: int = Field(2, ge=1)
    pairs_per_image: int = Field(2, ge=1)
    safe_share: float = Field(0.5, ge=0, le=1)


def make_pictures(prompts: Sequence[Prompt], sources: Sequence[PictureSource], per_prompt: int, seed: int) -> tuple[list[JudgedPicture], int]:
    """Return the pictures of ``prompts`` in order, and how many a source refused to make. Which source makes which is fixed by the prompt's id."""
    plan: dict[int, list[tuple[int, Prompt, int]]] = {index: [] for index in range(len(sources))}
    for row, prompt in enumerate(prompts):
        for copy in range(per_prompt):
            root = derive_seed(seed, prompt.prompt_id, copy)
            plan[root % len(sources)].append((row * per_prompt + copy, prompt, derive_seed(root, "picture", copy)))
    made: dict[int, JudgedPicture] = {}
    for index, source in enumerate(sources):
        jobs = plan[index]
        images = source.make([prompt.text for _, prompt, _ in jobs], [each for _, _, each in jobs]) if jobs else []
        for (place, prompt, own), image in zip(jobs, images, strict=True):
            if image is not None:
                made[place] = JudgedPicture(image, prompt.text, prompt.category, source.name, own)
    return [made[place] for place in sorted(made)], len(prompts) * per_prompt - len(made)


def make_pairs(
    harmful: Sequence[JudgedPicture], safe: Sequence[JudgedPicture], settings: CoarseSettings, rng: np.random.Generator
) -> list[tuple[JudgedPicture, JudgedPicture]]:
    """Return the pairs: each harmful prompt's picture with others, in random order so that no judge can learn a place.

    Pictures of one prompt are never paired with each other in one unit unless nothing else is there.
    """
    pairs: list[tuple[JudgedPicture, JudgedPicture]] = []
    for picture in harmful:
        others = [each for each in harmful if each.prompt != picture.prompt] or [each for each in harmful if each is not picture]
        for _ in range(settings.pairs_per_image):
            partners = safe if safe and (not others or rng.random() < settings.safe_share) else others
            if not partners:
                continue
            partner = partners[int(rng.integers(len(partners)))]
            pairs.append((picture, partner) if rng.random() < 0.5 else (partner, picture))
    return pairs


def make_unit(
    unit: int,
    harmful: Sequence[Prompt],
    benign: Sequence[Prompt],
    sources: Sequence[PictureSource],
    judge: Judge,
    settings: CoarseSettings,
    seed: int,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one unit's rows and its marker's notes: pairs by kind, and what was left out by reason."""
    bad, refused = make_pictures(harmful, sources, settings.images_per_prompt, seed)
    good, refused_good = make_pictures(benign, sources, 1, seed)
    pairs = make_pairs(bad, good, settings, np.random.default_rng([seed, unit]))
    rows: list[dict[str, Any]] = []
    kinds: Counter[str] = Counter()
    skips: Counter[str] = Counter({"picture refused by its source": refused + refused_good})
    for number, (pair, answer) in enumerate(zip(pairs, judge.judge(pairs), strict=True)):
        if isinstance(answer, Skipped):
            skips[answer.reason] += 1
        elif not any(answer.harmful):
            # A forced choice between two pictures without harm would teach noise.
            skips["neither picture is harmful"] += 1
        else:
            kinds["harmful-harmful" if all(answer.harmful) else "harmful-safe"] += 1
            rows.append(_row(f"coarse-{unit:05d}-{number:05d}", pair, answer, judge.name))
    return rows, {"kinds": dict(kinds), "skips": {reason: count for reason, count in skips.items() if count}}


def _row(pair_id: str, pair: tuple[JudgedPicture, JudgedPicture], verdict: Judgement, judge: str) -> dict[str, Any]:
    row: dict[str, Any] = {"pair_id": pair_id, "more_harmful": verdict.more_harmful, "judge": judge}
    row["kind"] = "harmful-harmful" if all(verdict.harmful) else "harmful-safe"
    for place, picture in enumerate(pair):
        row |= {
            f"image_{place}": encode(picture.image),
            f"prompt_{place}": picture.prompt,
            f"category_{place}": picture.category,
            f"source_{place}": picture.source,
            f"seed_{place}": picture.seed,
            f"level_{place}": verdict.levels[place],
            f"harmful_{place}": verdict.harmful[place],
        }
    return row
