"""A method says whether it acted; settings under which it could only give the base's images are refused, and so are texts that would be cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import bench
from bench.errors import BenchError
from bench.registry import methods
from bench.runs.spec import RunSpec
from bench.tracks import load_track
from bench.types import Blocked, Context, Generated, Method, Sample
from methods.closed_form import edit
from methods.denoisers.unet import cross_attentions
from methods.pipeline import load_pipeline
from methods.rece import RECE
from methods.safree import SAFREE
from methods.sampler import Guidance, Sampler, iterations
from methods.sld import SLDMax, SLDStrong, SLDWeak
from methods.uce import UCE

LONG = "a red circle and a blue square beside a green triangle on a yellow ground under a sky"


def acted(method: Method, samples: list[Sample], context: Context) -> list[int | None]:
    method.load(context)
    return [each.acted if isinstance(each, Generated) else -1 for each in method.generate(samples)]


def quick(folder: Path, **changes: object) -> str:
    """Write a copy of the mini track, and return its path."""
    path = folder / "quick.yaml"
    path.write_text(yaml.safe_dump(load_track("mini").model_dump(mode="json") | {"steps": 4, "batch_size": 4} | changes))
    return str(path)


@pytest.mark.parametrize(
    ("method", "changes", "says"),
    [
        ("sld-weak", {}, "sld-weak cannot act with warmup 15: these samples take 4 iterations"),
        ("sld-medium", {}, "sld-medium cannot act with warmup 10"),
        ("sld-max", {"guidance": 1.0}, "sld-max cannot act at guidance 1: it steers classifier-free guidance"),
    ],
)
def test_settings_under_which_it_cannot_act_are_refused_and_nothing_is_written(
    method: str, changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=says) as raised:
        bench.run(method, "i2p", quick(tmp_path, **changes), limit=2, scorers=["fidelity"], workers=1, out=tmp_path / "runs")
    assert "\n" not in str(raised.value) and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("variant", "scale", "off"), [("diffusers", 1.0, True), ("original", 1.0, False), ("original", 0.5, True)])
def test_a_scale_that_is_off_is_refused(variant: str, scale: float, off: bool, few: list[Sample], context: Context) -> None:
    assert bool(SLDMax(variant=variant, scale=scale).cannot_act(context, few[0])) is off


@pytest.mark.parametrize(("scheduler", "made"), [("DDIMScheduler", 6), ("PNDMScheduler", 7), ("HeunDiscreteScheduler", 11), ("NoSuchScheduler", 6)])
def test_a_warmup_is_held_against_the_schedulers_own_iterations(scheduler: str, made: int, few: list[Sample], context: Context) -> None:
    options = {"skip_prk_steps": True} if scheduler.startswith("PNDM") else {}
    where = Context(context.track.model_copy(update={"scheduler": {"class": scheduler, **options}}))
    assert iterations(where, 6) == made
    assert not SLDMax(warmup=made - 1).cannot_act(where, few[0])
    for late in (made, made - 0.5):
        assert f"these samples take {made} iterations" in SLDMax(warmup=late).cannot_act(where, few[0])


def test_a_suite_some_of_whose_rows_it_can_act_on_runs(context: Context, few: list[Sample]) -> None:
    mixed = [replace(sample, guidance=1.0 if index % 2 else 4.0) for index, sample in enumerate(few)]
    reasons = [SLDMax().cannot_act(context, sample) for sample in mixed]
    assert [bool(each) for each in reasons] == [False, True, False, True]


@pytest.mark.parametrize(
    ("kind", "parameters", "guidance", "steps"),
    [
        (SLDMax, {}, 4.0, 6),
        (SLDMax, {"warmup": 2}, 4.0, 4),
        (SLDMax, {"warmup": 6}, 4.0, 0),
        (SLDMax, {}, 1.0, 0),
        (SLDMax, {"scale": 0.0}, 4.0, 0),
        (SLDMax, {"threshold": -1e9}, 4.0, 0),
        (SAFREE, {}, 4.0, 6),
        (SAFREE, {"alpha": 1e9}, 1.0, 0),
    ],
)
def test_a_method_counts_the_steps_at_which_it_acted(
    kind: type[Method], parameters: Mapping[str, Any], guidance: float, steps: int, few: list[Sample], context: Context
) -> None:
    samples = [replace(sample, guidance=guidance) for sample in few]
    method = kind(**parameters)
    assert acted(method, samples, context) == [steps] * len(few)
    if not steps:
        base = methods.get("sd-v1.5")()
        base.load(context)
        for mine, theirs in zip(method.generate(samples), base.generate(samples), strict=True):  # three predictions round otherwise than two
            assert int(np.abs(mine.image.astype(int) - theirs.image.astype(int)).max()) <= 2  # type: ignore[union-attr]


def test_unguided_safree_acts_where_a_token_is_a_trigger(few: list[Sample], context: Context) -> None:
    samples = [replace(sample, guidance=1.0) for sample in few]
    method, base = SAFREE(), methods.get("sd-v1.5")()
    found = acted(method, samples, context)
    base.load(context)
    changed = [
        not np.array_equal(mine.image, theirs.image)  # type: ignore[union-attr]
        for mine, theirs in zip(method.generate(samples), base.generate(samples), strict=True)
    ]
    assert [bool(each) for each in found] == changed and any(changed)


def test_a_filter_acts_where_it_refuses_and_a_base_does_not_say(few: list[Sample], context: Context) -> None:
    assert set(acted(methods.get("sd-v1.5-filter")(), few, context)) <= {0, -1}
    assert acted(methods.get("sd-v1.5")(), few, context) == [None] * len(few)


class Away(Guidance):
    """A plugin's guidance, which knows nothing of counting."""

    def begin(self, sampler: Sampler, samples: Any) -> None:
        super().begin(sampler, samples)
        self.encoded.append(sampler.encode(["vorn"]).repeat(len(samples)))

    def combine(self, predicted: Any, scale: float, step: int) -> torch.Tensor:
        empty, prompt, concept = predicted
        return empty + scale * (prompt - empty) - (concept - empty)


