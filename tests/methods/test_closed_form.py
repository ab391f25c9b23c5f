"""The closed forms against NumPy loops that follow the formulae row by row, and against a direct least-squares solve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from bench.errors import BenchError
from methods.closed_form import edit, rederive
from methods.denoisers.unet import cross_attentions

WIDTH = 12


def tiny(seed: int = 0) -> UNet2DConditionModel:
    torch.manual_seed(seed)
    blocks = {"down_block_types": ("CrossAttnDownBlock2D",), "up_block_types": ("CrossAttnUpBlock2D",), "block_out_channels": (8,)}
    return UNet2DConditionModel(sample_size=4, layers_per_block=1, cross_attention_dim=WIDTH, attention_head_dim=4, norm_num_groups=4, **blocks)


def by_rows(weight: np.ndarray, values: np.ndarray, old: np.ndarray, kept: np.ndarray, a: float, b: float, lamb: float) -> np.ndarray:
    left, right = lamb * weight, lamb * np.eye(weight.shape[1])
    for c, v in zip(old, values, strict=True):
        left = left + a * np.outer(v, c)
        right = right + a * np.outer(c, c)
    for k in kept:
        left = left + b * np.outer(weight @ k, k)
        right = right + b * np.outer(k, k)
    return left @ np.linalg.inv(right)


def by_least_squares(weight: np.ndarray, values: np.ndarray, old: np.ndarray, kept: np.ndarray, a: float, b: float, lamb: float) -> np.ndarray:
    """The minimum of a |W'c - v|^2 + b |W'k - Wk|^2 + lamb |W' - W|^2, rows stacked into one system."""
    rows = np.concatenate([np.sqrt(a) * old, np.sqrt(b) * kept, np.sqrt(lamb) * np.eye(WIDTH)])
    wanted = np.concatenate([np.sqrt(a) * values, np.sqrt(b) * kept @ weight.T, np.sqrt(lamb) * weight.T])
    return np.linalg.lstsq(rows, wanted, rcond=None)[0].T


def targets(weight: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]], technique: str) -> np.ndarray:
    found = []
    for old, new in pairs:
        values = new @ weight.T
        if technique == "tensor":
            along = old @ weight.T
            along = along / np.sqrt((along**2).sum())
            values = values - (along * values).sum() * along
        found.append(values)
    return np.concatenate(found)


@pytest.mark.parametrize("technique", ["replace", "tensor"])
@pytest.mark.parametrize(("a", "b", "lamb"), [(1.0, 1.0, 0.5), (2.0, 0.1, 0.1), (0.0, 1.0, 0.5)])
def test_the_edit_is_the_formula_and_the_least_squares(technique: str, a: float, b: float, lamb: float) -> None:
    unet, untouched = tiny(), tiny()
    pairs, kept = [(torch.randn(rows, WIDTH), torch.randn(rows, WIDTH)) for rows in (3, 4)], torch.randn(5, WIDTH)
    edit(cross_attentions(unet), pairs, kept, erase_scale=a, preserve_scale=b, lamb=lamb, technique=technique)
    before, edited = dict(untouched.named_parameters()), set(cross_attentions(unet))
    assert len(edited) == 2 * sum(name.endswith("attn2") for name, _ in unet.named_modules())
    for name, parameter in unet.named_parameters():
        if name not in edited:
            assert torch.equal(parameter, before[name])
            continue
        weight = before[name].detach().double().numpy()
        plain = [tuple(each.double().numpy() for each in pair) for pair in pairs]
        arguments = (weight, targets(weight, plain, technique), np.concatenate([old for old, _ in plain]), kept.double().numpy(), a, b, lamb)
        for reference in (by_rows, by_least_squares):
            np.testing.assert_allclose(parameter.detach().numpy(), reference(*arguments), rtol=1e-5, atol=1e-6)


def test_an_edit_that_maps_a_concept_onto_itself_changes_nothing() -> None:
    unet, untouched = tiny(), tiny()
    rows = torch.randn(6, WIDTH)
    edit(cross_attentions(unet), [(rows, rows)], torch.randn(4, WIDTH), erase_scale=1.0, preserve_scale=1.0, lamb=0.5)
    for (name, after), before in zip(unet.named_parameters(), untouched.parameters(), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-7, msg=name)


@pytest.mark.parametrize("regularizer", [1e-3, 0.1, 10.0])
def test_the_rederived_rows_minimise_their_objective(regularizer: float) -> None:
    edited, original = tiny(0), tiny(1)
    concept = torch.randn(5, WIDTH)
    found = rederive(cross_attentions(edited), cross_attentions(original), concept, regularizer).numpy()
    after = np.concatenate([weight.detach().double().numpy() for weight in cross_attentions(edited).values()])
    before = np.concatenate([weight.detach().double().numpy() for weight in cross_attentions(original).values()])
    rows = np.concatenate([after, np.sqrt(regularizer) * np.eye(WIDTH)])
    wanted = np.concatenate([before @ concept.double().numpy().T, np.zeros((WIDTH, 5))])
    np.testing.assert_allclose(found, np.linalg.lstsq(rows, wanted, rcond=None)[0].T, rtol=1e-9, atol=1e-12)


def test_an_unedited_model_needs_no_other_rows() -> None:
    unet, concept = tiny(), torch.randn(5, WIDTH)
    found = rederive(cross_attentions(unet), cross_attentions(unet), concept, 1e-12)
    torch.testing.assert_close(found, concept.double(), rtol=1e-5, atol=1e-6)


def test_a_matrix_that_cannot_be_inverted_is_one_clear_line() -> None:
    """One row cannot fill it, and lamb is lost beside it."""
    row = torch.ones(1, WIDTH)
    with pytest.raises(BenchError, match=r"cannot be solved with lamb=1e-300, erase_scale=1, preserve_scale=0: raise lamb"):
        edit(cross_attentions(tiny()), [(row, 0 * row)], row[:0], erase_scale=1.0, preserve_scale=0.0, lamb=1e-300)
