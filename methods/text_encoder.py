"""``advunlearn``, ``safe-clip`` and ``text-encoder``: the base model with another text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.errors import BenchError
from bench.files.hashes import hash_weights
from bench.files.selection import weights_of
from bench.types import Context, Kind, MethodInfo
from methods.denoisers import KINDS, family_of
from methods.finetuned import FineTuned
from methods.generic import named
from methods.parts import unusable
from methods.pipeline import load_pipeline, read_text_encoder
from methods.reading.comparison import places, refuse_base, refuse_dropping, settings_of
from methods.reading.encoder_file import encoder_of_file
from methods.sampler import Sampler

_FURTHER = {part for kind in KINDS.values() for part in list(kind.encoders)[1:]}
"""Text encoders that a pipeline has beside its first."""


class _Encoder(FineTuned):
    """The base model's network and autoencoder behind another text encoder (on SDXL: its first)."""

    def _place(self, context: Context) -> Path:
        """Return the encoder's folder, or the file with its tensors."""
        path = self.location(context)
        for place in places(path):
            folder = place if place.is_dir() else place.parent
            if folder.name in _FURTHER:
                raise unusable(
                    "the text encoder",
                    path,
                    f"it is a pipeline's {folder.name}, and this method takes one in the place of the first. Take all of the pipeline: "
                    f"--method pipeline:{folder.parent}",
                )
        if path.is_file():
            return path
        folder = path / "text_encoder" if (path / "text_encoder").is_dir() else path
        if not (folder / "config.json").is_file():
            files = weights_of(file.name for file in folder.glob("*")).files
            # Under the library's own names they had a configuration, which may say another activation than the base's.
            if len(files) == 1 and not files[0].startswith(("model.", "pytorch_model.")):
                return folder / files[0]
            raise BenchError(
                f"{folder} holds no text encoder; expected a folder with config.json and model.safetensors, as CLIPTextModel saves it, or one file."
            )
        return folder

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the text encoder's files."""
        return hash_weights(self._place(context))

    def load(self, context: Context) -> None:
        """Read the base model and put the text encoder in.

        Raises:
            NotAvailable: there are no weights for this track and none were given.
            BenchError: the weights are damaged, do not fit the base model, or are a pipeline's that differs from the base in more.
        """
        place, what = self._place(context), "the text encoder"
        refuse_dropping(context, place, "text_encoder", self.info.name)
        pipeline = load_pipeline(context)
        part, _, before = family_of(pipeline).text_parts()[0]
        if place.is_dir():
            encoder = read_text_encoder(place, before.dtype, type(before).__name__, what)
        else:
            encoder = encoder_of_file(place, before, part, context.track.config_path(), what)
        for name in ("hidden_size", "vocab_size", "max_position_embeddings"):
            found, wanted = getattr(encoder.config, name), getattr(before.config, name)
            if found != wanted:
                raise BenchError(f"The text encoder in {place} does not fit the track's base: its {name} is {found}, expected {wanted}.")
        # A checkpoint of the whole CLIP may say other end tokens than its tokenizer's; the base model's count, for SDXL and SAFREE pool there.
        encoder.config.eos_token_id = before.config.eos_token_id
        if settings_of(encoder, before.dtype) == settings_of(before, before.dtype):
            refuse_base(place, before.state_dict(), encoder.state_dict())
        setattr(pipeline, part, encoder.to(before.device).eval())
        self.sampler = Sampler(pipeline, changed=True)


class AdvUnlearn(_Encoder):
    """A text encoder trained against adversarial prompts, for nudity alone: its authors' weights for SD-1.x. There are none for the miniature."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="advunlearn",
        kind=Kind.FINE_TUNE,
        summary="Text encoder unlearned against adversarial prompts (nudity).",
        paper="Zhang et al., Defensive Unlearning with Adversarial Training, NeurIPS 2024, arXiv:2405.15234",
        code="https://github.com/OPTML-Group/AdvUnlearn @ 9d23124",
        licence="CC-BY-4.0 (weights)",
        trained_on=("the concept's name, attacked", "COCO object names (retained)"),
        defaults={"weights": None},
    )
    shipped: ClassVar = {"sd15": "hub:OPTML-Group/AdvUnlearn@bca3b27922b1e70cfe5b858e35beccc2fbc3b5ee/nudity_unlearned"}


class SafeCLIP(_Encoder):
    """The text encoder of a CLIP whose unsafe inputs were redirected: its authors' weights for SD-1.x. There are none for the miniature."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="safe-clip",
        kind=Kind.FINE_TUNE,
        summary="Text encoder of a CLIP with unsafe inputs redirected to safe ones.",
        paper="Poppi et al., Safe-CLIP: Removing NSFW Concepts from Vision-and-Language Models, ECCV 2024, arXiv:2311.16254",
        code="https://github.com/aimagelab/safe-clip @ 90a5edc",
        licence="the weights' own (aimagelab/safeclip_vit-l_14)",
        trained_on=("ViSU",),
        defaults={"weights": None},
    )
    # Unpinned: no public text that could be read names a commit of it.
    shipped: ClassVar = {"sd15": "hub:aimagelab/safeclip_vit-l_14"}


class TextEncoder(_Encoder):
    """Any text encoder of the track's base model."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="text-encoder",
        kind=Kind.FINE_TUNE,
        summary="Any text encoder in place of the base's: --method text-encoder:REPO_OR_PATH.",
        code="https://github.com/huggingface/transformers (CLIPTextModel)",
        licence="the weights' own",
        trained_on=("unknown",),
        defaults={"weights": None},
    )

    def location(self, context: Context) -> Path:
        """Return the local path of the weights; what is no path here is looked up on the hub."""
        named(self)
        return super().location(context)
