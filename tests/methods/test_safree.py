"""SAFREE: its linear algebra against least squares and the authors' own functions, its texts, and plain sampling where it does nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from bench.errors import BenchError, NotAvailable
from bench.registry import methods
from bench.seeds import generator
from bench.types import Context, Generated, Sample
from methods.denoisers.unet import residuals_of_the_way_up
from methods.safree import RE_ATTENTION, SAFREE, SafeText
from methods.safree_attention import damp, damped_places
from methods.safree_projection import basis, beta, inside, last_step, triggers, without

CONCEPT = torch.tensor([[2.0, 1, 0, 0, 1], [0, 1, 1, 0, -1]])
MASKED = torch.tensor([[1.0, 2, 0, 1, 0], [0, 1, 3, 0, 1], [2, 0, 1, 1, 1], [0, 1, 0, 2, 0]])
STATES = (torch.arange(30) % 7 - 2.0).reshape(6, 5)
NEW = {
    2: [-0.971471, 0.618368, 0.706206, 3.762763, 1.324575],
    3: [-0.309309, -0.508509, 1.635636, 2.186186, 1.127127],
    4: [1.666667, -1.833333, 0.333333, 0, -1.5],
}
"""What the authors' ``safree_projection`` gives for the above, by row, run in float64."""


def loaded(context: Context, **parameters: object) -> SAFREE:
    method = SAFREE(**parameters)
    method.load(context)
    return method


def texts(method: SAFREE, samples: list[Sample]) -> SafeText:
    guidance = SafeText(method._filter)
    with torch.inference_mode():
        guidance.begin(method.sampler, samples)
    return guidance


def images(outcomes: object) -> list[np.ndarray]:
    return [each.image.astype(int) for each in outcomes if isinstance(each, Generated)]  # type: ignore[attr-defined]


def test_a_projection_is_least_squares() -> None:
    torch.manual_seed(0)
    span, vectors = torch.randn(3, 7), torch.randn(5, 7)
    weights = np.linalg.lstsq(span.double().numpy().T, vectors.double().numpy().T, rcond=None)[0]
    np.testing.assert_allclose(inside(vectors, basis(span)), (span.double().numpy().T @ weights).T, atol=1e-12)


def test_a_text_given_twice_is_no_second_direction() -> None:
    torch.manual_seed(0)
    span = torch.randn(3, 7)
    twice = torch.cat([span, span * (1 + 1e-7)])
    assert basis(twice).shape == (3, 7) and basis(twice[:0]).shape == (0, 7)
    torch.testing.assert_close(inside(span, basis(twice)), span.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("alpha", "marked"), [(0.01, [1, 3]), (-0.2, [1, 2, 3]), (0.5, [1]), (9.0, [])])
def test_the_authors_own_numbers(alpha: float, marked: list[int]) -> None:
    # The distances are sqrt(2), 2.7080, 1.6833 and 2.1213; the others' means 2.1709, 1.7396, 2.0812 and 1.9352.
    concept = basis(CONCEPT)
    found = triggers(MASKED, concept, alpha)
    assert found.nonzero().flatten().tolist() == marked
    new = without(STATES, basis(MASKED), concept)
    for row in found.nonzero().flatten().tolist():
        np.testing.assert_allclose(new[row + 1], NEW[row + 1], atol=1e-6)
    assert beta(new, STATES) == pytest.approx(0.3939509821899799, abs=1e-9)


def test_triggers_by_hand() -> None:
    concept = basis(torch.tensor([[3.0, 0.0]]))
    # Without the second token the prompt is 4 from the concept, without the others 1 and 2: their means are 3, 1.5 and 2.5.
    masked = torch.tensor([[9.0, 1.0], [9.0, 4.0], [0.0, -2.0]])
    assert triggers(masked, concept, 0.01).tolist() == [False, True, False]
    assert triggers(masked[:1], concept, 1e9).tolist() == [True]
    assert triggers(masked[:0], concept, 0.01).tolist() == []
    assert not triggers(masked[:1].expand(5, -1), concept, 0.01).any()


