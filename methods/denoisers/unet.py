"""U-Nets: Stable Diffusion 1.x and 2.x, and Stable Diffusion XL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from methods.denoisers.family import DenoiserFamily, PipelineKind, Text
from methods.parts import read_config, read_model, unusable

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from diffusers import UNet2DConditionModel
    from torch.nn import Module, Parameter

    from methods.denoisers.family import Pipeline


class UNetFamily(DenoiserFamily):
    """Pipelines around a U-Net with cross-attention to the text."""

    part: ClassVar[str] = "unet"
    label: ClassVar[str] = "U-Net"
    kinds: ClassVar[Mapping[str, PipelineKind]] = {
        "StableDiffusionPipeline": PipelineKind(
            {"text_encoder": "CLIPTextModel"}, {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        ),
        "StableDiffusionXLPipeline": PipelineKind(
            {"text_encoder": "CLIPTextModel", "text_encoder_2": "CLIPTextModelWithProjection"}, {"add_watermarker": False}
        ),
        # Stable Diffusion's parts under another name, as LCMs are saved.
        "LatentConsistencyModelPipeline": PipelineKind(
            {"text_encoder": "CLIPTextModel"}, {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        ),
    }

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        # Once and for all: training gives the text encoders back when every prompt is encoded.
        self.is_xl = getattr(pipeline, "text_encoder_2", None) is not None

    @property
    def distilled(self) -> bool:
        """Whether the U-Net is told the guidance scale (LCM)."""
        return self.pipeline.unet.config.time_cond_proj_dim is not None

    def refuse_undriven(self, what: str, path: Path) -> None:
        """Refuse a U-Net of inpainting, of class labels and the like."""
        refuse_undriven(self.pipeline.unet.config, self.pipeline.vae.config.latent_channels, self.is_xl, what, path)

    def write_out_attention(self, part: Any) -> None:
        """Have ``part`` compute attention by matrix products."""
        from diffusers.models.attention_processor import AttnProcessor

        part.set_attn_processor(AttnProcessor())

    @property
    def size(self) -> int:
        """Pixels of a side that the U-Net was made for."""
        return int(self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor)

    @property
    def prediction_type(self) -> str:
        """What the U-Net predicts: noise where the base's scheduler says nothing."""
        return str(self.pipeline.scheduler.config.get("prediction_type", "epsilon"))

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return the (channels, rows, columns) of a picture's latents."""
        scale = self.pipeline.vae_scale_factor
        return self.pipeline.unet.config.in_channels, height // scale, width // scale

    def encode(self, prompts: Sequence[str], device: torch.device, *, cut_end: bool = False) -> Text:
        """Return prompts encoded; what is too long is cut off, as Stable Diffusion does, on SDXL always with its end token kept."""
        if self.is_xl:
            states, _, pooled, _ = self.pipeline.encode_prompt(
                list(prompts), device=device, num_images_per_prompt=1, do_classifier_free_guidance=False
            )
            return Text(states, pooled)
        tokenizer, encoder = self.pipeline.tokenizer, self.pipeline.text_encoder
        # A learned token of several vectors is as many tokens; other prompts stay what they are.
        written = self.pipeline.maybe_convert_prompt(list(prompts), tokenizer)
        tokens = tokenizer(written, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt")
        if cut_end:
            for row, prompt in zip(tokens.input_ids, written, strict=True):
                whole = tokenizer(prompt, verbose=False).input_ids
                row[-1] = whole[len(row) - 1] if len(whole) > len(row) else row[-1]
        mask = tokens.attention_mask.to(device) if getattr(encoder.config, "use_attention_mask", None) else None
        return Text(encoder(tokens.input_ids.to(device), attention_mask=mask)[0])

    def empty(self, count: int, device: torch.device) -> Text:
        """Return the empty prompt encoded, or zeros where an SDXL model was trained so."""
        import torch

        text = self.encode([""] * count, device)
        if self.is_xl and self.pipeline.config.force_zeros_for_empty_prompt:
            assert text.pooled is not None
            return Text(torch.zeros_like(text.states), torch.zeros_like(text.pooled))
        return text

    def predict(
        self, latents: torch.Tensor, time: Any, text: Text, height: int, width: int, network: Any = None, guidance: float | None = None
    ) -> torch.Tensor:
        """Return what the U-Net predicts, noise or velocity; SDXL's also takes the picture's size, uncropped."""
        import torch

        arguments: dict[str, Any] = {"encoder_hidden_states": text.states}
        if text.pooled is not None:
            ids = torch.tensor([height, width, 0, 0, height, width], dtype=text.states.dtype, device=text.states.device).repeat(len(text.states), 1)
            arguments["added_cond_kwargs"] = {"text_embeds": text.pooled, "time_ids": ids}
        model = self.pipeline.unet if network is None else network
        if guidance is not None and self.distilled:
            scales = torch.tensor(guidance - 1).repeat(len(latents))
            embedded = self.pipeline.get_guidance_scale_embedding(scales, embedding_dim=self.pipeline.unet.config.time_cond_proj_dim)
            arguments["timestep_cond"] = embedded.to(device=latents.device, dtype=latents.dtype)
        predicted: torch.Tensor = model(latents, time, **arguments, return_dict=False)[0]
        return predicted

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pictures about [-1, 1], (n, 3, height, width)."""
        import torch

        vae = self.pipeline.vae
        # SDXL's overflows in half precision. Stable Diffusion's says the same by its class' default alone, and diffusers' pipeline does not listen.
        if self.is_xl and vae.dtype == torch.float16 and vae.config.force_upcast:
            vae.to(torch.float32)
        latents = latents.to(vae.dtype)
        mean, std = getattr(vae.config, "latents_mean", None), getattr(vae.config, "latents_std", None)
        if mean is not None and std is not None:
            mean, std = (torch.tensor(each, device=latents.device, dtype=latents.dtype).view(1, -1, 1, 1) for each in (mean, std))
            latents = latents * std / vae.config.scaling_factor + mean
        else:
            latents = latents / vae.config.scaling_factor
        decoded: torch.Tensor = vae.decode(latents, return_dict=False)[0]
        return decoded

    def projections(self) -> dict[str, Parameter]:
        """Return the weights, (outputs, width), of every cross-attention's keys and values, by name."""
        return cross_attentions(self.pipeline.unet)

    def skips(self) -> list[tuple[Module, int]]:
        """Return the residual blocks of the way up, each with the width of the features that come from below."""
        return residuals_of_the_way_up(self.pipeline.unet)

    def read_network(self, folder: Path) -> Any:
        """Return the U-Net in ``folder``, every tensor of it read."""
        said = read_config(folder)
        if said.get("_class_name") == "UNet2DConditionModel":
            # Before its weights, which need not fit a configuration of something else.
            told = SimpleNamespace(**{**self.pipeline.unet.config, **said})
            refuse_undriven(told, self.pipeline.vae.config.latent_channels, self.is_xl, f"the {self.label}", folder)
        unet = read_model(folder, self.pipeline.unet.dtype, "UNet2DConditionModel", f"the {self.label}")
        refuse_undriven(unet.config, self.pipeline.vae.config.latent_channels, self.is_xl, f"the {self.label}", folder)
        return unet

    def lora_state(self, tensors: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Return a LoRA's tensors by the names of diffusers; SDXL's blocks are counted otherwise by other trainers."""
        state: Mapping[str, torch.Tensor] = self.pipeline.lora_state_dict(dict(tensors), unet_config=self.pipeline.unet.config)[0]
        return state

    def save_lora(self, folder: Path, layers: Mapping[str, torch.Tensor]) -> None:
        """Write ``pytorch_lora_weights.safetensors``."""
        type(self.pipeline).save_lora_weights(folder, unet_lora_layers=dict(layers), safe_serialization=True)


def cross_attentions(unet: UNet2DConditionModel) -> dict[str, Parameter]:
    """Return the weights, (outputs, width), of every cross-attention's keys and values, by name."""
    return {name: weight for name, weight in unet.named_parameters() if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))}


