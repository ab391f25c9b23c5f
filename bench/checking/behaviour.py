"""The rules on what a loaded adapter does: its outcomes, their randomness, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from bench.checking.rule import AdapterRule
from bench.checking.state import snapshot
from bench.checking.subject import Subject, agree, copied, difference, generate
from bench.checking.verdict import Broken, Skip
from bench.seeds import derive_seed
from bench.types import Generated, Kind, Sample

TOLERANCE = 2
"""Levels of 255 by which a pixel may differ in another batch: kernels round by the batch's shape. Measured: up to 1 on the miniature."""

OTHER_STEPS = 7
"""Denoising steps that no track uses."""


def loads(subject: Subject) -> str:
    """Load the shared instance. The base goes first, so that the last rule can see what became of it."""
    files = len(subject.base_files)
    made = len(subject.base_first)
    _ = subject.method
    return f"loaded, after {subject.base_name} had made {made} images" if made else f"loaded; the base model has {files} files"


def right_outcomes(subject: Subject) -> str:
    """Look at the first call's outcomes."""
    delivered = sum(isinstance(each, Generated) for each in subject.first)
    sample = subject.samples[0]
    return f"of {len(subject.first)}, {delivered} delivered as {sample.width} x {sample.height} pixels, {len(subject.first) - delivered} blocked"


def own_memory(subject: Subject) -> str:
    """Look for pixels that two outcomes share, and for a call that writes over an earlier one's."""
    images = [each.image for each in generate(subject.method, subject.samples) if isinstance(each, Generated)]
    if not images:
        raise Skip("every sample was blocked")
    if any(np.shares_memory(a, b) for a, b in combinations(images, 2)):
        raise Broken("two images of one call share memory")
    before = [image.copy() for image in images]
    generate(subject.method, other_seeds(subject.samples))
    if not all(np.array_equal(a, b) for a, b in zip(images, before, strict=True)):
        raise Broken("a later call wrote over the images of an earlier one")
    return "no buffer is shared or used again"


def deterministic(subject: Subject) -> str:
    """Make the first batch again with this instance and with another."""
    agree(subject.first, generate(subject.method, subject.samples), "the same batch again")
    agree(subject.first, generate(subject.fresh(), subject.samples), "another instance")
    return "the same bits again, and from another instance"


def global_seeds(subject: Subject) -> str:
    """Make the first batch again under other global seeds."""
    agree(subject.first, generate(subject.method, subject.samples, seed=1), "under other global seeds")
    return "the same bits under other global seeds"


def own_seed(subject: Subject) -> str:
    """Make the same prompts from other seeds."""
    if subject.adapter.info.kind is Kind.FLOOR:
        raise Skip("a floor need not depend on the seed")
    after = generate(subject.method, other_seeds(subject.samples))
    pairs = [(a, b) for a, b in zip(subject.first, after, strict=True) if isinstance(a, Generated) and isinstance(b, Generated)]
    if not pairs:
        raise Skip("no prompt was delivered from both seeds")
    fixed = sum(difference(a, b) == 0 for a, b in pairs)
    if fixed:
        raise Broken(f"{fixed} of {len(pairs)} prompts gave the same image from two seeds")
    return f"{len(pairs)} of {len(pairs)} prompts gave another image from another seed"


def batch_invariant(subject: Subject) -> str:
    """Make the samples in reverse order, the last alone, and the first behind other neighbours."""
    if subject.context.dtype != "float32":
        raise Skip("its tolerance holds for float32: check with --dtype float32")
    samples, method, first = subject.samples, subject.method, subject.first
    # A generator that the batch shares would not show in its first sample made alone, nor in one that stays first.
    tries = (
        ("in reverse order", samples[::-1], first[::-1]),
        ("alone", samples[-1:], first[-1:]),
        ("behind other neighbours", [*subject.neighbours, samples[0]], first[:1]),
    )
    largest = max(agree(before, generate(method, batch)[-len(before) :], where, TOLERANCE) for where, batch, before in tries)
    return f"largest difference {largest} of 255 levels; {TOLERANCE} are allowed"


def other_settings(subject: Subject) -> str:
    """Make the samples at another number of steps, and without guidance."""
    method = subject.fresh()
    for what, change in ((f"{OTHER_STEPS} steps", {"steps": OTHER_STEPS}), ("guidance 1", {"guidance": 1.0})):
        try:
            generate(method, [replace(sample, **change) for sample in subject.samples])
        except Exception as error:
            raise Broken(f"at {what}: {error}") from error
    return f"works at {OTHER_STEPS} steps, and at guidance 1 (none)"


