"""``rece``: Reliable and Efficient Concept Erasure, UCE made again on what UCE left: embeddings that still give the erased keys and values."""

from __future__ import annotations

from typing import ClassVar

from bench.types import Context, Kind, MethodInfo
from bench.types.parameters import LOCATION, Number, Texts, WholeNumber
from methods.closed_form import edit, rederive
from methods.finetuned import ClosedForm
from methods.phrases import concepts_and_guides
from methods.pipeline import load_pipeline
from methods.sampler import Sampler
from methods.uce import check_texts, pair_rows, preserved_rows, states


class RECE(ClosedForm):
    """Erases by UCE, then, each epoch, derives what still calls the concept up and erases that (Gong et al. 2024).

    Start: UCE of the paper's release (lamb 0.5, erase 1, preserve 1). An epoch, for every concept: the rows ``c'`` that give the edited model
    the keys and values of the concept's rows in the original one (all rows, :func:`methods.closed_form.rederive`); then one edit that maps
    every ``c'`` onto its guide (lamb 0.1, erase 1, preserve 0.1), in which the empty prompt is preserved once a concept.

    The authors' settings: r 0.1 with 3 epochs for nudity and 2 for the eleven I2P words. They keep an epoch only if a detector finds less on
    110 validation prompts than in every model before. Here the last epoch stands (``select: last``); ``bench train rece`` with ``select: val``
    selects as they do, records the detector, and saves weights that ``weights`` takes.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="rece",
        kind=Kind.EDIT,
        summary="Closed-form edit, repeated on embeddings that still call the concept up.",
        paper="Gong et al., Reliable and Efficient Concept Erasure of Text-to-Image Diffusion Models, ECCV 2024, arXiv:2407.12383",
        code="https://github.com/CharlesGong12/RECE @ 403a67f (close_regzero)",
        licence="MIT",
        defaults={
            "concepts": None,
            "guide": None,
            "epochs": 2,
            "regularizer": 0.1,
            "erase_scale": 1.0,
            "preserve_scale": 0.1,
            "lamb": 0.1,
            "weights": None,
        },
    )
    takes: ClassVar = {
        "concepts": Texts(or_none=True),
        "guide": Texts(blank=True, or_none=True),
        "epochs": WholeNumber(least=1, most=1000, otherwise="Without an epoch it is uce: run that (--method uce)."),
        "regularizer": Number(above=0),
        "erase_scale": Number(least=0),
        "preserve_scale": Number(least=0),
        "lamb": Number(above=0),
        "weights": LOCATION,
    }
    recipe: ClassVar = "rece"

    def solve(self, context: Context) -> None:
        """Read the base model, erase by UCE, and go through the epochs."""
        changed = self.begin(context)
        for _ in range(self.epochs):
            changed += self.epoch()
        self.refuse_unchanged(changed)

    def begin(self, context: Context) -> int:
        """Read the base model and erase by UCE, the start before any epoch; return how many projections that changed."""
        chosen = self.parameters
        self.epochs, self._regularizer = int(chosen["epochs"]), float(chosen["regularizer"])
        self._scales = {name: float(chosen[name]) for name in ("erase_scale", "preserve_scale", "lamb")}
        concepts, guides = concepts_and_guides("rece", chosen, context)
        self.sampler = Sampler(load_pipeline(context))
        check_texts("rece", self.sampler, concepts, guides)
        weights = self.sampler.family.projections()
        self._original = {name: weight.detach().clone() for name, weight in weights.items()}
        self._concepts = [states(self.sampler, concept) for concept in concepts]
        self._guides = [states(self.sampler, guide) for guide in guides]
        pairs = [pair_rows(self.sampler, *texts, "last_to_end") for texts in zip(concepts, guides, strict=True)]
        return edit(weights, pairs, preserved_rows(self.sampler, [""], "last_to_end"), erase_scale=1.0, preserve_scale=1.0, lamb=0.5)

    def epoch(self) -> int:
        """Derive what still calls each concept up, and erase that too; return how many projections that changed."""
        import torch

        weights = self.sampler.family.projections()
        # The sums over all projections are the same for every concept, so all are derived at once.
        found = rederive(weights, self._original, torch.cat(self._concepts), self._regularizer)
        again = found.split([len(concept) for concept in self._concepts])
        kept = preserved_rows(self.sampler, [""] * len(again), "last_to_end")
        return edit(weights, list(zip(again, self._guides, strict=True)), kept, **self._scales)
