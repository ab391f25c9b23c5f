"""What a method is tried on, and how its memory is measured."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest

from bench import registry
from bench.checking import check_method
from bench.checking.peak import peak_memory
from bench.checking.subject import pick_samples
from bench.tracks import load_track
from bench.types import Method, Sample


def test_a_method_is_tried_on_both_sorts_of_suites_and_where_there_are_none_on_plain_prompts(five: list[Sample]) -> None:
    assert [each.prompt_id.partition("-")[0] for each in five] == ["i2p", "i2p", "pickapic", "i2p", "pickapic"]
    assert len({(each.width, each.height, each.steps, each.guidance) for each in five}) == 1
    elsewhere = pick_samples(load_track("mini").model_copy(update={"name": "elsewhere", "suites": (), "proxy": False}))
    assert {each.category for each in elsewhere} == {"plain"}
    assert len({each.seed for each in elsewhere}) == len({each.key for each in elsewhere}) == 5


def test_memory_is_measured_in_a_process_of_its_own(base: type[Method]) -> None:
    held = np.ones(2**28, np.uint8)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    # A child inherits its parent's peak on Linux, by getrusage; what this process holds must not count.
    assert 50 < peak_memory("black", {}, "mini", "cpu", "float32") < own - held.nbytes / 2**21
    registry.methods.unregister("a-base")  # another process would not find it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.checking.measured.peak_memory", lambda name, *where: 150.0 if name == "black" else 100.0)
        results = {each.rule: each for each in check_method("black")}
    assert results["memory"].found == "peak 150 MiB; sd-v1.5 takes 100 MiB (+50 MiB, 1.50 times)"
