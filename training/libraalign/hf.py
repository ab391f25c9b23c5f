"""LibraAlign-HF: a harmful picture and its safe counterpart, made from it by image-to-image; and safe pairs of unlike quality (Sec. 3.2).

Both pictures of a pair carry both annotations. Each picture's quality is measured against the prompt that it was made from [inferred: the
paper does not say; against the harmful prompt alone, a safe picture would be marked down for obeying].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from bench.scorers.precision import full_float32
from bench.seeds import derive_seed
from bench.types import Sample, Scorer
from training.libraalign.dataset import encode
from training.libraalign.judging import Rewriter, Skipped
from training.libraalign.prompts import Prompt
from training.libraalign.sources import ImageToImage, PictureSource

if TYPE_CHECKING:
    from bench.types import Image


class HFSettings(BaseModel):
    """How pairs are made.

    Attributes:
        strength: of the image-to-image pass.
        tries: seeds tried for a harmful picture, and again for its safe counterpart, before the prompt is left out.
        threshold: a picture counts as harmful above this cost, as safe below it; the cost model's own zero.
        safe_pairs: safe-safe pairs for each benign prompt.
        units: the first so many units of prompts get pairs (the paper's HF part is a ninth of its coarse part); all where None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: float = Field(0.75, gt=0, le=1)
    tries: int = Field(3, ge=1)
    threshold: float = 0.0
    safe_pairs: int = Field(1, ge=0)
    units: int | None = Field(None, ge=1)


class Annotator:
    """Quality and safety cost of pictures, by two scorers of the harness."""

    def __init__(self, quality: Scorer, cost: Scorer) -> None:
        self._quality, self._cost = quality, cost

    def quality(self, images: Sequence[Image], prompts: Sequence[str]) -> list[float]:
        """Return the quality of each picture for its prompt."""
        return self._values(self._quality, images, prompts)

    def cost(self, images: Sequence[Image]) -> list[float]:
        """Return the safety cost of each picture."""
        return self._values(self._cost, images, [""] * len(images))

    def _values(self, scorer: Scorer, images: Sequence[Image], prompts: Sequence[str]) -> list[float]:
        if not images:
            return []
        samples = [
            Sample(str(n), prompt, "", 0, 0, image.shape[1], image.shape[0], 0, 0.0)
            for n, (image, prompt) in enumerate(zip(images, prompts, strict=True))
        ]
        column = next(iter(scorer.info.columns))
        with full_float32():
            return [float(row[column]) for row in scorer.score(images, samples)]


@dataclass
class _Pair:
    """A pair in the making."""

    prompt: Prompt
    safe_prompt: str
    kind: str
    source: str
    images: list[Image]
    seeds: list[int]


def make_unit(
    unit: int,
    harmful: Sequence[Prompt],
    benign: Sequence[Prompt],
    source: PictureSource,
    plainer: PictureSource,
    editor: ImageToImage,
    rewriter: Rewriter,
    annotator: Annotator,
    settings: HFSettings,
    seed: int,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return one unit's rows and its marker's notes.

    Args:
        unit: its number.
        harmful: prompts of harmful-safe pairs.
        benign: prompts of safe-safe pairs.
        source: makes the harmful pictures and the first of two safe ones.
        plainer: makes the second of two safe ones, of another quality.
        editor: makes the safe counterparts.
        rewriter: makes the safe prompts.
        annotator: measures quality and cost.
        settings: strength, tries, threshold.
        seed: of every picture.
    """
    skips: Counter[str] = Counter()
    pairs = _harmful_safe(harmful, source, editor, rewriter, annotator, settings, seed, skips)
    pairs += _safe_safe(benign, source, plainer, settings, seed, skips)
    images = [image for pair in pairs for image in pair.images]
    prompts = [text for pair in pairs for text in (pair.prompt.text, pair.safe_prompt)]
    qualities, costs = annotator.quality(images, prompts), annotator.cost(images)
    rows = []
    for number, pair in enumerate(pairs):
        row: dict[str, Any] = {
            "pair_id": f"hf-{unit:05d}-{number:05d}",
            "caption": pair.prompt.text,
            "safe_caption": pair.safe_prompt,
            "category": pair.prompt.category,
            "kind": pair.kind,
            "source": pair.source,
        }
        for place in (0, 1):
            row |= {
                f"image_{place}": encode(pair.images[place]),
                f"seed_{place}": pair.seeds[place],
                f"quality_{place}": qualities[2 * number + place],
                f"cost_{place}": costs[2 * number + place],
            }
        rows.append(row)
    kinds = Counter(pair.kind for pair in pairs)
    return rows, {"kinds": dict(kinds), "skips": {reason: count for reason, count in skips.items() if count}}


def _harmful_safe(
    prompts: Sequence[Prompt],
    source: PictureSource,
    editor: ImageToImage,
    rewriter: Rewriter,
    annotator: Annotator,
    settings: HFSettings,
    seed: int,
    skips: Counter[str],
) -> list[_Pair]:
    """Return harmful-safe pairs; a prompt that does not get one is counted in ``skips``."""
    pairs: list[_Pair] = []
    for prompt, answer in zip(prompts, rewriter.rewrite([prompt.text for prompt in prompts]), strict=True):
        if isinstance(answer, Skipped):
            skips[answer.reason] += 1
        else:
            pairs.append(_Pair(prompt, answer, "harmful-safe", source.name, [], []))
    waiting = pairs
    for attempt in range(settings.tries):
        seeds = [derive_seed(seed, f"harmful/{pair.prompt.prompt_id}", attempt) for pair in waiting]
        images = source.make([pair.prompt.text for pair in waiting], seeds)
        costs = iter(annotator.cost([image for image in images if image is not None]))
        for pair, image, own in zip(waiting, images, seeds, strict=True):
            if image is not None and next(costs) > settings.threshold:
                pair.images, pair.seeds = [image], [own]
        waiting = [pair for pair in waiting if not pair.images]
    skips["no harmful picture came"] += len(waiting)
    found = [pair for pair in pairs if pair.images]
    waiting = found
    for attempt in range(settings.tries):
        seeds = [derive_seed(seed, f"safe/{pair.prompt.prompt_id}", attempt) for pair in waiting]
        made = editor.make([pair.images[0] for pair in waiting], [pair.safe_prompt for pair in waiting], seeds)
        for pair, image, own, cost in zip(waiting, made, seeds, annotator.cost(made), strict=True):
            if cost < settings.threshold:
                pair.images.append(image)
                pair.seeds.append(own)
        waiting = [pair for pair in waiting if len(pair.images) == 1]
    skips["no safe counterpart came"] += len(waiting)
    return [pair for pair in found if len(pair.images) == 2]


def _safe_safe(
    prompts: Sequence[Prompt], source: PictureSource, plainer: PictureSource, settings: HFSettings, seed: int, skips: Counter[str]
) -> list[_Pair]:
    """Return pairs of two pictures of one benign prompt, one from each source."""
    pairs: list[_Pair] = []
    jobs = [(prompt, copy) for prompt in prompts for copy in range(settings.safe_pairs)]
    texts = [prompt.text for prompt, _ in jobs]
    seeds = [[derive_seed(seed, f"benign-{place}/{prompt.prompt_id}", copy) for prompt, copy in jobs] for place in (0, 1)]
    first, second = source.make(texts, seeds[0]), plainer.make(texts, seeds[1])
    for (prompt, _), a, b, own, other in zip(jobs, first, second, *seeds, strict=True):
        if a is None or b is None:
            skips["picture refused by its source"] += 1
        else:
            pairs.append(_Pair(prompt, prompt.text, "safe-safe", f"{source.name} | {plainer.name}", [a, b], [own, other]))
    return pairs
