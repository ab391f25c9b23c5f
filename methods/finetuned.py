"""Methods that are other weights, laid over the track's base model: what every fine-tuned or preference-trained method shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench.errors import NotAvailable
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.types import Context, Method, Outcome, Sample
from methods.comparison import refuse_dropping
from methods.denoisers import FAMILIES
from methods.overlay import find, lay_over
from methods.pipeline import load_pipeline
from methods.sampler import Sampler


class FineTuned(Method):
    """The base model with trained weights laid over it: a LoRA, a U-Net, or some of its tensors (see :func:`methods.overlay.find`).

    Attributes:
        shipped: where the weights of a track are, ``{track: location}``; the parameter ``weights`` goes before it.
        recipe: the training recipe that makes them, for the message where there are none; empty where there is none.
    """

    shipped: ClassVar[Mapping[str, str]] = {}
    recipe: ClassVar[str] = ""

    def location(self, context: Context) -> Path:
        """Return the local path of the weights.

        Raises:
            NotAvailable: there are none for this track and none were given, or they cannot be had.
        """
        given = self.parameters["weights"] or self.shipped.get(context.track.name)
        if given is None:
            raise no_weights(self.info.name, context.track.name, self.recipe)
        return resolve(str(given))

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the weights' files."""
        return hash_weights(find(self.location(context)).path)

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
        self.sampler = Sampler(pipeline)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        return self.sampler.generate(samples)


class ClosedForm(FineTuned):
    """An edit that is solved when it is loaded; ``weights`` takes one that was saved in place of solving it."""

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of a saved edit's files; there are none where it is solved here."""
        return super().weights(context) if self.parameters["weights"] else {}

    def load(self, context: Context) -> None:
        """Read the base model and edit it.

        Raises:
            NotAvailable: the track has no concepts and none were given.
            BenchError: a parameter does not fit.
        """
        if self.parameters["weights"]:
            super().load(context)
        else:
            self.solve(context)

    @abstractmethod
    def solve(self, context: Context) -> None:
        """Set ``self.sampler`` to the base model, edited."""


def no_weights(method: str, track: str, recipe: str) -> NotAvailable:
    """Return the error for a method without weights on a track."""
    train = f"Train them: `bench train {recipe} --track {track}`, then give them: " if recipe else "Give them, trained on this track's base: "
    return NotAvailable(f"{method} has no weights for track {track!r}. {train}--set weights=FOLDER_OR_FILE.")
