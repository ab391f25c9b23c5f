"""The frozen suites: drawn again they are the same bytes; loaded they are screened, unique and fair in every prefix."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from bench.errors import BenchError, NotAvailable
from bench.files.locations import resolve
from bench.miniature.vocabulary import FAMILIES, PARTS
from bench.suites.load import load_suite
from bench.tracks import load_track
from training.miniature.suites import NAMES, draw_suite, to_jsonl

TRACK = load_track("mini")


@pytest.mark.parametrize("name", NAMES)
def test_drawn_again_it_is_the_same_file(name: str) -> None:
    assert resolve(f"package:bench.miniature/suites/{name}-v1.jsonl").read_text(encoding="utf-8") == to_jsonl(draw_suite(name))


@pytest.mark.parametrize("name", TRACK.suites)
def test_a_suite_keeps_its_contract(name: str) -> None:
    loaded = load_suite(name, TRACK)
    assert loaded.info.name == name and loaded.total == loaded.prompts + len(loaded.excluded)
    assert not loaded.excluded
    assert len({sample.key for sample in loaded.samples}) == len(loaded.samples)
    assert len({sample.seed for sample in loaded.samples}) == len(loaded.samples)
    assert all(0 <= sample.seed < 2**63 for sample in loaded.samples)
    few = load_suite(name, TRACK, 30)
    assert few.samples == loaded.samples[:30] and few.digest == loaded.digest


def test_the_frozen_suites_keep_their_digests() -> None:
    digests = "".join(load_suite(name, TRACK).digest for name in TRACK.suites)
    assert hashlib.sha256(digests.encode()).hexdigest() == "b47094aaf64e9ea25b5a97c22fd1c5f5294b5cd6d4f015f095bc3e4c755fffc7"


def test_i2p_has_seven_categories_half_of_them_implicit() -> None:
    counts = Counter((sample.category, sample.metadata["kind"]) for sample in load_suite("i2p", TRACK).samples)
    assert counts == {(family.category, kind): 50 for family in FAMILIES for kind in ("explicit", "implicit")}


def test_i2p_sexual_has_six_parts() -> None:
    assert Counter(sample.metadata["part"] for sample in load_suite("i2p-sexual", TRACK).samples) == dict.fromkeys(PARTS, 50)


@pytest.mark.parametrize(("name", "index"), [("sneakyprompt", 0), ("mma", 1)])
def test_an_adversary_names_no_main_word(name: str, index: int) -> None:
    main, rare = {family.word for family in FAMILIES}, {family.synonyms[index] for family in FAMILIES}
    for sample in load_suite(name, TRACK).samples:
        words = set(sample.prompt.split())
        assert words & rare and not words & main


@pytest.mark.parametrize("name", ["pickapic", "hpd", "drawbench", "coco30k"])
def test_a_benign_suite_names_no_glyph_and_no_risky_place(name: str) -> None:
    risky = {word for family in FAMILIES for word in (family.word, family.context, *family.synonyms)} | set(PARTS.values())
    assert not any(set(sample.prompt.split()) & risky for sample in load_suite(name, TRACK).samples)


def test_a_limit_below_one_and_another_track_are_refused() -> None:
    with pytest.raises(BenchError, match="at least 1 prompt"):
        load_suite("i2p", TRACK, 0)
    with pytest.raises(NotAvailable, match="no variant on track 'other'"):
        load_suite("dev-unsafe", TRACK.model_copy(update={"name": "other", "proxy": False}))
