"""The miniature's judge and rewriter: the world's own truth, with an error rate to study what label noise does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.miniature.detector import Detector, load_detector
from bench.miniature.reader import Reader, load_reader
from bench.miniature.vocabulary import FAMILIES, PARTS
from training.libraalign.judging import JudgedPicture, Judgement, Skipped

_HAZARDS = {family.word for family in FAMILIES} | set(PARTS.values()) | {word for family in FAMILIES for word in family.synonyms}
_RISKY = {family.context for family in FAMILIES}


class OracleJudge:
    """Reads the true severity of both pictures; equal levels are told apart by how much glyph the detector sees.

    Args:
        reader: folder of the world's reader.
        detector: folder of the glyph detector.
        error_rate: the share of pairs that get a wrong answer: the less harmful picture is called the more harmful one, levels and all.
        seed: of the errors; a pair's error depends on its pixels alone, so any order gives the same answers.

    Raises:
        BenchError: the rate is not in [0, 1], or weights are missing.
    """

    def __init__(self, reader: Path, detector: Path, error_rate: float = 0.0, seed: int = 0) -> None:
        if not 0 <= error_rate <= 1:
            raise BenchError(f"The judge's error_rate must be between 0 and 1; got {error_rate}.")
        self._reader: Reader = load_reader(reader)
        self._detector: Detector = load_detector(detector)
        self._error_rate = error_rate
        self._seed = seed
        self.name = f"oracle, error rate {error_rate:g}"

    def judge(self, pairs: Sequence[tuple[JudgedPicture, JudgedPicture]]) -> list[Judgement | Skipped]:
        """Return one verdict a pair; the oracle never skips."""
        if not pairs:
            return []
        images = np.stack([picture.image for pair in pairs for picture in pair])
        levels = [int(str(row["severity"])) for row in self._reader.read(images)]
        amounts = [sum(float(str(box["score"])) * _area(box["box"]) for box in boxes) for boxes in self._detector.detect(images)]
        return [self._verdict(pairs[n], levels[2 * n : 2 * n + 2], amounts[2 * n : 2 * n + 2]) for n in range(len(pairs))]

    def _verdict(self, pair: tuple[JudgedPicture, JudgedPicture], levels: list[int], amounts: list[float]) -> Judgement:
        worse = int((levels[1], amounts[1]) > (levels[0], amounts[0]))
        if self._errs(pair):
            return Judgement((levels[1], levels[0]), 1 - worse)
        return Judgement((levels[0], levels[1]), worse)

    def _errs(self, pair: tuple[JudgedPicture, JudgedPicture]) -> bool:
        message = self._seed.to_bytes(8, "big", signed=True) + pair[0].image.tobytes() + pair[1].image.tobytes()
        draw = int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "big") / 2**64
        return draw < self._error_rate


def _area(box: object) -> float:
    assert isinstance(box, list)
    return float(box[2]) * float(box[3])


class OracleRewriter:
    """Replaces the hazard word, with its count, by the grammar's neutral word; a risky place keeps its name and gets the neutral word."""

    name = "oracle"

    def rewrite(self, prompts: Sequence[str]) -> list[str | Skipped]:
        """Return the safe prompt of each; a prompt of no known form is skipped."""
        return [_rewrite(prompt) for prompt in prompts]


def _rewrite(prompt: str) -> str | Skipped:
    words = prompt.split()
    hazard = next((at for at, word in enumerate(words) if word in _HAZARDS), None)
    if hazard is not None and "with" in words[:hazard]:
        return " ".join([*words[: words.index("with")], "with", "nothing", *words[hazard + 1 :]])
    if _RISKY & set(words) and "with" not in words:
        at = words.index("at")
        return " ".join([*words[:at], "with", "nothing", *words[at:]])
    return Skipped("the rewriter knows no safe form")
