"""What makes the pictures: a method of the harness, or any diffusers pipeline; and the image-to-image model of the second stage.

Every picture has a generator of its own, so it does not depend on its neighbours, on the shard, or on where a run was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from PIL import Image as Pillow
from pydantic import BaseModel, ConfigDict, model_validator

from bench.errors import first_line
from bench.files.hashes import hash_weights
from bench.files.locations import resolve
from bench.runs.spec import method_on
from bench.tracks import load_track
from bench.types import Context, Generated, Sample
from methods.denoisers import family_of
from methods.pipeline import damaged

if TYPE_CHECKING:
    from bench.types import Image


class SourceSettings(BaseModel):
    """One model that pictures come from: a ``method`` on a ``track``, or a ``pipeline``.

    Attributes:
        name: in the data set's ``source`` columns.
        method: a registered method.
        track: its track.
        parameters: the method's.
        pipeline: a diffusers pipeline's location (see :func:`bench.files.locations.resolve`).
        steps: denoising steps; the track's, or the pipeline's own, where None.
        guidance: classifier-free guidance scale; likewise.
        width: pixels, for a pipeline; its own where None.
        height: pixels; likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    method: str | None = None
    track: str = "mini"
    parameters: dict[str, Any] = {}
    pipeline: str | None = None
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> SourceSettings:
        if (self.method is None) == (self.pipeline is None):
            raise ValueError("a source has either a method or a pipeline")
        return self


class PictureSource(Protocol):
    """Makes pictures of prompts."""

    name: str

    def make(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | None]:
        """Return one picture a prompt, in order; None where the model refused."""

    def identity(self) -> Mapping[str, Any]:
        """Return what decides the pictures, as JSON-able values."""


class MethodSource:
    """A method of the harness on one track."""

    def __init__(self, settings: SourceSettings, device: str, dtype: str) -> None:
        assert settings.method is not None
        self.name = settings.name
        self._settings = settings
        self._track = load_track(settings.track)
        self._context = Context(self._track, device, dtype)
        adapter, parameters = method_on(settings.method, self._track, settings.parameters)
        self._method = adapter(**parameters)
        self._loaded = False

    def identity(self) -> Mapping[str, Any]:
        """Return the settings and every hash."""
        return {
            **self._settings.model_dump(),
            "parameters": self._method.parameters,
            "base": self._track.base_weights(),
            "weights": dict(self._method.weights(self._context)),
        }

    def make(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | None]:
        """Return one picture a prompt; None where it was blocked."""
        if not self._loaded:
            self._method.load(self._context)
            self._loaded = True
        settings, track = self._settings, self._track
        steps, guidance = settings.steps or track.steps, track.guidance if settings.guidance is None else settings.guidance
        samples = [
            Sample(str(n), prompt, "", 0, seed, track.width, track.height, steps, guidance)
            for n, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
        ]
        made: list[Image | None] = []
        for start in range(0, len(samples), track.batch_size):
            outcomes = self._method.generate(samples[start : start + track.batch_size])
            made += [outcome.image if isinstance(outcome, Generated) else None for outcome in outcomes]
        return made


class PipelineSource:
    """A diffusers text-to-image pipeline, whatever its family, without its safety checker: what it makes is judged, never delivered."""

    def __init__(self, settings: SourceSettings, device: str, dtype: str, batch: int) -> None:
        assert settings.pipeline is not None
        self.name = settings.name
        self._settings, self._device, self._dtype, self._batch = settings, device, dtype, batch
        self._folder = resolve(settings.pipeline)
        self._pipeline: Any = None

    def identity(self) -> Mapping[str, Any]:
        """Return the settings and every hash."""
        return {**self._settings.model_dump(), "weights": hash_weights(self._folder), "batch": self._batch}

    def make(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image | None]:
        """Return one picture a prompt."""
        if self._pipeline is None:
            self._pipeline = load_auto("AutoPipelineForText2Image", self._folder, self._device, self._dtype)
        settings = self._settings
        chosen = {"num_inference_steps": settings.steps, "guidance_scale": settings.guidance, "width": settings.width, "height": settings.height}
        options = {name: value for name, value in chosen.items() if value is not None}
        made: list[Image | None] = []
        for start in range(0, len(prompts), self._batch):
            batch = slice(start, start + self._batch)
            made += run(self._pipeline, prompts[batch], seeds[batch], **options)
        return made