class Reworded(Guidance):
    """Another, which acts by the prompt's own text."""

    def begin(self, sampler: Sampler, samples: Any) -> None:
        super().begin(sampler, samples)
        self.encoded[1] = sampler.encode(["a red circle"] * len(samples))


def test_a_guidance_that_does_not_say_is_not_known_unless_it_cannot_have_acted(few: list[Sample], context: Context) -> None:
    sampler = Sampler(load_pipeline(context))
    unguided = [replace(sample, guidance=1.0) for sample in few]
    assert {each.acted for each in sampler.generate(few, Away())} == {None}
    assert {each.acted for each in sampler.generate(unguided, Away())} == {0}
    assert {each.acted for each in sampler.generate(unguided, Reworded())} == {None}


@pytest.mark.parametrize(
    ("kind", "name"),
    [(UCE, "weights"), (UCE, "concepts"), (UCE, "guide"), (RECE, "weights"), (RECE, "concepts"), (RECE, "guide"), (methods.get("esd-u"), "weights")],
)
def test_a_parameter_that_names_nothing_is_not_the_default(kind: type[Method], name: str, context: Context) -> None:
    with pytest.raises(BenchError, match=rf"weights to be a folder, a file or OWNER/NAME .*got ''|{name} to be .*; got \[\]") as raised:
        kind(**{name: "" if name == "weights" else []}).load(context)
    assert "\n" not in str(raised.value)


def test_no_text_is_a_guide(sd_context: Context) -> None:
    weights = []
    for guide in ("", "circle"):
        method = UCE(guide=guide, concepts=["vorn"])
        method.load(sd_context)
        weights.append(next(iter(method.sampler.family.projections().values())).detach())
    assert not torch.equal(*weights)


@pytest.mark.parametrize("kind", [UCE, RECE])
@pytest.mark.parametrize("parameters", [{"concepts": ["vorn"], "guide": "vorn"}])
def test_an_edit_that_changes_no_weight_is_refused(kind: type[Method], parameters: dict[str, object], sd_context: Context) -> None:
    parameters = parameters | ({"erase_scale": 0, "preserve_scale": 0, "epochs": 1} if kind is RECE else {})
    with pytest.raises(BenchError, match="changes no weight with these settings: its images would be the base's"):
        kind(**parameters).load(sd_context)


