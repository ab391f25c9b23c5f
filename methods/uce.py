"""``uce``: Unified Concept Editing, a closed-form edit of the cross-attention's keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from bench.errors import BenchError, NotAvailable
from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample
from methods.pipeline import load_pipeline
from methods.sampler import Sampler

if TYPE_CHECKING:
    import torch
    from diffusers import UNet2DConditionModel

ROWS = ("last_to_end", "last")


class UCE(Method):
    """Maps each concept's keys and values onto a guide's (Gandikota et al. 2024, Eq. 7).

    Two releases of the authors' code differ, and so do their models: ``rows="last_to_end"`` with
    ``preserve_empty=True`` is the paper's (every row from the last content token to the end of the padding, the empty
    prompt preserved), ``rows="last"`` with ``preserve_empty=False`` is the release of 2025 (one row a text).
    ``preserve_scale=None`` is each release's own default: ``max(0.1, 1 / texts)`` in the first, 1 in the second.

    On the miniature, the paper's release run in float64 gives the same weights to 3e-8 (relative Frobenius norm, our
    rounding to float32). As shipped the releases invert in float32, which moves their weights by up to 7e-4 (the
    paper's) and 4e-5 (2025) from ours.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="uce",
        kind=Kind.EDIT,
        summary="Closed-form edit of the cross-attention's keys and values.",
        paper="Gandikota et al., Unified Concept Editing in Diffusion Models, WACV 2024, arXiv:2308.14761",
        code="https://github.com/rohitgandikota/unified-concept-editing @ f7222e6 (paper), 28c81ed (2025)",
        licence="MIT",
        defaults={
            "concepts": None,
            "guide": None,
            "preserve": [],
            "rows": "last_to_end",
            "preserve_empty": True,
            "erase_scale": 1.0,
            "preserve_scale": None,
            "lamb": 0.5,
        },
    )

    def load(self, context: Context) -> None:
        """Read the base model and edit it.

        Raises:
            NotAvailable: the track has no concepts and none were given.
            BenchError: a parameter does not fit.
        """
        chosen = self.parameters
        if chosen["rows"] not in ROWS:
            raise BenchError(f"uce has no rows {chosen['rows']!r}; expected one of: {', '.join(ROWS)}.")
        concepts = _texts("concepts", chosen["concepts"]) or list(context.track.concepts.get("unsafe", ()))
        if not concepts:
            raise NotAvailable(f"The track {context.track.name!r} has no concepts to erase. Give them: --set 'concepts=[\"...\"]'.")
        guides = _texts("guide", chosen["guide"]) or list(context.track.concepts.get("neutral", ())) or [""]
        if len(guides) == 1:
            guides *= len(concepts)
        if len(guides) != len(concepts):
            raise BenchError(f"uce got {len(guides)} guides for {len(concepts)} concepts; expected one for all, or one for each.")
        retained = ([""] if chosen["preserve_empty"] else []) + _texts("preserve", chosen["preserve"])
        scale = chosen["preserve_scale"]
        if scale is None:
            scale = max(0.1, 1 / len(retained)) if chosen["rows"] == "last_to_end" and retained else 1.0
        scales = {"erase_scale": chosen["erase_scale"], "preserve_scale": scale, "lamb": chosen["lamb"]}
        for name, value in scales.items():
            # At lamb = 0 the matrix to be inverted is singular; a negative weight rewards moving away without bound.
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or (name == "lamb" and value == 0):
                raise BenchError(f"uce needs {name} to be a number {'above 0' if name == 'lamb' else 'of at least 0'}; got {value!r}.")
        self.sampler = Sampler(load_pipeline(context))
        old, new = self._pairs(concepts, guides)
        edit(self.sampler.pipeline.unet, old, new, self._whole(retained), **scales)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        return self.sampler.generate(samples)

    def _last(self, text: str) -> int:
        """Return the row of the last content token; for an empty text, that of the start token."""
        tokenizer = self.sampler.pipeline.tokenizer
        ids = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length).input_ids
        return len(ids) - 2

    def _pairs(self, concepts: Sequence[str], guides: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rows to be mapped and the rows they are mapped to, each (rows, width)."""
        import torch

        old, new = [], []
        with torch.no_grad():
            for concept, guide in zip(concepts, guides, strict=True):
                source, target = self.sampler.encode([concept]).states[0], self.sampler.encode([guide]).states[0]
                a, b = self._last(concept), self._last(guide)
                length = len(source) - max(a, b) if self.parameters["rows"] == "last_to_end" else 1
                old.append(source[a : a + length])
                new.append(target[b : b + length])
        return torch.cat(old), torch.cat(new)

    def _whole(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the rows to be preserved: every one of each text, or the last content token's where one row stands for a text."""
        import torch

        with torch.no_grad():
            states = [self.sampler.encode([text]).states[0] for text in texts]
        if self.parameters["rows"] == "last":
            states = [state[self._last(text)][None] for state, text in zip(states, texts, strict=True)]
        width = self.sampler.pipeline.text_encoder.config.hidden_size
        return torch.cat(states) if states else torch.zeros(0, width)


def _texts(name: str, value: object) -> list[str]:
    """Return the parameter ``name``, one text or a list of texts, as a list; None is an empty one."""
    texts = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise BenchError(f"uce needs {name} to be a text or a list of texts; got {value!r}.")
    return list(texts)


def edit(
    unet: UNet2DConditionModel, old: torch.Tensor, new: torch.Tensor, kept: torch.Tensor, *, erase_scale: float, preserve_scale: float, lamb: float
) -> None:
    """Edit the keys and values of every cross-attention in place.

    For each projection ``W``, with rows ``c`` of ``old``, ``n`` of ``new`` and ``k`` of ``kept``:
    ``W' = (lamb W + a sum (W n) c^T + b sum (W k) k^T) (lamb I + a sum c c^T + b sum k k^T)^-1``
    with ``a = erase_scale`` and ``b = preserve_scale``. Solved in float64: the matrix is ill-conditioned.

    Args:
        unet: the model.
        old: (rows, width).
        new: (rows, width), aligned with ``old``.
        kept: (rows, width).
        erase_scale: weight of the mapped rows.
        preserve_scale: weight of the kept rows.
        lamb: weight of leaving the matrix as it is.
    """
    import torch

    with torch.no_grad():
        c, n, k = (each.detach().double().cpu() for each in (old, new, kept))
        right = lamb * torch.eye(c.shape[1], dtype=torch.float64) + erase_scale * c.T @ c + preserve_scale * k.T @ k
        mapped = lamb * torch.eye(c.shape[1], dtype=torch.float64) + erase_scale * n.T @ c + preserve_scale * k.T @ k
        change = torch.linalg.solve(right, mapped, left=False)
        for name, module in unet.named_modules():
            if name.endswith(("attn2.to_k", "attn2.to_v")):
                weight = module.weight
                weight.copy_((weight.double().cpu() @ change).to(weight))
