"""``embedding``: tokens learned by textual inversion, or soft prompts such as PromptGuard's, put into the prompt or the negative prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError, first_line
from bench.files.hashes import hash_weights, sha256
from bench.files.selection import WEIGHTS
from bench.types import Context, Kind, MethodInfo, Outcome, Sample
from bench.types.parameters import LOCATION, OneOf, OneText
from methods.denoisers import KINDS
from methods.generic import UserNamed
from methods.parts import unusable
from methods.pipeline import load_pipeline
from methods.reading.comparison import class_in
from methods.reading.embedding_file import Learned, read_embeddings
from methods.sampler import Guidance, Sampler

if TYPE_CHECKING:
    from methods.denoisers.family import Pipeline, TextPart

PLACEMENTS = ("append", "negative", "named")
UNGUIDED = (
    "embedding with placement=negative acts by guidance, and none is computed here (a scale of 1 or less, or a distilled network). "
    "Use --set placement=append, or guidance above 1."
)


class Embedding(UserNamed):
    """Learned tokens beside the base's own vocabulary; no other weight changes.

    ``placement`` says how they enter the text:

    - ``append`` (the default, as PromptGuard does): after every prompt. A prompt that leaves no room for them loses words at its end, so that
      the tokens are never what is cut off.
    - ``negative``: they are the negative prompt, in place of the empty one. It needs guidance above 1.
    - ``named``: only where a prompt writes the token, as textual inversion is used for subjects. Other prompts give the base's images, which is
      counted, and a suite none of whose prompts writes it is refused.

    ``token`` is how prompts write it; by default the name in the file, or the file's own name where that says nothing.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="embedding",
        kind=Kind.FINE_TUNE,
        summary="Learned tokens in the prompt or the negative prompt: --method embedding:REPO_OR_PATH.",
        paper="Gal et al., An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion, ICLR 2023, arXiv:2208.01618",
        code="https://github.com/huggingface/diffusers (load_textual_inversion); https://github.com/lingzhiyxp/PromptGuard @ 13a3d8a",
        licence="the weights' own",
        trained_on=("unknown",),
        defaults={"weights": None, "placement": "append", "token": None},
    )
    takes: ClassVar = {
        "weights": LOCATION,
        "placement": OneOf(words=PLACEMENTS),
        "token": OneText(what="one word, as prompts write it", longest=100, word=True, or_none=True),
    }

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._learned: list[Learned] | None = None

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the embeddings' files."""
        path = self.location(context)
        return hash_weights(path) if path.is_file() else {file.name: sha256(file) for file in self._files(context)}

    def cannot_act(self, context: Context, sample: Sample) -> str:
        """Return why the tokens could not enter: no prompt writes them, or there is no guidance to be a negative prompt of."""
        placement = self.parameters["placement"]
        if placement == "negative" and sample.guidance <= 1:
            return UNGUIDED
        if placement != "named":
            return ""
        tokens = [each.token for each in self._tokens(context)]
        if any(token.casefold() in sample.prompt.casefold() for token in tokens):
            return ""
        return (
            f"embedding with placement=named cannot act: no prompt writes {' or '.join(tokens)}, so its images would be the base's. "
            "Use --set placement=append, or a suite that names the token."
        )

    def prompts_read_by(self, context: Context) -> tuple[Path | None, int]:
        """Return the base's tokenizers, and how many tokens are put after every prompt."""
        if self.parameters["placement"] != "append":
            return None, 0
        return None, sum(1 if each.vectors[0].ndim == 1 else len(each.vectors[0]) for each in self._tokens(context))

    def _tokens(self, context: Context) -> list[Learned]:
        """Return what was learned, under the names by which prompts write it.

        Raises:
            BenchError: a parameter does not fit, or a file holds no embedding for this base.
        """
        if self._learned is None:
            kind = KINDS.get(class_in(context.track.config_path()))
            found = [each for file in self._files(context) for each in read_embeddings(file, len(kind.encoders) if kind else 1)]
            token = self.parameters["token"]
            if token is not None and len(found) > 1:
                raise BenchError(
                    f"embedding takes one token's name, and {self.location(context)} holds {len(found)} tokens. Name one file, or leave `token` out."
                )
            self._learned = found if token is None else [found[0]._replace(token=token)]
            _refuse_alike(self._learned)
        return self._learned

    def load(self, context: Context) -> None:
        """Read the base model and add the tokens.

        Raises:
            BenchError: a parameter does not fit, or the embedding is damaged, of another width or of another kind of model.
        """
        learned = self._tokens(context)
        pipeline = load_pipeline(context)
        self.sampler = Sampler(pipeline)
        parts = self.sampler.family.text_parts()
        self.tokens = [each.token for each in learned]
        for each in learned:
            _add(pipeline, parts, each)
        self._text = " ".join(self.tokens)
        self._refuse_too_long(parts)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample.

        Raises:
            BenchError: the tokens are to be the negative prompt, and the network computes no guidance.
        """
        placement = self.parameters["placement"]
        if placement == "negative" and self.sampler.family.distilled:
            raise BenchError(UNGUIDED)
        return self.sampler.generate(samples, _Placed(self._written, self._text if placement == "negative" else "", self.tokens))

    def _files(self, context: Context) -> list[Path]:
        """Return the file, or every file of tensors in the folder, by name.

        Raises:
            BenchError: there is none.
        """
        path = self.location(context)
        if path.is_file():
            return [path]
        suffixes = [suffix for form in WEIGHTS for suffix in form]
        files = sorted(file for file in path.iterdir() if file.is_file() and file.suffix in suffixes and not file.name.startswith("."))
        if not files:
            raise BenchError(f"{path} holds no embedding; expected learned_embeds.safetensors or .bin, or files of A1111's.")
        return files

    def _written(self, prompt: str) -> str:
        """Return the prompt with the tokens in it, if they are to be."""
        if self.parameters["placement"] != "append":
            return prompt
        while prompt and not self._fits(written := f"{prompt} {self._text}"):
            shorter = prompt.rstrip().rpartition(" ")[0]
            prompt = shorter or prompt[: len(prompt) // 2]
        return written if prompt else self._text

    def _fits(self, text: str) -> bool:
        pipeline: Pipeline = self.sampler.pipeline
        for part in self.sampler.family.text_parts():
            converted = pipeline.maybe_convert_prompt(text, part.tokenizer)
            if len(part.tokenizer(converted, truncation=False, verbose=False).input_ids) > part.tokenizer.model_max_length:
                return False
        return True

    def _refuse_too_long(self, parts: Sequence[TextPart]) -> None:
        if not self._fits(self._text):
            limit = min(part.tokenizer.model_max_length for part in parts)
            raise BenchError(f"The embedding's tokens {self._text!r} alone are longer than a prompt may be ({limit} tokens): they would be cut.")


class _Placed(Guidance):
    """Classifier-free guidance with tokens in the prompts or in the negative prompt."""

    def __init__(self, written: Callable[[str], str], negative: str, tokens: Sequence[str]) -> None:
        self._written = written
        self._negative = negative
        self._tokens = tokens

    def begin(self, sampler: Sampler, samples: Sequence[Sample]) -> None:
        """Encode the prompts as they are written, and what guidance leads away from."""
        empty = sampler.encode([self._negative] * len(samples)) if self._negative else sampler.empty(len(samples))
        texts = [self._written(sample.prompt) for sample in samples]
        self.encoded = [empty, sampler.encode(texts)]
        guided = bool(self._negative) and samples[0].guidance > 1
        self._reached = [guided or self._reads(sampler, text) for text in texts]
        self._scheduler = sampler.pipeline.scheduler

    def acted(self) -> Sequence[int]:
        """Return all iterations for a sample whose texts hold a token that is read, none for others."""
        return [len(self._scheduler.timesteps) if reached else 0 for reached in self._reached]

    def _reads(self, sampler: Sampler, text: str) -> bool:
        """Return whether a token stands in a text, before what is cut off."""
        pipeline: Pipeline = sampler.pipeline
        for part in sampler.family.text_parts():
            ids = part.tokenizer(pipeline.maybe_convert_prompt(text, part.tokenizer), truncation=True).input_ids
            if set(ids) & set(part.tokenizer.convert_tokens_to_ids(list(self._tokens))):
                return True
        return False


def _refuse_alike(learned: Sequence[Learned]) -> None:
    """Refuse two files with one token, such as a training's last step and an earlier one.

    Raises:
        BenchError: naming both.
    """
    seen: dict[str, Path] = {}
    for each in learned:
        if each.token in seen:
            raise BenchError(f"{seen[each.token]} and {each.path} both hold the token {each.token!r}: which counts is not said. Name one file.")
        seen[each.token] = each.path


def _add(pipeline: Pipeline, parts: Sequence[TextPart], learned: Learned) -> None:
    """Add a token to every tokenizer and its vectors to every text encoder, as diffusers does."""
    token = learned.token
    for part, vectors in zip(parts, learned.vectors, strict=True):
        width = part.model.get_input_embeddings().weight.shape[-1]
        if vectors.shape[-1] != width:
            raise BenchError(
                f"The embedding {learned.path} is {vectors.shape[-1]} wide, and the base's {part.name} {width}: it was learned for another model "
                "(768: Stable Diffusion 1, 1024: Stable Diffusion 2, 768 and 1280: SDXL)."
            )
        if token in part.tokenizer.get_vocab() or len(part.tokenizer.tokenize(token)) == 1:
            raise BenchError(f"The embedding {learned.path} names its token {token!r}, which the base knows already. Give another: --set token=NAME.")
        try:
            pipeline.load_textual_inversion({token: vectors}, token=token, tokenizer=part.tokenizer, text_encoder=part.model)
        except Exception as error:
            raise unusable("the embedding", learned.path, first_line(error)) from error