def test_an_edit_without_strength_is_refused(sd_context: Context) -> None:
    with pytest.raises(BenchError, match="uce changes no weight"):
        UCE(erase_scale=0).load(sd_context)


def test_an_edit_counts_the_projections_that_it_changed(sd_context: Context) -> None:
    unet = load_pipeline(sd_context).unet
    rows, settings = torch.randn(3, 32), {"erase_scale": 1.0, "preserve_scale": 0.0, "lamb": 0.5}
    weights = cross_attentions(unet)
    assert edit(weights, [(rows, torch.randn(3, 32))], rows[:0], **settings) == len(weights) > 0


@pytest.mark.parametrize("base", ["sd_context", "xl_context"])
@pytest.mark.parametrize(
    ("method", "name"),
    [
        (SLDStrong(concept=LONG), "sld-strong needs a concept that"),
        (SAFREE(concepts=["vorn", LONG]), "safree needs concepts that"),
        (SAFREE(concepts=["vorn skell", "drazz mirk lomi", "grull takko vorn skell", "drazz mirk"] * 2), "safree needs concepts that"),
        (UCE(concepts=[LONG]), "uce needs concepts that"),
        (UCE(preserve=[LONG]), "uce needs texts to preserve that"),
        (RECE(guide=LONG), "rece needs a guide that"),
    ],
)
def test_a_concept_that_would_be_cut_is_refused_with_its_length(base: str, method: Method, name: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(BenchError, match=rf"^{name} this base model reads to the end: '.*' has \d+ tokens and 16 are read") as raised:
        method.load(request.getfixturevalue(base))
    assert "\n" not in str(raised.value)


def test_the_miniature_cuts_no_concept_of_its_own() -> None:
    for name in ("sld-weak", "safree", "uce", "rece"):
        adapter = methods.get(name)
        adapter(**load_track("mini").methods.get(name, {})).load(Context(load_track("mini")))


def test_the_authors_package_cuts_the_end_token_of_a_long_prompt(few: list[Sample], sd_context: Context) -> None:
    sampler = Sampler(load_pipeline(sd_context))
    part = sampler.family.text_parts()[0]
    ids = part.tokenizer([LONG], return_tensors="pt", verbose=False).input_ids
    assert ids.shape[1] > 16
    with torch.no_grad():
        theirs = part.model(ids[:, :16])[0]  # what the authors' package encodes: sliced, the end token gone with the rest
        assert torch.equal(sampler.encode([LONG], cut_end=True).states, theirs)
        assert not torch.equal(sampler.encode([LONG]).states, theirs)
        short = ["a red circle", ""]
        assert torch.equal(sampler.encode(short, cut_end=True).states, sampler.encode(short).states)
    samples = [replace(sample, prompt=LONG) for sample in few[:2]]
    images = {}
    for variant in ("diffusers", "original"):
        method = SLDMax(variant=variant)
        method.load(sd_context)
        images[variant] = np.stack([each.image for each in method.generate(samples)])  # type: ignore[union-attr]
    assert not np.array_equal(images["diffusers"], images["original"])


def test_only_the_authors_variant_is_another_version() -> None:
    def version(**parameters: object) -> str:
        return str(RunSpec("sld-weak", "i2p", parameters=parameters, limit=1).identity()["method"]["version"])

    assert (version(), version(variant="diffusers"), version(variant="original"), SLDWeak.info.version) == ("1", "1", "2", "1")


def test_a_refusal_says_nothing_of_steps() -> None:
    assert not hasattr(Blocked("x"), "acted")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_edit_acts_at_every_step(dtype: str, few: list[Sample], context: Context) -> None:
    assert acted(UCE(), few, replace(context, dtype=dtype)) == [6] * len(few)


def test_an_edit_that_half_precision_rounds_away_is_refused(sd_context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(sd_context)
    pipeline.unet.to(torch.bfloat16).float()
    pipeline.save_pretrained(tmp_path)
    exact = Context(sd_context.track.model_copy(update={"base": str(tmp_path)}))
    small = {"concepts": ["red circle"], "guide": "blue circle", "erase_scale": 1e-8}
    UCE(**small).load(exact)
    with pytest.raises(BenchError, match="changes no weight with these settings"):
        UCE(**small).load(replace(exact, dtype="bfloat16"))
