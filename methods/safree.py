"""``safree``: SAFREE, a prompt's text embedding projected out of unsafe concepts, token by token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench.errors import BenchError, NotAvailable
from bench.types import Context, Kind, Method, MethodInfo, Outcome, Sample
from bench.types.parameters import Flag, Number, OneOf, Texts, WholeNumber
from methods.phrases import refuse_cut
from methods.pipeline import load_pipeline
from methods.safree_attention import re_attention
from methods.safree_projection import basis, beta, last_step, triggers, without
from methods.sampler import Guidance, Sampler, Text, joined

if TYPE_CHECKING:
    import torch

MASK = 0
"""What stands for a masked token: ``!`` in CLIP's vocabulary and in the miniature's, whose captions never use it."""

RE_ATTENTION = ("released", "low")


@dataclass(frozen=True, slots=True)
class Filtered:
    """One prompt before and after.

    Attributes:
        plain: the prompt's own text, (1, tokens, width).
        safe: the same with the trigger tokens' rows replaced.
        changed: whether there is any.
        last: the last scheduler iteration that uses ``safe``; infinite where it is all of them.
    """

    plain: Text
    safe: Text
    changed: bool
    last: float


class TextFilter:
    """Finds and replaces trigger tokens, one prompt at a time, so that a picture does not depend on its neighbours in a batch.

    On SDXL the second text encoder alone is looked at and its columns alone are changed, as in the authors' pipeline.
    """

    def __init__(self, sampler: Sampler, concepts: Sequence[str], alpha: float, validates: bool, up_t: int) -> None:
        self.sampler, self.alpha, self.validates, self.up_t = sampler, alpha, validates, up_t
        _, self.tokenizer, self.encoder = sampler.family.text_parts()[-1]
        ids = self.tokenizer(
            list(concepts), padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids
        self.concept = basis(self.pooled(ids))
        self.negative = sampler.encode([", ".join(concepts)])

    def pooled(self, ids: torch.Tensor) -> torch.Tensor:
        """Return token ids, (n, tokens), pooled: the state at the end of text, on SDXL projected; (n, width), on the CPU.

        No attention mask: the encoder is causal, so the padding behind the end of text has no say.
        """
        output = self.encoder(ids.to(self.encoder.device))
        return (output.text_embeds if self.sampler.family.is_xl else output.pooler_output).cpu()

    def masked(self, prompt: str) -> torch.Tensor:
        """Return the pooled prompt with each content token masked in turn, (tokens, width)."""
        import torch

        ids = self.tokenizer([prompt], return_tensors="pt").input_ids
        longest = self.tokenizer.model_max_length
        if ids.shape[1] > longest:
            # The authors' code cuts off the end of text too, and the encoder then pools at the start token, which sees no other.
            return self.pooled(ids[:, :longest]).expand(longest - 2, -1)
        tokens = ids.shape[1] - 2
        if not tokens:
            return torch.zeros(0, self.encoder.config.hidden_size)
        ids = ids.repeat(tokens, 1)
        ids[range(tokens), range(1, tokens + 1)] = MASK
        return self.pooled(ids)

    def __call__(self, prompt: str) -> Filtered:
        """Return a prompt before and after."""
        import torch

        plain = self.sampler.encode([prompt])
        states = plain.states[0, :, -self.encoder.config.hidden_size :].cpu()
        masked = self.masked(prompt)
        new = without(states, basis(masked), self.concept)
        marked = torch.zeros(len(states), dtype=torch.bool)
        marked[1 : len(masked) + 1] = triggers(masked, self.concept, self.alpha)
        safe = plain.states.clone()
        safe[0, :, -states.shape[1] :] = torch.where(marked[:, None], new.to(states.dtype), states)
        # Start token, content and end of text.
        own = slice(len(masked) + 2)
        last = last_step(beta(new[own], states[own]), self.up_t) if self.validates else math.inf
        return Filtered(plain, Text(safe, plain.pooled), bool(marked.any()), last)


@dataclass
class SafeText(Guidance):
    """Guides one batch with each sample's filtered text, for as many iterations as is its own number, and with its plain text after that.

    Attributes:
        filter: of this model and these concepts.
        low: whether the low frequencies of the skip features are damped (:mod:`methods.safree_attention`).
        damped: the samples that are damped at this iteration, (samples,), bool; None where there are none.
    """

    filter: TextFilter
    low: bool = False
    damped: torch.Tensor | None = None

    def begin(self, sampler: Sampler, samples: Sequence[Sample]) -> None:
        """Filter each sample's prompt. The concepts are the negative prompt."""
        import torch

        found = [self.filter(sample.prompt) for sample in samples]
        self.encoded = [self.filter.negative.repeat(len(samples)), joined([each.plain for each in found])]
        self.safe = joined([each.safe for each in found])
        device = self.safe.states.device
        self.last = torch.tensor([each.last for each in found], device=device)
        self.changed = torch.tensor([each.changed for each in found], device=device)
        self.guided = samples[0].guidance > 1
        self.low = self.low and self.guided
        self.used = torch.zeros(len(samples), dtype=torch.int, device=device)
        self.iterations = 0

    def texts(self, step: int) -> Sequence[Text]:
        """Return the concepts, then each sample's text of this iteration; where some are damped, their plain text too."""
        import torch

        negative, plain = self.encoded
        filtered = step <= self.last
        text = Text(torch.where(filtered[:, None, None], self.safe.states, plain.states), plain.pooled)
        damped = filtered & self.changed
        self.used, self.iterations = self.used + damped.int(), self.iterations + 1
        self.damped = damped if self.low and bool(damped.any()) else None
        return [negative, text] if self.damped is None else [negative, text, plain]

    def combine(self, predicted: Sequence[torch.Tensor], scale: float, step: int) -> torch.Tensor:
        """Return the guided noise; a third prediction served the comparison alone."""
        return super().combine(predicted[:2], scale, step)

    def acted(self) -> Sequence[int]:
        """Return at how many iterations each sample was guided otherwise than the base's: all, by the negative prompt; unguided, by a trigger."""
        return [self.iterations] * len(self.used) if self.guided else self.used.tolist()