def residuals_of_the_way_up(unet: UNet2DConditionModel) -> list[tuple[Module, int]]:
    """Return the residual blocks of the way up, in order, each with the width of the features that come from below."""
    found = []
    width = unet.config.block_out_channels[-1]
    for block in unet.up_blocks:
        for residual in block.resnets:
            found.append((residual, width))
            width = residual.out_channels
    return found


INPUTS = {9: "an inpainting U-Net, which also takes a masked picture", 8: "a U-Net that edits pictures (instruct-pix2pix), which also takes one"}
"""What a U-Net with more input channels than latents have is made for."""


def refuse_undriven(config: Any, channels: int, is_xl: bool, what: str, path: Path) -> None:
    """Refuse a U-Net that takes something that generating from text alone does not give it.

    Args:
        config: the U-Net's.
        channels: of the latents.
        is_xl: whether it is in an SDXL pipeline.
        what: the weights are, for the message.
        path: of theirs.

    Raises:
        BenchError: it does.
    """
    found = ""
    if config.in_channels != channels:
        made_for = INPUTS.get(config.in_channels, "made for something else than text to image")
        found = f"it takes {config.in_channels} channels where latents have {channels}: it is {made_for}"
    elif config.out_channels != channels:
        found = f"it gives {config.out_channels} channels where latents have {channels}, and this sampler has no use for a learned variance"
    elif config.class_embed_type or config.num_class_embeds:
        found = f"it takes class labels (class_embed_type {config.class_embed_type or 'embedding'!r})"
    elif config.addition_embed_type != ("text_time" if is_xl else None):
        expected = "'text_time', as SDXL's" if is_xl else "none, as Stable Diffusion's"
        found = f"its addition_embed_type is {config.addition_embed_type!r}, expected {expected}"
    elif config.encoder_hid_dim_type:
        found = f"it takes more than text (encoder_hid_dim_type {config.encoder_hid_dim_type!r})"
    if found:
        raise unusable(what, path, f"{found}. This sampler gives text alone: wrap its own pipeline as a method (bench new-method)")
