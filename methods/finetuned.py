"""Methods that are other weights, laid over the track's base model: what every fine-tuned or preference-trained method shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from bench.errors import BenchError, NotAvailable
from bench.files.locations import resolve
from bench.tracks import for_base
from bench.types import Context, Method, Outcome, Sample
from bench.types.parameters import LOCATION
from methods.denoisers import FAMILIES, family_of
from methods.finding import find
from methods.overlay import lay_over
from methods.phrases import concepts_and_guides
from methods.pipeline import load_pipeline
from methods.reading.comparison import refuse_dropping
from methods.sampler import Sampler

SOLVED_IN = "float32"
"""The dtype of text states and weights that closed forms are solved from."""


class FineTuned(Method):
    """The base model with trained weights laid over it: a LoRA, a U-Net, or some of its tensors (see :func:`methods.finding.find`).

    Attributes:
        shipped: where the weights of a track are, ``{track: location}``; the parameter ``weights`` goes before it.
        recipe: the training recipe that makes them, for the message where there are none; empty where there is none.
    """

    shipped: ClassVar[Mapping[str, str]] = {}
    recipe: ClassVar[str] = ""
    takes: ClassVar = {"weights": LOCATION}

    def location(self, context: Context) -> Path:
        """Return the local path of the weights.

        Raises:
            NotAvailable: there are none for this track and none were given, or they cannot be had.
        """
        given = self.given() or for_base(context.track, self.shipped)
        if given is None:
            raise no_weights(self.info.name, context.track.name, self.recipe)
        return resolve(str(given))

    def given(self) -> str | None:
        """Return the location that the user names; None where it was left out."""
        given: str | None = self.parameters["weights"]
        return given

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the weights' files, and of what beside them decides how they act."""
        return find(self.location(context)).hashes()

    def load(self, context: Context) -> None:
        """Read the base model and lay the weights over it.

        Raises:
            NotAvailable: there are no weights for this track and none were given.
            BenchError: the weights are damaged, or of another model, or a pipeline's that differs from the base in more than the network.
        """
        location = self.location(context)
        refuse_dropping(context, find(location).path, FAMILIES[0].part, self.info.name)
        pipeline = load_pipeline(context)
        lay_over(pipeline, location)
        self.sampler = Sampler(pipeline, changed=True)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        return self.sampler.generate(samples)


class ClosedForm(FineTuned):
    """An edit that is solved when it is loaded; ``weights`` takes one that was saved in place of solving it.

    Whatever the run's dtype, the edit is solved on the base in float32 and then cast: the matrices are ill-conditioned, and text states or weights in
    half precision would be magnified (RECE's third epoch in bfloat16 came out 31% off).
    """

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of a saved edit's files; there are none where it is solved here."""
        return super().weights(context) if self.given() else {}

    def cannot_act(self, context: Context, sample: Sample) -> str:
        """Return nothing: what cannot act is refused here, before there is a run, as in :meth:`load`."""
        self.settle(context)
        return ""

    def settle(self, context: Context) -> None:
        """Refuse parameters that do not fit each other, or the track.

        Raises:
            NotAvailable: the track has no concepts and none were given.
            BenchError: one cannot act on a saved edit, or there are not as many guides as concepts.
        """
        if self.given():
            self._check_settings(context)
        else:
            concepts_and_guides(self.info.name, self.parameters, context)

    def load(self, context: Context) -> None:
        """Read the base model and edit it; errors as in :meth:`settle`, and where the edit changes no weight or cannot be solved."""
        self.settle(context)
        if self.given():
            super().load(context)
            return
        self.solve(replace(context, dtype=SOLVED_IN))
        self.sampler.changed = True
        if context.dtype != SOLVED_IN:
            solved = {name: weight.detach().cpu() for name, weight in self.sampler.family.projections().items()}
            del self.sampler  # before the base is read again: a device need not hold both
            pipeline = load_pipeline(context)
            changed = 0
            for name, weight in family_of(pipeline).projections().items():
                cast = solved[name].to(weight)
                changed += not cast.equal(weight)
                weight.data.copy_(cast)
            self.refuse_unchanged(changed)
            self.sampler = Sampler(pipeline, changed=True)

    def _check_settings(self, context: Context) -> None:
        """Refuse settings of the solution beside an edit that is solved already: they would be recorded and not act."""
        defaults = {**self.info.defaults, **context.track.methods.get(self.info.name, {})}
        for name, value in self.parameters.items():
            if name != "weights" and value != defaults[name]:
                raise BenchError(
                    f"{name}={value!r} cannot act: weights holds an edit that is solved already. Leave out {name}, or weights to solve it here."
                )

    @abstractmethod
    def solve(self, context: Context) -> None:
        """Set ``self.sampler`` to the base model in the context's dtype, edited.

        Raises:
            BenchError: a parameter does not fit, or the edit changes no weight.
        """

    def refuse_unchanged(self, changed: int) -> None:
        """Refuse an edit that changed no projection.

        Raises:
            BenchError: ``changed`` is 0.
        """
        if not changed:
            raise BenchError(
                f"{self.info.name} changes no weight with these settings: its images would be the base's. "
                "Give --set concepts=... that differ from their guide, and a larger erase_scale; in half precision a small edit is rounded away."
            )


def no_weights(method: str, track: str, recipe: str) -> NotAvailable:
    """Return the error for a method without weights on a track."""
    train = f"Train them: `bench train {recipe} --track {track}`, then give them: " if recipe else "Give them, trained on this track's base: "
    return NotAvailable(f"{method} has no weights for track {track!r}. {train}--set weights=FOLDER_OR_FILE.")