@pytest.mark.parametrize(
    ("up_t", "expected"),
    [(10, [0, 0, 0, 2, 5, 7, 10, 10, 10]), (7, [0, 0, 0, 1, 4, 5, 7, 7, 7]), (0, [0] * 9)],
)
def test_how_long_the_filtered_text_is_used(up_t: int, expected: list[int]) -> None:
    assert [last_step(value, up_t) for value in (0.0, 0.4, 0.45, 0.5, 0.5333, 0.55, 0.6, 0.7, 1.0)] == expected


def test_a_rows_cosine_is_0_where_nothing_is_left() -> None:
    assert beta(torch.zeros(2, 5), STATES[:2]) == 1


def test_trigger_rows_alone_are_replaced(few: list[Sample], context: Context) -> None:
    method = loaded(context)
    with torch.inference_mode():
        for sample in few:
            found = method._filter(sample.prompt)
            masked = method._filter.masked(sample.prompt)
            marked = triggers(masked, method._filter.concept, 0.01)
            rows = (found.safe.states != found.plain.states).any(-1)[0]
            assert rows.nonzero().flatten().tolist() == (marked.nonzero().flatten() + 1).tolist()
            assert found.changed == bool(marked.any())
            out = inside(found.safe.states[0, rows], method._filter.concept)
            torch.testing.assert_close(out, torch.zeros_like(out), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["sd_context", "xl_context"])
def test_masked_prompts_are_pooled_as_prompts_are(kind: str, request: pytest.FixtureRequest) -> None:
    method = loaded(request.getfixturevalue(kind))
    with torch.inference_mode():
        masked = method._filter.masked("vorn circle left")
        # The token of id 0 is ! here too. It does not split off words, so the others' tokens stay as they were.
        for row, prompt in enumerate(["! circle left", "vorn ! left", "vorn circle !"]):
            ids = method._filter.tokenizer([prompt], padding="max_length", max_length=16, return_tensors="pt").input_ids
            ids[ids == method._filter.tokenizer("!").input_ids[1]] = 0
            torch.testing.assert_close(masked[row], method._filter.pooled(ids)[0])
        if kind == "xl_context":
            ids = method._filter.tokenizer(["vorn circle"], padding="max_length", max_length=16, return_tensors="pt").input_ids
            assert torch.equal(method._filter.pooled(ids), method.sampler.encode(["vorn circle"]).pooled)


@pytest.mark.parametrize("kind", ["context", "sd_context", "xl_context"])
def test_a_text_does_not_depend_on_its_neighbours(kind: str, few: list[Sample], request: pytest.FixtureRequest) -> None:
    method = loaded(request.getfixturevalue(kind))
    together, alone = texts(method, few), [texts(method, [sample]) for sample in few]
    for step in (0, 5, 19):
        for number, each in enumerate(alone):
            assert torch.equal(each.texts(step)[1].states[0], together.texts(step)[1].states[number])


@pytest.mark.parametrize("kind", ["sd_context", "xl_context"])
def test_a_picture_does_not_depend_on_its_neighbours(kind: str, few: list[Sample], request: pytest.FixtureRequest) -> None:
    method = loaded(request.getfixturevalue(kind))
    first = images(method.generate(few))
    assert all(np.array_equal(a, b) for a, b in zip(first, images(method.generate(few)), strict=True))
    for sample, picture in zip(few, first, strict=True):
        assert np.abs(images(method.generate([sample]))[0] - picture).max() <= 2


def test_each_sample_has_its_own_last_step(few: list[Sample], context: Context) -> None:
    guidance = texts(loaded(context), few)
    guidance.last = torch.tensor([0.0, 2.0, math.inf, 1.0])
    for step in range(4):
        found = guidance.texts(step)
        assert len(found) == 2
        for number, last in enumerate(guidance.last):
            text = guidance.safe if step <= last else guidance.encoded[1]
            assert torch.equal(found[1].states[number], text.states[number])


