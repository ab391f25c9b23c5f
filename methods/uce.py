"""``uce``: Unified Concept Editing, a closed-form edit of the cross-attention's keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from bench.types import Context, Kind, MethodInfo
from bench.types.parameters import LOCATION, Flag, Number, OneOf, Texts
from methods.closed_form import TECHNIQUES, edit
from methods.finetuned import ClosedForm
from methods.phrases import concepts_and_guides, listed, refuse_cut
from methods.pipeline import load_pipeline
from methods.sampler import Sampler

if TYPE_CHECKING:
    import torch

    from methods.closed_form import Pair

ROWS = ("last_to_end", "last")


class UCE(ClosedForm):
    """Maps each concept's keys and values onto a guide's (Gandikota et al. 2024, Eq. 7).

    Two releases of the authors' code differ, and so do their models: ``rows="last_to_end"`` with
    ``preserve_empty=True`` is the paper's (every row from the last content token to the end of the padding, the empty
    prompt preserved), ``rows="last"`` with ``preserve_empty=False`` is the release of 2025 (one row a text).
    ``preserve_scale=None`` is each release's own default: ``max(0.1, 1 / texts)`` in the first, 1 in the second. Only the release of 2025 has code
    for SDXL, so the track ``sdxl`` sets that one (``methods`` in its file), for ``bench run`` and ``bench train uce`` alike.

    On the miniature, the paper's release run in float64 gives the same weights to 3e-8 (relative Frobenius norm, our
    rounding to float32). As shipped the releases invert in float32, which moves their weights by up to 7e-4 (the
    paper's) and 4e-5 (2025) from ours.

    ``weights`` takes an edit that was saved (``bench train uce``) in place of solving it.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="uce",
        kind=Kind.EDIT,
        summary="Closed-form edit of the cross-attention's keys and values.",
        version="2",
        paper="Gandikota et al., Unified Concept Editing in Diffusion Models, WACV 2024, arXiv:2308.14761",
        code="https://github.com/rohitgandikota/unified-concept-editing @ f7222e6 (paper), 28c81ed (2025)",
        licence="MIT",
        defaults={
            "concepts": None,
            "guide": None,
            "preserve": [],
            "rows": "last_to_end",
            "preserve_empty": True,
            "technique": "replace",
            "erase_scale": 1.0,
            "preserve_scale": None,
            "lamb": 0.5,
            "weights": None,
        },
    )
    takes: ClassVar = {
        "concepts": Texts(or_none=True),
        "guide": Texts(blank=True, or_none=True),
        "preserve": Texts(blank=True, empty=True),
        "rows": OneOf(words=ROWS),
        "preserve_empty": Flag(),
        "technique": OneOf(words=TECHNIQUES),
        "erase_scale": Number(least=0),
        "preserve_scale": Number(least=0, or_none=True),
        "lamb": Number(above=0),  # at 0 the matrix to be inverted is singular
        "weights": LOCATION,
    }
    recipe: ClassVar = "uce"

    def solve(self, context: Context) -> None:
        """Read the base model and edit it."""
        chosen = self.parameters
        concepts, guides = concepts_and_guides("uce", chosen, context)
        retained = ([""] if chosen["preserve_empty"] else []) + listed(chosen["preserve"])
        scale = chosen["preserve_scale"]
        if scale is None:
            scale = max(0.1, 1 / len(retained)) if chosen["rows"] == "last_to_end" and retained else 1.0
        scales = {"erase_scale": float(chosen["erase_scale"]), "preserve_scale": float(scale), "lamb": float(chosen["lamb"])}
        self.sampler = Sampler(load_pipeline(context))
        check_texts("uce", self.sampler, concepts, guides, retained)
        pairs = [pair_rows(self.sampler, *texts, chosen["rows"]) for texts in zip(concepts, guides, strict=True)]
        kept = preserved_rows(self.sampler, retained, chosen["rows"])
        self.refuse_unchanged(edit(self.sampler.family.projections(), pairs, kept, technique=chosen["technique"], **scales))


def check_texts(method: str, sampler: Sampler, concepts: Sequence[str], guides: Sequence[str], preserved: Sequence[str] = ()) -> None:
    """Refuse texts of an edit that the base model would not read to their ends.

    Raises:
        BenchError: one is too long.
    """
    for name, texts in (("concepts", concepts), ("a guide", guides), ("texts to preserve", preserved)):
        refuse_cut(method, name, texts, sampler.family)


def last_row(sampler: Sampler, text: str) -> int:
    """Return the row of the last content token; for an empty text, that of the start token."""
    tokenizer = sampler.family.text_parts()[0].tokenizer
    ids = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length).input_ids
    return len(ids) - 2


def states(sampler: Sampler, text: str) -> torch.Tensor:
    """Return all of a text's states, (tokens, width)."""
    import torch

    with torch.no_grad():
        return sampler.encode([text]).states[0]


def pair_rows(sampler: Sampler, concept: str, guide: str, rows: str) -> Pair:
    """Return the rows to be mapped and the rows they are mapped to, each (rows, width)."""
    source, target = states(sampler, concept), states(sampler, guide)
    a, b = last_row(sampler, concept), last_row(sampler, guide)
    length = len(source) - max(a, b) if rows == "last_to_end" else 1
    return source[a : a + length], target[b : b + length]


def preserved_rows(sampler: Sampler, texts: Sequence[str], rows: str) -> torch.Tensor:
    """Return the rows to be preserved: every one of each text, or the last content token's where one row stands for a text."""
    import torch

    found = [states(sampler, text) for text in texts]
    if rows == "last":
        found = [state[last_row(sampler, text)][None] for state, text in zip(found, texts, strict=True)]
    return torch.cat(found) if found else states(sampler, "")[:0]