def stateless(subject: Subject) -> str:
    """Make a batch, a smaller one of other settings, and the first again."""
    method = subject.fresh()
    before = copied(generate(method, subject.samples))
    generate(method, [replace(sample, steps=OTHER_STEPS) for sample in subject.neighbours])
    agree(before, generate(method, subject.samples), "after a smaller batch of fewer steps")
    return "the same bits after a smaller batch of fewer steps"


def global_state(subject: Subject) -> str:
    """Compare the process before and after a load and a call."""
    before = snapshot()
    method = subject.fresh()
    method.generate(subject.samples)
    after = snapshot()
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        raise Broken(f"changed: {', '.join(changed)}")
    return "dtype, device, grad mode, threads, random states, signal handlers, folder, environment as before"


def base_untouched(subject: Subject) -> str:
    """Compare the files and the base method with what they were before the adapter was loaded."""
    if subject.context.track.base_weights() != subject.base_files:
        raise Broken("a file of the track's base model changed")
    if subject.own_files is not None and dict(subject.make().weights(subject.context)) != subject.own_files:
        raise Broken("a weight file of the method's own changed")
    if subject.base is None:
        raise Skip("the files are as before; no method of kind base runs on this track")
    agree(subject.base_first, generate(subject.base, subject.samples), f"{subject.base_name}, loaded before")
    return f"files as before; {subject.base_name}, loaded before, gives the same bits"


def other_seeds(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with another seed each."""
    return [replace(sample, seed=derive_seed(sample.seed, sample.prompt_id, 1)) for sample in samples]


BEHAVIOUR = (
    AdapterRule(
        "loads",
        "load(context) gets ready on the track's device and dtype.",
        loads,
        "Correct what load raises; where something is missing, raise bench.errors.NotAvailable with the command that gets it.",
        needs=("constructor",),
    ),
    AdapterRule(
        "outcomes",
        "generate(samples) gives one outcome a sample: Generated(uint8 array of shape (height, width, 3)), or Blocked(reason).",
        right_outcomes,
        "Return a list as long as samples; convert pixels with (x * 255).round().astype('uint8').",
        needs=("loads",),
    ),
    AdapterRule(
        "own-memory",
        "Images share no memory with each other, and no later call writes over them.",
        own_memory,
        "Return arrays of their own: Generated(image.copy()).",
        needs=("outcomes",),
    ),
    AdapterRule(
        "deterministic",
        "The same batch gives the same bits again, and from another instance.",
        deterministic,
        "Draw nothing from clocks, os.urandom, counters or an unseeded generator.",
        needs=("outcomes",),
    ),
    AdapterRule(
        "global-seeds",
        "torch.manual_seed, numpy.random.seed and random.seed change nothing.",
        global_seeds,
        "Draw from bench.seeds.generator(sample) alone, passed as generator=.",
        needs=("deterministic",),
    ),
    AdapterRule(
        "own-seed",
        "Another seed of the same prompt gives another image (kind floor excepted).",
        own_seed,
        "Start from noise of bench.seeds.generator(sample); refuse with Blocked(reason), not with a fixed picture.",
        needs=("deterministic",),
    ),
    AdapterRule(
        "batch-invariant",
        f"A sample's image is the same alone, in reverse order and among other neighbours, within {TOLERANCE} of 255 levels (in float32).",
        batch_invariant,
        "Draw each sample's noise from its own generator, and take no statistic over the batch.",
        needs=("deterministic",),
    ),
    AdapterRule(
        "other-settings",
        f"It works at {OTHER_STEPS} steps, and at guidance 1, where there is no empty prompt's prediction.",
        other_settings,
        "Take steps and guidance from the samples (all of one call share them).",
        needs=("outcomes",),
    ),
    AdapterRule(
        "stateless",
        "A batch gives the same bits after a call of another size and other steps.",
        stateless,
        "Keep nothing between calls: make schedules, momenta and caches anew in each.",
        needs=("deterministic",),
    ),
    AdapterRule(
        "global-state",
        "Loading and generating leave torch's dtype, device, grad mode, threads, deterministic flag and random state, NumPy's errors and random "
        "state, Python's random state, signal handlers, the working folder and os.environ as they were.",
        global_state,
        "Use context managers (torch.inference_mode()) and generators; never torch.manual_seed or torch.set_*.",
        needs=("outcomes",),
    ),
    AdapterRule(
        "base-untouched",
        "The files of the base model and of the method are unchanged, and a base method loaded before gives the same bits after it.",
        base_untouched,
        "Edit the pipeline that load_pipeline(context) gives you, a copy of your own; patch no class or module.",
        needs=("outcomes",),
    ),
)
