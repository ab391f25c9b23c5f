"""The loss: golden values of the official code, its gradient, and its convention of beta."""

from __future__ import annotations

import math

import pytest
import torch

from training.dpo import denoising_error, dpo_loss
from training.preferences import label, reward

ERRORS = (torch.tensor([0.10, 0.12]), torch.tensor([0.11, 0.115]))
"""Winner and loser of one pair: the policy's, then the reference's."""


def test_the_golden_value() -> None:
    losses, preferred = dpo_loss(*ERRORS, beta=10)
    assert float(losses) == pytest.approx(0.65635, abs=5e-6)
    assert bool(preferred)


def test_a_policy_that_is_its_reference_loses_ln_2_and_prefers_nothing() -> None:
    losses, preferred = dpo_loss(ERRORS[0], ERRORS[0], beta=5000)
    assert float(losses) == pytest.approx(math.log(2)) and not bool(preferred)


def test_the_gradient_is_the_formulas() -> None:
    error = torch.rand(8, dtype=torch.float64, requires_grad=True)
    reference = torch.rand(8, dtype=torch.float64)
    beta = 3.0
    dpo_loss(error, reference, beta)[0].sum().backward()
    inside = -0.5 * beta * ((error[:4] - error[4:]) - (reference[:4] - reference[4:]))
    by_hand = 0.5 * beta * torch.sigmoid(-inside)
    torch.testing.assert_close(error.grad, torch.cat([by_hand, -by_hand]).detach())


def test_large_errors_do_not_overflow() -> None:
    losses, _ = dpo_loss(torch.tensor([9.0, 0.0]), torch.tensor([0.0, 9.0]), beta=5000)
    assert float(losses) == pytest.approx(0.5 * 5000 * 18)


def test_an_image_has_one_error() -> None:
    predicted, target = torch.randn(3, 4, 5, 6), torch.randn(3, 4, 5, 6)
    error = denoising_error(predicted, target)
    assert error.shape == (3,)
    assert float(error[1]) == pytest.approx(float(((predicted[1] - target[1]) ** 2).mean()))


def row(
    number: int, quality: tuple[float | None, float | None], cost: tuple[float | None, float | None], category: str = "hate"
) -> dict[str, object]:
    return {
        "pair_id": str(number),
        "caption": "a circle",
        "category": category,
        "kind": "harmful-safe",
        **{f"quality_{place}": quality[place] for place in (0, 1)},
        **{f"cost_{place}": cost[place] for place in (0, 1)},
    }


ROWS = [row(0, (20.0, 19.0), (5.0, -5.0)), row(1, (22.0, 19.0), (5.0, -5.0)), row(2, (19.0, 20.0), (1.0, 1.0))]


@pytest.mark.parametrize(
    ("kind", "weight", "winners"),
    [("composite", 0.15, [1, 0, 1]), ("composite", 1.0, [1, 1, 1]), ("quality", 0.15, [0, 0, 1]), ("safety", 0.15, [1, 1])],
)
def test_the_winner_has_the_larger_reward(kind: str, weight: float, winners: list[int]) -> None:
    pairs, left_out = label(ROWS, kind, weight, tie=0.0)  # type: ignore[arg-type]
    assert [pair.winner for pair in pairs] == winners
    assert left_out == ({"a tie": 1} if kind == "safety" else {})


def test_the_composite_reward_is_quality_less_weighted_cost() -> None:
    assert reward(20.0, 4.0, "composite", 0.15) == pytest.approx(19.4)
    assert (reward(20.0, 4.0, "quality", 0.15), reward(20.0, 4.0, "safety", 0.15)) == (20.0, -4.0)


def test_what_cannot_be_labelled_is_counted() -> None:
    rows = [*ROWS, row(3, (None, 1.0), (1.0, 2.0)), row(4, (1.0, 1.0), (float("nan"), 2.0)), {**row(5, (1.0, 2.0), (0.0, 0.0)), "caption": ""}]
    pairs, left_out = label(rows, "composite", 0.15, tie=0.0)
    assert len(pairs) == 3 and left_out == {"no quality or no safety cost": 2, "no caption": 1}


def test_a_data_set_without_annotations_is_refused() -> None:
    from bench.errors import BenchError

    bare = [row(number, (None, None), (1.0, 0.0)) for number in range(3)]
    with pytest.raises(BenchError, match="lack an annotation"):
        label([*bare, ROWS[0]], "safety", 0.15, tie=0.0)
    with pytest.raises(BenchError, match="No pair is left"):
        label(ROWS, "composite", 0.15, tie=0.0, categories=["shocking"])
