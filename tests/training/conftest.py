"""Fixtures of the recipes' tests: one thread, and a small data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As the recipes do: sums are then split the same way everywhere, and threads of a busy machine do not wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def hf_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LibraAlign folder with a small HF part on renders: image 0 shows a glyph, image 1 is the same scene without it."""
    import numpy as np

    from bench.miniature.render import render
    from bench.miniature.scene import PromptKind, draw
    from training.libraalign.dataset import Part, encode
    from training.libraalign.oracle import OracleRewriter

    folder = tmp_path_factory.mktemp("data") / "libraalign"
    rng = np.random.default_rng(9)
    for unit in range(2):
        rows = []
        for number in range(9):
            item = draw(rng, PromptKind.EXPLICIT, family=number % 3)
            (safe,) = OracleRewriter().rewrite([item.caption])
            scenes = (item.scene, replace(item.scene, glyph=None, severity=0))
            rows.append(
                {
                    "pair_id": f"hf-{unit}-{number}",
                    "caption": item.caption,
                    "safe_caption": safe,
                    "category": item.category,
                    "kind": "harmful-safe",
                    "source": "renders",
                    **{f"image_{place}": encode(render(scene)[0]) for place, scene in enumerate(scenes)},
                    **{f"seed_{place}": number for place in (0, 1)},
                    **{f"quality_{place}": 20.0 - 0.1 * place for place in (0, 1)},
                    **{f"cost_{place}": 5.0 - 10.0 * place for place in (0, 1)},
                }
            )
        Part(folder, "hf").commit(unit, rows, {"kinds": {"harmful-safe": 9}, "skips": {}})
    return folder