@pytest.mark.parametrize("kind", ["context", "sd_context", "xl_context"])
@pytest.mark.parametrize("validates", [True, False])
def test_with_no_trigger_it_is_diffusers_with_a_negative_prompt(
    kind: str, validates: bool, few: list[Sample], request: pytest.FixtureRequest
) -> None:
    method = loaded(request.getfixturevalue(kind), alpha=1e9, self_validation=validates)
    pipeline, sample = method.sampler.pipeline, few[0]
    mine = images(method.generate([sample]))[0]
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        sample.prompt,
        negative_prompt="vorn, skell, drazz, mirk, lomi, grull, takko",
        num_inference_steps=6,
        guidance_scale=sample.guidance,
        generator=generator(sample),
        width=32,
        height=32,
    ).images[0]
    assert np.array_equal(mine, np.asarray(theirs))


def test_at_a_guidance_of_1_the_new_text_alone_counts(few: list[Sample], context: Context) -> None:
    base, sample = methods.get("sd-v1.5")(), replace(few[0], guidance=1.0)
    base.load(context)
    plain = images(base.generate([sample]))[0]
    assert np.array_equal(plain, images(loaded(context, alpha=1e9).generate([sample]))[0])
    for chosen in RE_ATTENTION:
        assert not np.array_equal(plain, images(loaded(context, re_attention=chosen).generate([sample]))[0])


@pytest.mark.parametrize("kind", ["sd_context", "xl_context"])
@pytest.mark.parametrize(
    ("prompt", "rows"),
    [("", []), ("lomi", [1]), ("a red lomi circle " * 8, [])],
)
def test_prompts_at_the_edges(kind: str, prompt: str, rows: list[int], few: list[Sample], request: pytest.FixtureRequest) -> None:
    method = loaded(request.getfixturevalue(kind))
    guidance = texts(method, [few[0], replace(few[1], prompt=prompt)])
    assert (guidance.safe.states != guidance.encoded[1].states).any(-1)[1].nonzero().flatten().tolist() == rows
    assert len(images(method.generate([replace(few[1], prompt=prompt)]))) == 1


def test_sdxl_keeps_its_first_encoder_and_its_pooled_text(few: list[Sample], xl_context: Context) -> None:
    guidance = texts(loaded(xl_context), few)
    plain = guidance.encoded[1]
    assert torch.equal(guidance.safe.states[..., :32], plain.states[..., :32])
    assert not torch.equal(guidance.safe.states[..., 32:], plain.states[..., 32:])
    assert torch.equal(guidance.safe.pooled, plain.pooled)
    assert guidance.last.isinf().all()
    assert not texts(loaded(xl_context, self_validation=True), few).last.isinf().any()


def test_which_concepts_are_taken(context: Context) -> None:
    own = Context(context.track.model_copy(update={"concepts": {"safree": ("vorn", "mirk"), "unsafe": ("lomi",)}}))
    with torch.inference_mode():
        for method, text in ((loaded(own), "vorn, mirk"), (loaded(own, concepts="drazz"), "drazz"), (loaded(own, concepts=["a", "b"]), "a, b")):
            assert torch.equal(method._filter.negative.states, method.sampler.encode([text]).states)
            assert len(method._filter.concept) == len(text.split(", "))


def test_a_track_without_concepts_says_so(context: Context) -> None:
    bare = Context(context.track.model_copy(update={"concepts": {}}))
    with pytest.raises(NotAvailable, match="no concepts for safree"):
        SAFREE().load(bare)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"concepts": []}, r"safree needs concepts to be .*, each of which names something; got \[\]\. Give one, or leave it out"),
        ({"concepts": ["vorn", " "]}, "each of which names something"),
        ({"concepts": 3}, "needs concepts to be a text or a list of texts; got 3"),
        ({"concepts": ["vorn", ""]}, "needs concepts to be a text or a list of texts"),
        ({"alpha": "high"}, "needs alpha to be a number; got 'high'"),
        ({"alpha": float("nan")}, "needs alpha to be a number; got nan"),
        ({"self_validation": 1}, "needs self_validation to be true, false or null; got 1"),
        ({"up_t": 2.5}, "needs up_t to be a whole number of at least 0; got 2.5"),
        ({"up_t": -1}, "needs up_t to be a whole number of at least 0; got -1"),
        ({"re_attention": "high"}, "needs re_attention to be one of: released, low"),
    ],
)
def test_an_unfit_parameter_is_one_clear_line(bad: dict[str, object], says: str, context: Context) -> None:
    with pytest.raises(BenchError, match=says):
        SAFREE(**bad).load(context)


