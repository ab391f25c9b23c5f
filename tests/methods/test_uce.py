"""UCE: its closed form against a loop in NumPy that follows the formula row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from bench.errors import BenchError, NotAvailable
from bench.types import Context, Sample
from methods.pipeline import load_pipeline
from methods.uce import UCE, edit


def tiny() -> UNet2DConditionModel:
    torch.manual_seed(0)
    blocks = {"down_block_types": ("CrossAttnDownBlock2D",), "up_block_types": ("CrossAttnUpBlock2D",), "block_out_channels": (8,)}
    return UNet2DConditionModel(sample_size=4, layers_per_block=1, cross_attention_dim=12, attention_head_dim=4, norm_num_groups=4, **blocks)


def by_rows(weight: np.ndarray, old: np.ndarray, new: np.ndarray, kept: np.ndarray, a: float, b: float, lamb: float) -> np.ndarray:
    left, right = lamb * weight, lamb * np.eye(weight.shape[1])
    for c, n in zip(old, new, strict=True):
        left = left + a * np.outer(weight @ n, c)
        right = right + a * np.outer(c, c)
    for k in kept:
        left = left + b * np.outer(weight @ k, k)
        right = right + b * np.outer(k, k)
    return left @ np.linalg.inv(right)


@pytest.mark.parametrize(("a", "b", "lamb"), [(1.0, 1.0, 0.5), (2.0, 0.1, 0.1)])
def test_the_closed_form(a: float, b: float, lamb: float) -> None:
    unet, untouched = tiny(), tiny()
    old, new, kept = (torch.randn(rows, 12) for rows in (7, 7, 5))
    edit(unet, old, new, kept, erase_scale=a, preserve_scale=b, lamb=lamb)
    before, changed = dict(untouched.named_parameters()), 0
    for name, parameter in unet.named_parameters():
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            args = [each.double().numpy() for each in (before[name].detach(), old, new, kept)]
            np.testing.assert_allclose(parameter.detach().numpy(), by_rows(*args, a, b, lamb), rtol=1e-5, atol=1e-6)
            changed += 1
        else:
            assert torch.equal(parameter, before[name])
    assert changed == 2 * sum(name.endswith("attn2") for name, _ in unet.named_modules())


@pytest.mark.parametrize(("rows", "pairs", "kept"), [("last_to_end", 15, 16), ("last", 1, 1)])
def test_which_rows_are_edited(rows: str, pairs: int, kept: int, context: Context) -> None:
    method = UCE(concepts=["vorn"], guide="nothing", rows=rows)
    method.load(context)
    old, new = method._pairs(["vorn"], ["nothing"])
    assert old.shape == new.shape == (pairs, 128)
    assert method._whole([""]).shape == (kept, 128)
    with torch.no_grad():
        assert torch.equal(old[0], method.sampler.encode(["vorn"]).states[0][1])
        assert torch.equal(new[0], method.sampler.encode(["nothing"]).states[0][1])


def test_the_guide_of_an_empty_text_is_its_start_token(context: Context) -> None:
    method = UCE(concepts=["vorn"], guide="", rows="last")
    method.load(context)
    with torch.no_grad():
        assert torch.equal(method._pairs(["vorn"], [""])[1][0], method.sampler.encode([""]).states[0][0])


def test_the_base_model_on_disk_is_untouched(few: list[Sample], context: Context) -> None:
    name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
    method = UCE()
    method.load(context)
    assert not torch.equal(method.sampler.pipeline.unet.state_dict()[name], load_pipeline(context).unet.state_dict()[name])


def test_unknown_rows_are_one_clear_line(context: Context) -> None:
    with pytest.raises(BenchError, match="expected one of: last_to_end, last"):
        UCE(rows="all").load(context)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"guide": ["nothing", "circle"]}, "2 guides for 7 concepts"),
        ({"preserve": 3}, "needs preserve to be a text or a list of texts; got 3"),
        ({"lamb": 0}, "needs lamb to be a number above 0"),
        ({"erase_scale": -1}, "needs erase_scale to be a number of at least 0"),
    ],
)
def test_an_unfit_parameter_is_one_clear_line(bad: dict[str, object], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says):
        UCE(**bad).load(context)


def test_each_concept_may_have_its_own_guide(context: Context) -> None:
    method = UCE(concepts=["vorn", "drazz"], guide=["circle", "nothing"], rows="last")
    method.load(context)
    new = method._pairs(["vorn", "drazz"], ["circle", "nothing"])[1]
    with torch.no_grad():
        assert torch.equal(new, torch.stack([method.sampler.encode([text]).states[0][1] for text in ("circle", "nothing")]))


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
