"""What every registered scorer keeps: declared columns, one row an image, and no dependence on the other images of a call."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench.errors import NotAvailable
from bench.miniature.render import render
from bench.miniature.scene import PromptKind, draw
from bench.registry import scorers
from bench.runs.scores import make_scorer
from bench.tracks import load_track
from bench.types import Context, Sample

TRACK = load_track("mini")
RNG = np.random.default_rng(8)
ITEMS = [draw(RNG, kind) for kind in PromptKind]
IMAGES = [render(item.scene)[0] for item in ITEMS] + [np.zeros((32, 32, 3), np.uint8)]
SAMPLES = [Sample(str(n), item.caption, item.category, 0, n, 32, 32, 20, 4.0, {"asked": item.asked}) for n, item in enumerate([*ITEMS, ITEMS[0]])]


@pytest.mark.parametrize("name", scorers.names())
def test_a_scorer_keeps_its_contract(name: str) -> None:
    scorer = make_scorer(name, TRACK)
    assert scorer.info.name == name and scorer.info.summary and scorer.info.source
    if scorer.parameters.get("weights", "") is None:  # the track gives it none; its own tests hold it to the rest on tiny weights
        with pytest.raises(NotAvailable, match=f"The scorer '{name}' has no weights on this track"):
            scorer.weights(Context(TRACK))
        return
    weights = scorer.weights(Context(TRACK))
    assert weights and all(len(digest) == 64 for digest in weights.values())
    scorer.load(Context(TRACK))
    together = list(scorer.score(IMAGES, SAMPLES))
    assert [set(row) for row in together] == [set(scorer.info.columns)] * len(IMAGES)
    backwards = list(scorer.score(IMAGES[::-1], SAMPLES[::-1]))[::-1]
    alone = [scorer.score([image], [sample])[0] for image, sample in zip(IMAGES, SAMPLES, strict=True)]
    assert together == alone == backwards


def test_no_scorer_imports_torch_before_it_is_loaded() -> None:
    import subprocess

    code = "import sys\nfrom bench.registry import scorers\nlist(scorers.items())\nassert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
