"""``embedding``: tokens learned by textual inversion, or soft prompts such as PromptGuard's, put into the prompt or the negative prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError, first_line
from bench.files.hashes import hash_weights
from bench.files.selection import weights_of
from bench.types import Context, Kind, MethodInfo, Outcome, Sample
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

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._named: tuple[str, ...] | None = None

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the embeddings' files."""
        path = self.location(context)
        digests = hash_weights(path)
        return digests if path.is_file() else {name: digests[name] for name in self._files(path)}

    def cannot_act(self, context: Context, sample: Sample) -> str:
        """Return why the tokens could not enter: no prompt writes them, or there is no guidance to be a negative prompt of."""
        placement = self.parameters["placement"]
        if placement == "negative" and sample.guidance <= 1:
            return UNGUIDED
        if placement != "named":
            return ""
        tokens = self._tokens(context)
        if any(token.casefold() in sample.prompt.casefold() for token in tokens):
            return ""
        return (
            f"embedding with placement=named cannot act: no prompt writes {' or '.join(tokens)}, so its images would be the base's. "
            "Use --set placement=append, or a suite that names the token."
        )

    def _tokens(self, context: Context) -> tuple[str, ...]:
        """Return what prompts would have to write, before anything is loaded."""
        if self._named is None:
            encoders = len(KINDS[class_in(context.track.config_path())].encoders)
            learned = [each for file in self._chosen(context) for each in read_embeddings(file, encoders)]
            token = self.parameters["token"]
            self._named = tuple(each.token for each in learned) if token is None else (str(token),)
        return self._named

    def _chosen(self, context: Context) -> list[Path]:
        path = self.location(context)
        return [path] if path.is_file() else [path / name for name in self._files(path)]

    def load(self, context: Context) -> None:
        """Read the base model and add the tokens.

        Raises:
            BenchError: a parameter does not fit, or the embedding is damaged, of another width or of another kind of model.
        """
        if self.parameters["placement"] not in PLACEMENTS:
            raise BenchError(f"embedding has no placement {self.parameters['placement']!r}; expected one of: {', '.join(PLACEMENTS)}.")
        path, files = self.location(context), self._chosen(context)
        pipeline = load_pipeline(context)
        self.sampler = Sampler(pipeline)
        parts, token = self.sampler.family.text_parts(), self.parameters["token"]
        learned = [each for file in files for each in read_embeddings(file, len(parts))]
        if token is not None and len(learned) > 1:
            raise BenchError(f"embedding takes one token's name, and {path} holds {len(learned)} tokens. Name one file, or leave `token` out.")
        self.tokens = [token if token is not None else each.token for each in learned]
        for name, each in zip(self.tokens, learned, strict=True):
            _add(pipeline, parts, name, each)
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

    def _files(self, folder: Path) -> tuple[str, ...]:
        files = weights_of(file.name for file in folder.iterdir() if file.is_file()).files
        if not files:
            raise BenchError(f"{folder} holds no embedding; expected learned_embeds.safetensors or .bin, or files of A1111's.")
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


def _add(pipeline: Pipeline, parts: Sequence[TextPart], token: str, learned: Learned) -> None:
    """Add a token to every tokenizer and its vectors to every text encoder, as diffusers does."""
    for part, vectors in zip(parts, learned.vectors, strict=True):
        width = part.model.get_input_embeddings().weight.shape[-1]
        if vectors.shape[-1] != width:
            raise BenchError(
                f"The embedding {learned.path} is {vectors.shape[-1]} wide, and the base's {part.name} {width}: it was learned for another model "
                "(768: Stable Diffusion 1, 1024: Stable Diffusion 2, 768 and 1280: SDXL)."
            )
        if token in part.tokenizer.get_vocab():
            raise BenchError(f"The embedding {learned.path} names its token {token!r}, which the base knows already. Give another: --set token=NAME.")
        try:
            pipeline.load_textual_inversion({token: vectors}, token=token, tokenizer=part.tokenizer, text_encoder=part.model)
        except Exception as error:
            raise unusable("the embedding", learned.path, first_line(error)) from error
