"""``pipeline``: all of a published pipeline in place of the base, no code needed: ``bench run --method pipeline:OWNER/NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from bench.errors import BenchError
from bench.files.hashes import hash_weights
from bench.files.selection import MODEL_INDEX
from bench.types import Context, Kind, MethodInfo
from methods.denoisers import FAMILIES, KINDS
from methods.generic import UserNamed
from methods.parts import read_config, unusable
from methods.pipeline import place, read_pipeline
from methods.reading.comparison import class_in, differences, refuse_another_class
from methods.reading.single_file import read_marks
from methods.sampler import Sampler
from methods.scheduling import own_config, refuse_untrained, tracks_scheduler

_SIZES = ("block_out_channels", "cross_attention_dim", "layers_per_block")


class WholePipeline(UserNamed):
    """All of a fine-tuned pipeline: network, text encoders, autoencoder and tokenizers.

    It is sampled with the track's scheduler class, overrides, steps and guidance, on top of the pipeline's own scheduler configuration: what it
    predicts and its noise levels are those that it was trained on. Of a checkpoint in one file, which holds no configuration, these are the base's,
    and what its marks say. The hashes of all files that are read, the scheduler's configuration among them, are part of the run's identity.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="pipeline",
        kind=Kind.FINE_TUNE,
        summary="All of a fine-tuned pipeline in place of the base: --method pipeline:REPO_OR_PATH.",
        code="https://github.com/huggingface/diffusers (DiffusionPipeline)",
        licence="the weights' own",
        trained_on=("unknown",),
        defaults={"weights": None},
    )

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of all files of the pipeline that are used."""
        return hash_weights(self.location(context))

    def scheduled(self, context: Context) -> tuple[Path, Mapping[str, Any]]:
        """Return the pipeline's own folder, or the base's with what a file's marks say, and the track's class and overrides.

        Raises:
            BenchError: the track's overrides contradict what the pipeline was trained on.
        """
        path, track = self.location(context), context.track
        trained = read_marks(path) if path.is_file() else own_config(path) or {}
        said = {name: trained[name] for name in ("prediction_type", "rescale_betas_zero_snr") if name in trained and name in track.scheduler}
        refuse_untrained("The pipeline", path, track.scheduler, said, "Use a track whose `scheduler` leaves that to the pipeline, or says the same")
        return (path, track.scheduler) if path.is_dir() else (track.config_path(), {**track.scheduler, **trained})

    def prompts_read_by(self, context: Context) -> tuple[Path | None, int]:
        """Return the pipeline's own tokenizers; a file has the base's."""
        path = self.location(context)
        return (path if path.is_dir() else None), 0

    def load(self, context: Context) -> None:
        """Read the pipeline.

        Raises:
            BenchError: it is damaged, incomplete, of another kind or size than the track's base, or the base itself.
        """
        import torch

        path = self.location(context)
        _, scheduler = self.scheduled(context)
        if path.is_dir():
            _refuse_another_kind(path, context)
            if (own := own_config(path)) is not None:
                tracks_scheduler(own, context.track, scheduler, f"The pipeline {path}")
        pipeline = read_pipeline(path, getattr(torch, context.dtype), context.track.config_path(), "the pipeline")
        if not any(differences(context, path)):
            raise BenchError(f"The pipeline in {path} is the track's base itself: its pictures would be the base's. Run the base instead.")
        place(pipeline, context, scheduler)
        self.sampler = Sampler(pipeline, changed=True)


def _refuse_another_kind(path: Path, context: Context) -> None:
    """Refuse a pipeline that is no fine-tune of the track's base: of another class, or its network of another size."""
    base = context.track.config_path()
    if not class_in(path):
        ways = ", ".join(f"{family.part}:" for family in FAMILIES)
        raise unusable("the pipeline", path, f"it has no {MODEL_INDEX} that says its class: for a single part there are {ways} text-encoder:, lora:")
    refuse_another_class("the pipeline", path, base)
    for part in KINDS[class_in(path)].networks:
        theirs, ours = (read_config(folder / part) for folder in (path, base))
        for name in _SIZES:
            if theirs and ours and name in ours and theirs.get(name) != ours[name]:
                raise BenchError(
                    f"The pipeline in {path} is of another model than the track's base: its {part} has {name} {theirs.get(name)}, the base "
                    f"{ours[name]}. Give a fine-tune of the base, or make it the base of a track of its own (base: in a copy of the track's file)."
                )
