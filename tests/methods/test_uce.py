"""UCE: which rows of which texts it maps and preserves (the algebra: test_closed_form.py)."""

from __future__ import annotations

import pytest
import torch

from bench.errors import BenchError, NotAvailable
from bench.types import Context, Sample
from methods.pipeline import load_pipeline
from methods.uce import UCE, concepts_and_guides, pair_rows, preserved_rows


@pytest.mark.parametrize(("rows", "pairs", "kept"), [("last_to_end", 15, 16), ("last", 1, 1)])
def test_which_rows_are_edited(rows: str, pairs: int, kept: int, context: Context) -> None:
    method = UCE(concepts=["vorn"], guide="nothing", rows=rows)
    method.load(context)
    old, new = pair_rows(method.sampler, "vorn", "nothing", rows)
    assert old.shape == new.shape == (pairs, 128)
    assert preserved_rows(method.sampler, [""], rows).shape == (kept, 128)
    assert preserved_rows(method.sampler, [], rows).shape == (0, 128)
    with torch.no_grad():
        assert torch.equal(old[0], method.sampler.encode(["vorn"]).states[0][1])
        assert torch.equal(new[0], method.sampler.encode(["nothing"]).states[0][1])


def test_the_guide_of_an_empty_text_is_its_start_token(context: Context) -> None:
    method = UCE(concepts=["vorn"], guide="", rows="last")
    method.load(context)
    with torch.no_grad():
        assert torch.equal(pair_rows(method.sampler, "vorn", "", "last")[1][0], method.sampler.encode([""]).states[0][0])


def test_the_base_model_on_disk_is_untouched(few: list[Sample], context: Context) -> None:
    name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
    method = UCE()
    method.load(context)
    assert not torch.equal(method.sampler.pipeline.unet.state_dict()[name], load_pipeline(context).unet.state_dict()[name])


def test_unknown_rows_are_one_clear_line(context: Context) -> None:
    with pytest.raises(BenchError, match="needs rows to be one of: last_to_end, last; got 'all'"):
        UCE(rows="all").load(context)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"guide": ["nothing", "circle"]}, "2 guides for 7 concepts"),
        ({"preserve": 3}, "needs preserve to be a text or a list of texts; got 3"),
        ({"lamb": 0}, "needs lamb to be a number above 0"),
        ({"erase_scale": -1}, "needs erase_scale to be a number of at least 0"),
        ({"technique": "swap"}, "needs technique to be one of: replace, tensor; got 'swap'"),
    ],
)
def test_an_unfit_parameter_is_one_clear_line(bad: dict[str, object], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says):
        UCE(**bad).load(context)


def test_each_concept_may_have_its_own_guide(context: Context) -> None:
    chosen = {"concepts": ["vorn", "drazz"], "guide": ["circle", "nothing"]}
    assert concepts_and_guides("uce", chosen, context) == (["vorn", "drazz"], ["circle", "nothing"])
    assert concepts_and_guides("uce", chosen | {"guide": "square"}, context)[1] == ["square", "square"]
    assert concepts_and_guides("uce", {"concepts": None, "guide": None}, context)[1] == ["nothing"] * 7


@pytest.mark.parametrize(("rows", "empty", "scale"), [("last_to_end", True, 1 / 3), ("last", False, 1.0)])
def test_each_release_has_its_own_weight_of_what_is_preserved(rows: str, empty: bool, scale: float, context: Context) -> None:
    options = {"preserve": ["circle", "square"], "rows": rows, "preserve_empty": empty}
    weights = []
    for method in (UCE(**options), UCE(**options, preserve_scale=scale)):
        method.load(context)
        weights.append(method.sampler.pipeline.unet.state_dict()["mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"])
    assert torch.equal(*weights)


def test_a_track_without_concepts_says_so(context: Context) -> None:
    bare = Context(context.track.model_copy(update={"concepts": {}}))
    with pytest.raises(NotAvailable, match="no concepts to erase"):
        UCE().load(bare)
