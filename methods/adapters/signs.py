"""What a file of tensors is, told by their names and its header: which layout, hence which library reads it; or why none does."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING

from methods.adapters.refusals import base_name, refusal

if TYPE_CHECKING:
    from bench.errors import BenchError
    from bench.files.published import Published
    from methods.denoisers.family import DenoiserFamily

GATED = (
    "an adapter with a gate ({}), which acts prompt by prompt; laid on as a plain LoRA it is another method. "
    "Wrap its authors' code: `bench new-method`"
)
"""What an adapter is that no merged weights can stand for; its name goes in."""

KOHYA = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_", "lycoris_")
"""What names begin with in files of kohya's scripts and of LyCORIS."""

METADATA = "lora_adapter_metadata"
"""Where diffusers' trainers keep an adapter's settings, in the header."""

_LYCORIS = re.compile(r"\.(hada_|lokr_|oft_blocks|diff|diff_b|w_norm|b_norm|a1\.|lora_mid\.|dora_scale|on_input|lambda_layer|rescale)")
_LOW_RANK = re.compile(r"\.lora_[AB]\.|[._]lora\.(down|up)\.|\.lora_(down|up)\.|\.lora_linear_layer\.|\.lora_magnitude_vector|\.lora_embedding_[AB]")
_FLUX = re.compile(r"(^|[._])(double_blocks|single_blocks|single_transformer_blocks)[._]\d")
_SD3 = re.compile(r"(^|[._])joint_blocks[._]\d|(^|\.)transformer_blocks\.\d+\.(norm1_context|attn\.add_[qkv]_proj|ff_context)")


class Naming(StrEnum):
    """How an adapter's tensors are named, which says who reads them."""

    DIFFUSERS = "diffusers"
    BARE = "bare"
    KOHYA = "kohya"
    LYCORIS = "LyCORIS"
    PEFT = "PEFT"
    TENSORS = "tensors"


def layout(published: Published, family: DenoiserFamily) -> Naming:
    """Return the layout of a file: an adapter's, or tensors of a model that take the place of the base's.

    Raises:
        BenchError: it is something else, or for another base.
    """
    names = list(published.tensors)
    strange = _strange(published, names, family)
    if strange is not None:
        raise strange
    if any(name.startswith("base_model.model.") for name in names):
        return Naming.PEFT
    if any(name.startswith(KOHYA) for name in names):
        foreign = [name for name in names if not name.startswith(KOHYA)]
        if foreign:
            raise refusal(published.path, f"an adapter in kohya's names with {len(foreign)} other tensors in it, such as {foreign[0]!r}")
        lycoris = any(_LYCORIS.search(name) or name.startswith("lycoris_") for name in names)
        return Naming.LYCORIS if lycoris else Naming.KOHYA
    if any(_LOW_RANK.search(name) for name in names):
        return Naming.DIFFUSERS if any(name.startswith(tuple(f"{part}." for part in family.adaptable())) for name in names) else Naming.BARE
    return Naming.TENSORS


def _strange(published: Published, names: Collection[str], family: DenoiserFamily) -> BenchError | None:
    """Return the error for what can never be laid over this base; None where it may be."""
    path, header = published.path, published.settings.header

    def any_of(pattern: str) -> bool:
        return any(re.search(pattern, name) for name in names)

    if any_of(r"(^|\.)(lora_degen|lora_update|selector\.)"):
        return refusal(path, GATED.format("GLoCE"))
    if path.name == "eraser_weights.pt" or path.with_name("eraser_config.json").is_file():
        return refusal(path, GATED.format("Receler"))
    if any(name.startswith("lora_unet_") for name in names) and "prompts" in header:
        return refusal(path, GATED.format("SPM"))
    if any_of(r"_custom_diffusion"):
        return refusal(path, "Custom Diffusion's attention processors, which are no LoRA. Wrap its authors' code: `bench new-method`")
    # A tensor that stands alone under a word, not under the name of a layer, is that word's.
    alone = len(names) == 1 and not any_of(r"\.") and all(tensor.dim() < 3 for tensor in published.tensors.values())
    if alone or any_of(r"^emb_params$|^string_to_param|^clip_[lg]$"):
        return refusal(path, "a textual inversion, new words for the text encoder, give it as `--method embedding:FILE`")
    if any_of(r"^(text_model\.)?(embeddings\.token_embedding|encoder\.layers\.\d+)\.") and not any(_LOW_RANK.search(name) for name in names):
        return refusal(path, "a text encoder: give its folder, as transformers saves it, as `--method text-encoder:FOLDER`")
    if not _flows(family):
        kind = "FLUX" if any(_FLUX.search(name) for name in names) else "SD3" if any(_SD3.search(name) for name in names) else ""
        if not kind and any(name.startswith(("transformer.", "lora_transformer_")) for name in names):
            kind = "a transformer's (SD3, FLUX or their kin)"
        if kind:
            return refusal(path, f"made for another architecture: these are {kind} tensors; this track's base is {base_name(family)}")
    return _other_prediction(published, family)


def _flows(family: DenoiserFamily) -> bool:
    return family.part == "transformer"


def _other_prediction(published: Published, family: DenoiserFamily) -> BenchError | None:
    """Return the error for an adapter whose header says another prediction type than the base samples; None where there is none."""
    header = published.settings.header
    said = {"v": "v_prediction", "epsilon": "epsilon"}.get(header.get("modelspec.prediction_type", ""))
    if header.get("ss_v_parameterization", "").lower() == "true":
        said = "v_prediction"
    if said is None or said == family.prediction_type:
        return None
    return refusal(
        published.path,
        f"trained for {said} (its header says); this track samples {family.prediction_type}. Use a track with scheduler: {{prediction_type: {said}}}",
    )


def adapter_metadata(published: Published) -> dict[str, object]:
    """Return the settings that diffusers' trainers keep in the header, by part; empty where there are none or they are no JSON object."""
    try:
        found = json.loads(published.settings.header.get(METADATA, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