class SAFREE(Method):
    """Replaces the tokens that point to unsafe concepts by their part outside of them (Yoon et al. 2025).

    What the authors' code does, followed here:

    * The concept phrases, joined by commas, are the negative prompt. It acts on every prompt and at every step, whatever is filtered.
    * A content token is a trigger if the pooled prompt lies further from the concepts without it, see
      :func:`methods.safree_projection.triggers`. Its row becomes ``(I - Pc) Pi`` of itself; ``Pi`` and ``Pc`` project onto what the
      masked prompts and the phrases span.
    * The self-validating filter uses the new text for the first iterations only, ``up_t`` + 1 at most. It counts scheduler
      iterations; the authors ran 50 (DPM++), so ten of them are another share of a shorter schedule.
    * A prompt too long for the tokenizer loses its end of text, all its masked forms become one, and no token is a trigger.
      A prompt of one content token always has it replaced.
    * The code takes one prompt at a time, and fails on the empty one and at a guidance of 1 or less. Here the empty prompt stays as it
      is, and without guidance the new text is used and the negative prompt is not: there it acts where a token is a trigger, and else it does not.
    * SDXL: the second encoder's columns alone, its projected pooled output for both subspaces, pooled text left as it is, and no
      self-validating filter, so the new text is used throughout (the pipeline's behaviour: the release's own command for it fails,
      ``safree`` is missing from the options that it passes).

    Latent re-attention is in the paper and is a flag of the authors' commands, but the flag registers its hooks without saying which
    frequencies to filter, and then they filter none: all that it adds is a third prediction, which nobody reads. So ``"released"`` is without
    it. ``"low"`` runs the code's filter of low frequencies on Stable Diffusion (:mod:`methods.safree_attention`), as no published command
    does. It compares numbers, so rounding can tip it: its pictures repeat in the same batch, but may move further in another one than others do.

    Run side by side with the authors' pipelines, at batch 1 and 20 steps of DDIM and of DPM++, on a tiny random Stable Diffusion, a tiny
    SDXL and the miniature: the same tokens are replaced, for the same number of iterations, and the final latents agree to 1e-5 (largest
    difference over largest value). Their texts lie up to 1.3e-4 from ours, by the pseudo-inverse in float32; with that in float64, 2e-7.

    Args:
        concepts: the phrases; the track's list ``safree`` or else ``unsafe`` where None.
        alpha: how far above the others' mean a token's distance may lie.
        self_validation: whether the self-validating filter is on. None: on Stable Diffusion, not on SDXL.
        up_t: the most that the filter's last iteration can be.
        re_attention: ``released`` or ``low``.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="safree",
        kind=Kind.GUIDANCE,
        summary="SAFREE: text embeddings projected out of unsafe concepts, training-free.",
        paper="Yoon et al., SAFREE: Training-Free and Adaptive Guard for Safe Text-to-Image and Video Generation, ICLR 2025, arXiv:2410.12761",
        code="https://github.com/jaehong31/SAFREE @ b8b2c3f",
        licence="none stated",
        defaults={"concepts": None, "alpha": 0.01, "self_validation": None, "up_t": 10, "re_attention": "released"},
    )
    takes: ClassVar = {
        "concepts": Texts(or_none=True),
        "alpha": Number(),
        "self_validation": Flag(or_none=True),
        "up_t": WholeNumber(least=0),
        "re_attention": OneOf(words=RE_ATTENTION),
    }

    def load(self, context: Context) -> None:
        """Read the base model and encode the concepts.

        Raises:
            NotAvailable: the track has no concepts and none were given.
            BenchError: the base model does not fit, or a concept is longer than it reads.
        """
        import torch

        concepts = self._concepts(context)
        self.sampler = Sampler(load_pipeline(context))
        self._check_model()
        validates = self.parameters["self_validation"]
        if validates is None:
            validates = not self.sampler.family.is_xl
        with torch.inference_mode():
            refuse_cut("safree", "concepts", [*concepts, ", ".join(concepts)], self.sampler.family)
            self._filter = TextFilter(self.sampler, concepts, self.parameters["alpha"], validates, self.parameters["up_t"])

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        guidance = SafeText(self._filter, self.parameters["re_attention"] == "low")
        with re_attention(self.sampler.family.skips(), lambda: guidance.damped) if guidance.low else nullcontext():
            return self.sampler.generate(samples, guidance)

    def _concepts(self, context: Context) -> Sequence[str]:
        given = self.parameters["concepts"]
        phrases = [given] if isinstance(given, str) else given
        concepts = phrases or context.track.concepts.get("safree") or context.track.concepts.get("unsafe")
        if not concepts:
            raise NotAvailable(f"The track {context.track.name!r} has no concepts for safree. Give them: --set 'concepts=[\"...\"]'.")
        return concepts

    def _check_model(self) -> None:
        """Raise where the base model is none that SAFREE fits."""
        _, tokenizer, encoder = self.sampler.family.text_parts()[-1]
        if self.sampler.family.is_xl:
            config = encoder.config
            if config.projection_dim != config.hidden_size:
                raise BenchError(
                    f"safree needs a second text encoder as wide as its projection; these are {config.hidden_size} and {config.projection_dim}."
                )
            if self.parameters["re_attention"] == "low":
                raise BenchError("safree has re_attention=low on Stable Diffusion alone; the authors' SDXL pipeline has none.")
        elif self.parameters["re_attention"] == "low" and not self.sampler.family.skips():
            raise BenchError("safree has re_attention=low where there are skip features to damp; this base model's network has none.")
        if MASK in (tokenizer.bos_token_id, tokenizer.eos_token_id):
            raise BenchError(f"safree masks with the token of id {MASK}, which is {tokenizer.convert_ids_to_tokens(MASK)!r} in this model.")