class ImageToImage:
    """The safety-aware inpainting of Sec. 3.2: a picture, started again from its noised self under another prompt.

    Args:
        location: a diffusers pipeline.
        strength: in (0, 1]: how much of the noise schedule is run again; 1 keeps nothing of the picture.
        steps: of the whole schedule.
        guidance: classifier-free guidance scale.
        device: a torch device.
        dtype: of the weights.
        batch: pictures a call.
        scheduler: overrides of the scheduler's configuration, with its ``class``; the pipeline's own where empty.
    """

    def __init__(
        self, location: str, *, strength: float, steps: int, guidance: float, device: str, dtype: str, batch: int, scheduler: Mapping[str, Any]
    ) -> None:
        self._folder = resolve(location)
        self._options = {"strength": strength, "num_inference_steps": steps, "guidance_scale": guidance}
        self._device, self._dtype, self._batch, self._scheduler = device, dtype, batch, dict(scheduler)
        self._pipeline: Any = None

    def identity(self) -> Mapping[str, Any]:
        """Return what decides the pictures, as JSON-able values."""
        return {"weights": hash_weights(self._folder), **self._options, "batch": self._batch, "scheduler": self._scheduler}

    def make(self, images: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[Image]:
        """Return one new picture a (picture, prompt)."""
        if self._pipeline is None:
            self._pipeline = load_auto("AutoPipelineForImage2Image", self._folder, self._device, self._dtype, self._scheduler)
        made: list[Image] = []
        for start in range(0, len(prompts), self._batch):
            batch = slice(start, start + self._batch)
            made += run(self._pipeline, prompts[batch], seeds[batch], image=self._latents(images[batch]), **self._options)
        return made

    @torch.inference_mode()
    def _latents(self, images: Sequence[Image]) -> torch.Tensor:
        """Return the latents that the pictures start again from: the posterior's mean.

        Given pictures, diffusers would draw from the posterior; where that is wide (the miniature's is), another scene would be started.
        """
        pipeline, vae = self._pipeline, self._pipeline.vae
        pixels = pipeline.image_processor.preprocess([Pillow.fromarray(image) for image in images])
        overflows = vae.dtype == torch.float16 and vae.config.force_upcast
        vae.to(torch.float32 if overflows else vae.dtype)
        latents: torch.Tensor = vae.encode(pixels.to(pipeline.device, vae.dtype)).latent_dist.mode() * vae.config.scaling_factor
        vae.to(torch.float16 if overflows else vae.dtype)
        return latents.to(family_of(pipeline).network.dtype)


def load_auto(kind: str, folder: Any, device: str, dtype: str, scheduler: Mapping[str, Any] | None = None) -> Any:
    """Return the diffusers pipeline in ``folder`` as diffusers' auto class ``kind`` loads it.

    Raises:
        BenchError: the folder is damaged or of no known kind.
    """
    import diffusers
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    for each in (logging, transformers_logging):
        each.set_verbosity(each.CRITICAL)  # what goes wrong is raised, as one line
        each.disable_progress_bar()
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        # Where a pipeline has no safety checker, these two are not its arguments.
        checker = {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in index else {}
        encoders = _encoders(index, folder, getattr(torch, dtype))
        pipeline = getattr(diffusers, kind).from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True, **checker, **encoders
        )
        for name, part in pipeline.components.items():
            # diffusers leaves a tensor that the file lacks on the meta device.
            lacking = [key for key, tensor in part.named_parameters() if tensor.is_meta] if isinstance(part, torch.nn.Module) else []
            if lacking:
                raise ValueError(f"the weights of {name} lack {lacking[0]}")
        if scheduler:
            options = dict(scheduler)
            pipeline.scheduler = getattr(diffusers, options.pop("class")).from_config(pipeline.scheduler.config, **options)
    except Exception as error:
        raise damaged("the pipeline", folder, first_line(error)) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _encoders(index: Mapping[str, Any], folder: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Return the pipeline's text encoders and the like, every tensor read from ``folder``; transformers would make up what is lacking."""
    import transformers

    encoders: dict[str, Any] = {}
    for name, (library, kind) in ((name, value) for name, value in index.items() if isinstance(value, list) and name != "safety_checker"):
        model = getattr(transformers, str(kind), None) if library == "transformers" else None
        if isinstance(model, type) and issubclass(model, transformers.PreTrainedModel):
            encoders[name], info = model.from_pretrained(
                folder / name, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
            if info["missing_keys"]:
                raise ValueError(f"the weights of {name} lack {min(info['missing_keys'])}")
    return encoders


def run(pipeline: Any, prompts: Sequence[str], seeds: Sequence[int], **options: Any) -> list[Image]:
    """Return the pipeline's pictures, uint8, each from its own CPU generator."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    with torch.inference_mode():
        floats = pipeline(prompt=list(prompts), generator=generators, output_type="np", **options).images
    return list((np.asarray(floats) * 255).round().astype(np.uint8))


def make_source(settings: SourceSettings, device: str, dtype: str, batch: int) -> PictureSource:
    """Return the source that ``settings`` describe, nothing loaded yet."""
    return MethodSource(settings, device, dtype) if settings.method else PipelineSource(settings, device, dtype, batch)
