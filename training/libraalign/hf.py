"""LibraAlign-HF: a harmful picture and its safe counterpart, made from it by image-to-image; and safe pairs of unlike quality (Sec. 3.2).

Both pictures of a pair carry both annotations. The quality of both is measured against one prompt, the pair's caption, as Eqs. 6 and 7 have it:
they compare two pictures of the same prompt. ``quality_against: own`` takes the prompt that each was made from (ours: against the harmful
prompt, a safe picture is marked down for obeying).

That a picture's cost must have the right sign, and that another seed is tried where it has not, is ours too: the paper says how pairs are
made, and not which are kept. ``filter: false`` keeps all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.scorers.precision import full_float32
from bench.seeds import derive_seed
from bench.types import Sample, Scorer
from training.libraalign.dataset import encode, picture_cell
from training.libraalign.judging import Rewriter, Skipped
from training.libraalign.prompts import Prompt
from training.libraalign.sources import ImageToImage, PictureSource

if TYPE_CHECKING:
    from bench.types import Image


class HFSettings(BaseModel):
    """How pairs are made.

    Attributes:
        strength: of the image-to-image pass. The paper does not state it.
        filter: keep a pair alone whose harmful picture costs more than ``threshold`` and whose safe counterpart costs less, and of Pick-a-Pic one
            whose both pictures cost less (ours).
        threshold: a picture counts as harmful above this cost, as safe below it; the cost model's own zero.
        tries: seeds tried for a harmful picture, and again for its safe counterpart, before the prompt is left out (ours); without the filter
            only a picture that its source refused is tried again.
        quality_against: whose prompt the quality of a picture is measured against: the pair's ``caption``, one for both (Eqs. 6, 7), or its
            ``own``, which for a safe counterpart is the safe prompt (ours).
        pairs: harmful-safe pairs that are made at most (the paper has 8,265); None for one of every prompt.
        safe_pairs: safe-safe pairs for each benign prompt, where they come from models (``plainer``).
        units: the first so many units of prompts get pairs (the paper's HF part is a ninth of its coarse part); all where None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: float = Field(0.75, gt=0, le=1)
    filter: bool = True
    threshold: float = 0.0
    tries: int = Field(3, ge=1)
    quality_against: Literal["caption", "own"] = "caption"
    pairs: int | None = Field(8265, ge=1)
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
class Pair:
    """A pair in the making.

    Attributes:
        prompt: its caption and category.
        safe_prompt: what the second picture was made from.
        kind: ``harmful-safe`` or ``safe-safe``.
        source: what made the pictures.
        images: none, one or both yet, uint8 of shape (height, width, 3).
        seeds: of their noise; None where nobody knows.
        files: the pictures' own files, where they are not to be encoded anew.
    """

    prompt: Prompt
    safe_prompt: str
    kind: str
    source: str
    images: list[Image]
    seeds: Sequence[int | None]
    files: Sequence[bytes] | None = None

    def cells(self) -> list[dict[str, Any]]:
        """Return both pictures as the table keeps them."""
        return [encode(image) for image in self.images] if self.files is None else [picture_cell(file, "jpg") for file in self.files]


def make_unit(
    unit: int,
    harmful: Sequence[Prompt],
    benign: Sequence[Prompt],
    source: PictureSource,
    plainer: PictureSource | None,
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
        plainer: makes the second of two safe ones, of another quality; None for no safe-safe pairs.
        editor: makes the safe counterparts.
        rewriter: makes the safe prompts.
        annotator: measures quality and cost.
        settings: strength, tries, threshold.
        seed: of every picture.
    """
    skips: Counter[str] = Counter()
    pairs = _harmful_safe(harmful, source, editor, rewriter, annotator, settings, seed, skips)
    if plainer is not None:
        pairs += _safe_safe(benign, source, plainer, settings, seed, skips)
    return annotated(unit, pairs, annotator, settings.quality_against), notes(pairs, skips)


def annotated(unit: int, pairs: Sequence[Pair], annotator: Annotator, quality_against: Literal["caption", "own"]) -> list[dict[str, Any]]:
    """Return the rows of a unit's whole pairs, both pictures with quality and cost."""
    images = [image for pair in pairs for image in pair.images]
    prompts = [text for pair in pairs for text in (pair.prompt.text, pair.prompt.text if quality_against == "caption" else pair.safe_prompt)]
    qualities, costs = annotator.quality(images, prompts), annotator.cost(images)
    rows = []
    for number, pair in enumerate(pairs):
        cells = pair.cells()
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
                f"image_{place}": cells[place],
                f"seed_{place}": pair.seeds[place],
                f"quality_{place}": qualities[2 * number + place],
                f"cost_{place}": costs[2 * number + place],
            }
        rows.append(row)
    return rows


def notes(pairs: Sequence[Pair], skips: Counter[str]) -> dict[str, Any]:
    """Return what a unit's marker notes: pairs by kind, and what was left out by reason."""
    return {"kinds": dict(Counter(pair.kind for pair in pairs)), "skips": {reason: count for reason, count in skips.items() if count}}


def _checked(images: Sequence[Image], annotator: Annotator, settings: HFSettings, *, harmful: bool) -> Iterator[bool]:
    """Yield for each picture whether its cost has the sign that it should have; always, where nothing is filtered."""
    if not settings.filter:
        return repeat(True, len(images))
    return ((cost > settings.threshold) if harmful else (cost < settings.threshold) for cost in annotator.cost(images))


def _harmful_safe(
    prompts: Sequence[Prompt],
    source: PictureSource,
    editor: ImageToImage,
    rewriter: Rewriter,
    annotator: Annotator,
    settings: HFSettings,
    seed: int,
    skips: Counter[str],
) -> list[Pair]:
    """Return harmful-safe pairs; a prompt that does not get one is counted in ``skips``."""
    pairs: list[Pair] = []
    for prompt, answer in zip(prompts, rewriter.rewrite([prompt.text for prompt in prompts]), strict=True):
        if isinstance(answer, Skipped):
            skips[answer.reason] += 1
        else:
            pairs.append(Pair(prompt, answer, "harmful-safe", source.name, [], []))
    waiting = pairs
    for attempt in range(settings.tries):
        seeds = [derive_seed(seed, f"harmful/{pair.prompt.prompt_id}", attempt) for pair in waiting]
        images = source.make([pair.prompt.text for pair in waiting], seeds)
        fits = _checked([image for image in images if image is not None], annotator, settings, harmful=True)
        for pair, image, own in zip(waiting, images, seeds, strict=True):
            if image is not None and next(fits):
                pair.images, pair.seeds = [image], [own]
        waiting = [pair for pair in waiting if not pair.images]
    skips["no harmful picture came"] += len(waiting)
    found = [pair for pair in pairs if pair.images]
    waiting = found
    for attempt in range(settings.tries):
        seeds = [derive_seed(seed, f"safe/{pair.prompt.prompt_id}", attempt) for pair in waiting]
        made = editor.make([pair.images[0] for pair in waiting], [pair.safe_prompt for pair in waiting], seeds)
        for pair, image, own, right in zip(waiting, made, seeds, _checked(made, annotator, settings, harmful=False), strict=True):
            if right:
                pair.images.append(image)
                pair.seeds = [*pair.seeds, own]
        waiting = [pair for pair in waiting if len(pair.images) == 1]
    skips["no safe counterpart came"] += len(waiting)
    return [pair for pair in found if len(pair.images) == 2]


def _safe_safe(
    prompts: Sequence[Prompt], source: PictureSource, plainer: PictureSource, settings: HFSettings, seed: int, skips: Counter[str]
) -> list[Pair]:
    """Return pairs of two pictures of one benign prompt, one from each source."""
    pairs: list[Pair] = []
    jobs = [(prompt, copy) for prompt in prompts for copy in range(settings.safe_pairs)]
    texts = [prompt.text for prompt, _ in jobs]
    seeds = [[derive_seed(seed, f"benign-{place}/{prompt.prompt_id}", copy) for prompt, copy in jobs] for place in (0, 1)]
    first, second = source.make(texts, seeds[0]), plainer.make(texts, seeds[1])
    for (prompt, _), a, b, own, other in zip(jobs, first, second, *seeds, strict=True):
        if a is None or b is None:
            skips["picture refused by its source"] += 1
        else:
            pairs.append(Pair(prompt, prompt.text, "safe-safe", f"{source.name} | {plainer.name}", [a, b], [own, other]))
    return pairs
