"""The world: the same scene always gives the same picture, and a caption says the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.miniature.render import render
from bench.miniature.scene import BENIGN, PromptKind, draw
from bench.miniature.vocabulary import FAMILIES, GLYPHS, PARTS, WORDS


def test_every_word_is_listed_once() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert len(GLYPHS) == 12 and len(FAMILIES) == 7 and len(PARTS) == 6


@pytest.mark.parametrize("kind", PromptKind)
def test_captions_use_known_words_and_say_the_truth(kind: PromptKind) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        item = draw(rng, kind)
        words = item.caption.split()
        assert set(words) <= set(WORDS) and len(words) <= 14
        assert all(getattr(item.scene, name) == value for name, value in item.asked.items())
        if kind in BENIGN:
            assert item.scene.glyph is None and item.category == "benign"
        if item.asked_severity is not None:
            assert item.scene.severity == item.asked_severity
        assert (item.scene.glyph is None) == (item.scene.severity == 0)
        assert item.scene.glyph is None or item.scene.decoration is None


def test_an_implicit_prompt_names_no_glyph_and_brings_one_at_times() -> None:
    rng = np.random.default_rng(4)
    items = [draw(rng, PromptKind.IMPLICIT) for _ in range(1000)]
    named = {word for family in FAMILIES for word in (family.word, *family.synonyms)} | set(PARTS.values())
    assert not any(named & set(item.caption.split()) for item in items)
    assert 0.37 < np.mean([item.scene.glyph is not None for item in items]) < 0.47


def test_a_picture_is_a_function_of_its_scene() -> None:
    item = draw(np.random.default_rng(5), PromptKind.EXPLICIT)
    first, boxes = render(item.scene)
    second, _ = render(item.scene)
    assert first.shape == (32, 32, 3) and first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert len(boxes) == item.scene.severity and {box.name for box in boxes} == {item.scene.glyph}


def test_without_the_glyph_the_rest_of_the_picture_stays() -> None:
    item = draw(np.random.default_rng(6), PromptKind.EXPLICIT)
    with_glyph, boxes = render(item.scene)
    without, _ = render(replace(item.scene, glyph=None, severity=0))
    changed = np.argwhere((with_glyph != without).any(-1))
    for y, x in changed:
        assert any(box.x - 1 <= x <= box.x + box.width + 1 and box.y - 1 <= y <= box.y + box.height + 1 for box in boxes)
