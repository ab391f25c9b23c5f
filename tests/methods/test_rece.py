"""RECE: UCE first, then epochs that map what still calls a concept up."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.errors import BenchError
from bench.types import Context
from methods.closed_form import rederive
from methods.denoisers import family_of
from methods.pipeline import load_pipeline
from methods.rece import RECE
from methods.uce import UCE, states


def weights_of(method: RECE | UCE) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in method.sampler.pipeline.unet.named_parameters()}


def test_no_epoch_is_uce(context: Context) -> None:
    rece, uce = RECE(), UCE(preserve_scale=1.0)
    rece.begin(context)  # the start, before any epoch
    uce.load(context)
    assert all(torch.equal(a, b) for a, b in zip(weights_of(rece).values(), weights_of(uce).values(), strict=True))


def by_hand(
    method: RECE, unet: dict[str, torch.Tensor], original: dict[str, torch.Tensor], concepts: list[str], guides: list[str]
) -> dict[str, torch.Tensor]:
    """One epoch, projection by projection, in the formula's own words."""
    width, r = 32, 0.1
    a = r * torch.eye(width, dtype=torch.float64) + sum(unet[name].double().T @ unet[name].double() for name in original)
    b = sum(unet[name].double().T @ original[name].double() for name in original)
    again = [states(method.sampler, text).double() @ (torch.linalg.inv(a) @ b).T for text in concepts]
    onto = [states(method.sampler, text).double() for text in guides]
    empty = states(method.sampler, "").double()
    right = 0.1 * torch.eye(width, dtype=torch.float64) + sum(c.T @ c for c in again) + 0.1 * len(concepts) * empty.T @ empty
    found = {}
    for name in original:
        w = unet[name].double()
        left = 0.1 * w + sum(w @ g.T @ c for c, g in zip(again, onto, strict=True)) + 0.1 * len(concepts) * w @ empty.T @ empty
        found[name] = left @ torch.linalg.inv(right)
    return found


def test_two_epochs_are_the_formula_twice(sd_context: Context) -> None:
    concepts, guides = ["vorn", "drazz"], ["nothing", "circle"]
    method = RECE(concepts=concepts, guide=guides)
    method.begin(sd_context)
    original = {name: weight.detach().clone() for name, weight in family_of(load_pipeline(sd_context)).projections().items()}
    for _ in range(2):
        expected = by_hand(method, weights_of(method), original, concepts, guides)
        method.epoch()
        for name, weight in method.sampler.family.projections().items():
            torch.testing.assert_close(weight.double(), expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["context", "sd_context", "xl_context"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("method", [RECE, UCE])
def test_an_edit_is_solved_in_float32_whatever_the_dtype(method: type[RECE | UCE], dtype: str, kind: str, request: pytest.FixtureRequest) -> None:
    context: Context = request.getfixturevalue(kind)
    chosen = {"epochs": 3} if method is RECE else {}
    exact, half = method(**chosen), method(**chosen)
    exact.load(context)
    half.load(replace(context, dtype=dtype))
    solved = exact.sampler.family.projections()
    for name, weight in half.sampler.family.projections().items():
        assert weight.dtype == getattr(torch, dtype)
        assert torch.equal(weight, solved[name].to(weight.dtype))
    plain = dict(load_pipeline(replace(context, dtype=dtype)).unet.named_parameters())
    assert all(torch.equal(weight, plain[name]) for name, weight in weights_of(half).items() if name not in solved)


def test_an_epoch_erases_what_the_one_before_left(sd_context: Context) -> None:
    method = RECE(concepts=["vorn"], guide="nothing")
    method.begin(sd_context)
    weights, concept = method.sampler.family.projections(), states(method.sampler, "vorn")
    left = rederive(weights, method._original, concept, 0.1).float()

    def still_there() -> float:
        """How near the derived rows come to the concept's own keys and values."""
        return sum(float((left @ weight.detach().T - concept @ method._original[name].T).square().sum()) for name, weight in weights.items())

    before = still_there()
    method.epoch()
    assert still_there() > 2 * before


def test_what_is_outside_the_cross_attention_is_untouched(xl_context: Context) -> None:
    method = RECE()
    method.load(xl_context)
    after, before = weights_of(method), dict(load_pipeline(xl_context).unet.named_parameters())
    edited = {name for name in after if not torch.equal(after[name], before[name])}
    assert edited == set(method.sampler.family.projections())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"epochs": 1.5}, "needs epochs to be a whole number of at least 1; got 1.5"),
        ({"epochs": 0}, r"at least 1; got 0\. Without an epoch it is uce: run that \(--method uce\)"),
        ({"concepts": []}, r"needs concepts to be a text or a list of texts, each of which names something; got \[\]"),
        ({"regularizer": 0}, "needs regularizer to be a number above 0; got 0"),
        ({"lamb": 0}, "needs lamb to be a number above 0; got 0"),
        ({"guide": ["a", "b"]}, "rece got 2 guides for 7 concepts"),
    ],
)
def test_an_unfit_parameter_is_one_clear_line(bad: dict[str, object], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says):
        RECE(**bad).load(context)
