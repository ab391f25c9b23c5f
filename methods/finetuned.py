"""Methods that are other weights: a LoRA or a whole U-Net, laid over the track's base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import BenchError, NotAvailable
from bench.paths import hash_weights, resolve
from bench.types import Context, Method, Outcome, Sample
from methods.pipeline import damaged, first_line, load_pipeline
from methods.sampler import Sampler

if TYPE_CHECKING:
    from methods.pipeline import Pipeline

LORA = "pytorch_lora_weights.safetensors"
UNET = "diffusion_pytorch_model.safetensors"


class FineTuned(Method):
    """The base model with trained weights laid over it.

    Attributes:
        shipped: where the weights of a track are, ``{track: location}``; the parameter ``weights`` goes before it.
        recipe: the training recipe that makes them, for the message where there are none.
    """

    shipped: ClassVar[Mapping[str, str]] = {}
    recipe: ClassVar[str] = ""

    def _folder(self, context: Context) -> Path:
        location = self.parameters["weights"] or self.shipped.get(context.track.name)
        if location is None:
            name = context.track.name
            raise NotAvailable(
                f"{self.info.name} has no weights for track {name!r}. Train them: `bench train {self.recipe} --track {name}`, "
                "then give the folder: --set weights=FOLDER."
            )
        return resolve(str(location))

    def weights(self, context: Context) -> Mapping[str, str]:
        """Return the hashes of the weights' files."""
        return hash_weights(self._folder(context))

    def load(self, context: Context) -> None:
        """Read the base model and lay the weights over it.

        Raises:
            NotAvailable: there are no weights for this track and none were given.
            BenchError: the weights are damaged, or of another model.
        """
        pipeline = load_pipeline(context)
        lay_over(pipeline, self._folder(context))
        self.sampler = Sampler(pipeline)

    def generate(self, samples: Sequence[Sample]) -> Sequence[Outcome]:
        """Return one picture a sample."""
        return self.sampler.generate(samples)


def lay_over(pipeline: Pipeline, folder: Path) -> None:
    """Lay the weights in ``folder`` over ``pipeline``, in place.

    Args:
        pipeline: the base model.
        folder: a LoRA in diffusers' layout (the file :data:`LORA`), a U-Net folder, or one with a ``unet`` folder inside.

    Raises:
        BenchError: it is none of these, damaged, or of another model.
    """
    if (folder / LORA).is_file():
        _lay_lora(pipeline, folder)
        return
    unet = folder / "unet" if (folder / "unet").is_dir() else folder
    if not (unet / "config.json").is_file():
        raise BenchError(f"{folder} holds no weights that can be laid over the base model; expected {LORA}, or a U-Net's config.json and {UNET}.")
    pipeline.unet = _read_unet(unet, pipeline.unet)


def _lay_lora(pipeline: Pipeline, folder: Path) -> None:
    from safetensors.torch import load_file

    try:
        state = load_file(folder / LORA)
        pipeline.load_lora_weights(state)
        layers = pipeline.get_list_adapters()
        # diffusers only warns of a key that fits nowhere, and generates without it.
        taken = sum("lora_" in name for name, _ in pipeline.unet.named_parameters())
        if taken != len([name for name in state if name.startswith("unet.") and not name.endswith(".alpha")]) or not layers:
            raise ValueError(f"{taken} of its {len(state)} tensors fit the base model")
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
    except Exception as error:
        raise damaged("the LoRA", folder, first_line(error)) from error


def _read_unet(folder: Path, base: Any) -> Any:
    from diffusers import UNet2DConditionModel

    try:
        unet = UNet2DConditionModel.from_pretrained(folder, dtype=base.dtype, use_safetensors=True, local_files_only=True)
    except Exception as error:
        raise damaged("the U-Net", folder, first_line(error)) from error
    lacking = [name for name, tensor in unet.named_parameters() if tensor.is_meta]
    if lacking:
        raise damaged("the U-Net", folder, f"its weights lack {lacking[0]}")
    shapes = [{name: tuple(tensor.shape) for name, tensor in model.named_parameters()} for model in (unet, base)]
    if shapes[0] != shapes[1]:
        raise BenchError(f"The U-Net in {folder} is of another model than the track's base: their tensors differ. Give weights trained on this base.")
    return unet.to(base.device).eval()