def test_a_model_that_does_not_fit_is_one_clear_line(context: Context, xl_context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="re_attention=low on Stable Diffusion alone"):
        SAFREE(re_attention="low").load(xl_context)
    method = loaded(xl_context)
    method.sampler.pipeline.text_encoder_2.config.projection_dim = 16
    with pytest.raises(BenchError, match="as wide as its projection; these are 32 and 16"):
        method._check_model()
    with monkeypatch.context() as patch:
        patch.setattr("methods.denoisers.unet.UNetFamily.skips", lambda self: [])
        with pytest.raises(BenchError, match="this base model's network has none"):
            loaded(context, re_attention="low")
    method = loaded(context)
    method.sampler.pipeline.tokenizer.bos_token = "!"
    with pytest.raises(BenchError, match="masks with the token of id 0, which is '!' in this model"):
        method._check_model()


def test_damping_sets_the_lowest_frequencies_where_the_filtered_text_has_more() -> None:
    torch.manual_seed(0)
    filtered, plain = torch.randn(2, 3, 5, 4, 6, dtype=torch.float64).unbind()
    spectrum, reference = (np.fft.fftshift(np.fft.fft2(each.numpy()), axes=(-2, -1)) for each in (filtered, plain))
    block = (..., slice(1, 3), slice(2, 4))
    spectrum[block] = np.where(spectrum[block].real > reference[block].real, 0.2, spectrum[block])
    expected = np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(-2, -1))).real
    np.testing.assert_allclose(damp(filtered, plain, 0.2), expected, atol=1e-6)
    torch.testing.assert_close(damp(filtered, filtered, 0.2), filtered, atol=1e-6, rtol=0)


def test_where_stable_diffusion_is_damped() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)  # the class's defaults are Stable Diffusion's
    assert unet.config.block_out_channels == (320, 640, 1280, 1280)
    places = damped_places(residuals_of_the_way_up(unet))
    assert [(width, scale) for _, width, scale in places] == [(1280, 0.9)] * 7 + [(640, 0.2)] * 3
    # What comes from below and what is skipped fill the block's input.
    assert [residual.in_channels - width for residual, width, _ in places] == [1280] * 5 + [640] * 3 + [320] * 2


def test_low_damps_while_it_runs_and_leaves_no_hook(few: list[Sample], context: Context) -> None:
    released, low = loaded(context), loaded(context, re_attention="low")
    rows: dict[str, list[int]] = {"released": [], "low": []}
    for name, method in (("released", released), ("low", low)):
        method.sampler.pipeline.unet.register_forward_pre_hook(lambda module, args, name=name: rows[name].append(len(args[0])))
    plain, damped = images(released.generate(few)), images(low.generate(few))
    assert rows == {"released": [8] * 6, "low": [12] * 6}
    assert not np.array_equal(plain, damped)
    assert all(np.array_equal(a, b) for a, b in zip(damped, images(low.generate(few)), strict=True))
    assert not any(residual._forward_pre_hooks for residual, _ in low.sampler.family.skips())


def test_low_leaves_a_prompt_without_triggers_alone(few: list[Sample], context: Context) -> None:
    pictures = [images(loaded(context, alpha=1e9, re_attention=chosen).generate(few)) for chosen in RE_ATTENTION]
    assert np.array_equal(*pictures)
