"""The interface of a denoiser family: what samplers, edits and recipes ask of a base model, whatever network denoises in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from diffusers import DiffusionPipeline
    from torch.nn import Module, Parameter

    Pipeline: TypeAlias = DiffusionPipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Encoded prompts, as the network takes them.

    Attributes:
        states: the text encoders' states, (n, tokens, width).
        pooled: the pooled text, (n, width); None where the network takes none (Stable Diffusion).
    """

    states: torch.Tensor
    pooled: torch.Tensor | None = None

    def repeat(self, count: int) -> Text:
        """Return the whole ``count`` times over."""
        return Text(self.states.repeat(count, 1, 1), None if self.pooled is None else self.pooled.repeat(count, 1))


def joined(texts: Sequence[Text]) -> Text:
    """Return several as one batch, in order."""
    import torch

    pooled = [each.pooled for each in texts if each.pooled is not None]
    return Text(torch.cat([each.states for each in texts]), torch.cat(pooled) if pooled else None)


@dataclass(frozen=True, slots=True)
class PipelineKind:
    """One class of diffusers' pipelines.

    Attributes:
        encoders: the class of each text encoder, ``{part: class}``, first to last.
        options: what else the pipeline is loaded with.
        networks: its parts that denoise.
    """

    encoders: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] = ("unet",)


class TextPart(NamedTuple):
    """A text encoder in its pipeline: the part's name, its tokenizer and the model."""

    name: str
    tokenizer: Any
    model: Any


class DenoiserFamily(ABC):
    """A pipeline of one family, and what it can do. It keeps no part: one that is replaced in the pipeline is the one that it asks next.

    Attributes:
        part: the network's name, among the pipeline's parts, in a folder of weights and in a LoRA's tensors.
        label: what the network is called in messages.
        kinds: the pipelines of this family, by the name of their class.
        pipeline: whose parts are asked.
        is_xl: whether it is Stable Diffusion XL, which the authors of some methods treat otherwise.
    """

    part: ClassVar[str]
    label: ClassVar[str]
    kinds: ClassVar[Mapping[str, PipelineKind]]

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline: Any = pipeline
        self.is_xl = False

    # The parts.

    @property
    def network(self) -> Any:
        """The network that denoises."""
        return getattr(self.pipeline, self.part)

    @property
    def autoencoder(self) -> Any:
        """What turns latents into pictures."""
        return self.pipeline.vae

    def text_parts(self) -> list[TextPart]:
        """Return the text encoders, first to last; those that a pipeline has given back are left out."""
        names = dict.fromkeys(name for kind in self.kinds.values() for name in kind.encoders)
        found = {name: getattr(self.pipeline, name, None) for name in names}
        return [
            TextPart(name, getattr(self.pipeline, name.replace("text_encoder", "tokenizer")), model)
            for name, model in found.items()
            if model is not None
        ]

    def parts(self) -> list[Any]:
        """Return every model in the pipeline, in the order in which a picture goes through them."""
        return [*(each.model for each in self.text_parts()), self.network, self.autoencoder]

    def replace_network(self, network: Module) -> None:
        """Put another network of the same sizes in the pipeline."""
        setattr(self.pipeline, self.part, network)

    @property
    def distilled(self) -> bool:
        """Whether guidance is distilled into the network, which is told its scale, so that there is no second prediction to guide by."""
        return False

    @classmethod
    @abstractmethod
    def refuse_folder(cls, path: Path, kind: PipelineKind, what: str) -> None:
        """Refuse by its configuration alone, before any tensor is read, what :meth:`refuse_undriven` refuses of a pipeline's folder.

        Args:
            path: the folder.
            kind: of its pipeline.
            what: the weights are, for the message.

        Raises:
            BenchError: the network takes something that it is not given.
        """

    @abstractmethod
    def refuse_undriven(self, what: str, path: Path) -> None:
        """Refuse a network that the sampler would not drive as it was trained.

        Args:
            what: the weights are, for the message.
            path: of theirs.

        Raises:
            BenchError: it takes something that it would not be given.
        """

    @abstractmethod
    def write_out_attention(self, part: Any) -> None:
        """Have ``part``, the network or the autoencoder, compute attention by matrix products, without a fused kernel."""

    # Sampling and training.

    @property
    @abstractmethod
    def size(self) -> int:
        """Pixels of a side that the network was made for."""

    @property
    @abstractmethod
    def prediction_type(self) -> str:
        """What the network predicts, as schedulers call it: ``epsilon``, ``v_prediction`` or ``sample``."""

    @abstractmethod
    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return the (channels, rows, columns) of a picture's latents; its height and width are in pixels."""

    @abstractmethod
    def encode(self, prompts: Sequence[str], device: torch.device, *, cut_end: bool = False) -> Text:
        """Return prompts encoded, computed on ``device``; what is too long is cut off, as diffusers does.

        Args:
            prompts: in any number.
            device: where the text encoders run.
            cut_end: whether a prompt that is too long loses its end token too, as in the authors' code of some methods on Stable Diffusion 1.x.
        """

    def overlong(self, text: str) -> tuple[int, int] | None:
        """Return a text's tokens, start and end among them, and how many of them are read; None where no text encoder cuts it."""
        for part in self.text_parts():
            length, limit = len(part.tokenizer(text, verbose=False).input_ids), int(part.tokenizer.model_max_length)
            if length > limit:
                return length, limit
        return None

    @abstractmethod
    def empty(self, count: int, device: torch.device) -> Text:
        """Return what stands for no prompt, ``count`` rows of it, encoded as one batch."""

    @abstractmethod
    def predict(
        self, latents: torch.Tensor, time: Any, text: Text, height: int, width: int, network: Any = None, guidance: float | None = None
    ) -> torch.Tensor:
        """Return the network's prediction, of the latents' shape.

        Args:
            latents: (n, channels, rows, columns), scaled as the scheduler wants it.
            time: a timestep of the scheduler, or one for each row, (n,).
            text: of n rows.
            height: of the pictures, in pixels.
            width: likewise.
            network: one of the same sizes (a copy, or what accelerate wraps around it); the pipeline's own where None.
            guidance: the scale, for a network that it is distilled into; others take none.
        """

    @abstractmethod
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pictures about [-1, 1], (n, 3, height, width), of latents (n, channels, rows, columns)."""

    # What methods edit.

    @abstractmethod
    def projections(self) -> dict[str, Parameter]:
        """Return the weights, (outputs, width), that turn text states into keys and values, by name: what closed forms edit."""

    @abstractmethod
    def skips(self) -> list[tuple[Module, int]]:
        """Return the modules where SAFREE's re-attention may act, in order of running; empty where the network has none.

        Each takes, as its first input, features (n, channels, rows, columns): those from below, then skip features. The number is how many
        channels come from below.
        """

    # Other weights.

    @abstractmethod
    def read_network(self, folder: Path) -> Any:
        """Return the network in ``folder``, as diffusers saves it, on the CPU in the dtype of the pipeline's own.

        Raises:
            BenchError: it is damaged, incomplete or of another class.
        """

    def adaptable(self) -> dict[str, Any]:
        """Return the parts that a LoRA may touch, by name."""
        return {self.part: self.network, **{each.name: each.model for each in self.text_parts()}}

    @abstractmethod
    def lora_state(self, tensors: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return a LoRA's tensors by the names of diffusers, whichever trainer named them."""

    @abstractmethod
    def save_lora(self, folder: Path, layers: Mapping[str, torch.Tensor]) -> None:
        """Write a LoRA of the network, its tensors named as PEFT has them, in diffusers' own layout."""
