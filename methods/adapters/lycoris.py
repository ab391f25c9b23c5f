"""What the LyCORIS library reads: LoHa, LoKr, full differences and their kin, and kohya's DoRA, whose scale diffusers would drop."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.errors import NotAvailable
from methods.adapters.lora import piece
from methods.adapters.refusals import other_base, refusal
from methods.adapters.signs import KOHYA
from methods.adapters.taken import Unfit
from methods.adapters.watch import strict

if TYPE_CHECKING:
    import torch

    from bench.files.published import Published
    from methods.denoisers.family import DenoiserFamily

_PREFIX = "lycoris"

_KINDS = {
    "dora_scale": "kohya DoRA",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "oft_blocks": "OFT",
    "diff": "full differences",
    "a1.": "GLoRA",
    "on_input": "IA3",
    "lora_mid": "LoCon with Tucker decomposition",
    "w_norm": "norms",
}
"""What the names' ends say, the first that is there."""


def lay(family: DenoiserFamily, published: Published, scale: float) -> None:
    """Merge what LyCORIS or kohya's scripts saved into the parts that it is for, its change times ``scale``.

    Raises:
        NotAvailable: the library is not installed.
        BenchError: it is of another base, or has tensors that the library does not take.
        Exception: whatever the library says of it; :class:`methods.adapters.watch.Warned` where it only warned.
    """
    kind = next((kind for end, kind in _KINDS.items() if any(f".{end}" in name for name in published.tensors)), "LyCORIS")
    if any(".lambda_layer" in name for name in published.tensors):
        raise refusal(published.path, "a T-LoRA, whose rank depends on the timestep; merged, it is another method")
    try:
        with strict():
            from lycoris import LycorisNetwork, create_lycoris_from_weights
    except ImportError as error:
        raise NotAvailable(
            f"{published.path} is a LyCORIS adapter ({kind}), which diffusers does not read. It needs the library lycoris-lora: "
            "pip install -c constraints.txt -e '.[lycoris]'. Or save it in PEFT's layout."
        ) from error
    state = _by_part(family, published, kind)
    before = LycorisNetwork.LORA_PREFIX
    networks = []
    try:
        # The library looks for layers under this prefix, and says nothing where it finds none.
        LycorisNetwork.LORA_PREFIX = _PREFIX
        with strict():
            for part, tensors in state.items():
                sent, of_inputs = _of_outputs(_with_alphas(tensors))
                network, _ = create_lycoris_from_weights(1.0, "", family.adaptable()[part], weights_sd=sent)
                _check(network, tensors)
                for module in network.loras:
                    if module.lora_name in of_inputs:
                        module.wd_on_out = False
                        module.dora_scale.data = of_inputs[module.lora_name].to(module.dora_scale)
                networks.append(network)
        with strict():
            for network in networks:
                network.merge_to(scale)
    finally:
        LycorisNetwork.LORA_PREFIX = before


def _by_part(family: DenoiserFamily, published: Published, kind: str) -> dict[str, dict[str, torch.Tensor]]:
    """Return the tensors of each part, each named by its layer in the base, as the library looks for them."""
    parts = family.adaptable()
    texts = [name for name in parts if name != family.part]
    # kohya's scripts count text encoders from one where there are two.
    owner = {
        "lora_unet_": family.part,
        "lycoris_": family.part,
        "lora_te_": "text_encoder",
        "lora_te1_": "text_encoder",
        "lora_te2_": "text_encoder_2",
    }
    flat = {part: {name.replace(".", "_") for name, _ in module.named_modules()} for part, module in parts.items()}
    found: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    strange = []
    for name, tensor in _renamed(family, published.tensors).items():
        layer, _, end = name.partition(".")
        prefix = next(prefix for prefix in KOHYA if layer.startswith(prefix))
        part, rest = owner.get(prefix, family.part), layer.removeprefix(prefix)
        near = [each for each in (rest, rest.removeprefix("text_model_")) if each in flat.get(part, ())]
        if part not in parts or not near or (prefix == "lora_te_" and len(texts) > 1):
            strange.append(layer)
            continue
        if f"{_PREFIX}_{near[0]}.{end}" in found[part]:
            raise Unfit(f"it has two tensors for {part}.{near[0]} {end}, one of them {name}")
        found[part][f"{_PREFIX}_{near[0]}.{end}"] = tensor
    if strange:
        count = len(set(strange))
        why = f"{count} of its layers are none of the base's, such as {strange[0]}"
        raise other_base(published.path, f"a LyCORIS adapter ({kind})", published.settings.header, family, why, _widths(published.tensors))
    return dict(found)


def _renamed(family: DenoiserFamily, tensors: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Return tensors whose blocks are counted as diffusers counts them, where they were counted as SDXL's authors do."""
    import torch

    names = [name.partition(".")[0] for name in tensors]
    foreign = sorted({name for name in names if re.match(r"lora_unet_(input_blocks|middle_block|output_blocks|time_embed|label_emb|out_)", name)})
    if not foreign:
        return tensors
    # diffusers knows the way for plain pairs alone, so such pairs are sent, each with its number in it.
    ends = ("lora_down.weight", "lora_up.weight")
    sent = {f"{layer}.{end}": torch.full((1, 1), float(count)) for count, layer in enumerate(foreign) for end in ends}
    way = {}
    for name, tensor in family.lora_state(sent).items():
        come = piece(name, tensor)
        if come is not None:
            way[foreign[int(tensor)]] = "lora_unet_" + come.module.replace(".", "_")
    return {f"{way.get(layer, layer)}{name.removeprefix(layer)}": tensor for layer, (name, tensor) in zip(names, tensors.items(), strict=True)}


def _widths(tensors: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Return how many channels layers read, where an adapter's shapes tell."""
    found = {}
    for name, tensor in tensors.items():
        layer, _, end = name.partition(".")
        if end in ("lora_down.weight", "hada_w1_b", "diff") and tensor.dim() > 1:
            found[layer] = int(tensor.shape[1])
    return found


def _with_alphas(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors with an alpha for every low rank that has none, its rank: what kohya's scripts take it for."""
    import torch

    found = dict(tensors)
    for name, tensor in tensors.items():
        layer, _, end = name.partition(".")
        if end == "lora_down.weight":
            found.setdefault(f"{layer}.alpha", torch.tensor(float(tensor.shape[0])))
    return found


def _of_outputs(tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return tensors that the library can take, and DoRA's scales by layer that it takes only afterwards.

    Older releases of it kept a scale for each input of a layer, newer ones for each output; it reads the newer form alone, and computes both.
    """
    import torch

    sent, of_inputs = dict(tensors), {}
    for name, tensor in tensors.items():
        layer, _, end = name.partition(".")
        if end == "dora_scale" and tensor.dim() > 1 and tensor.shape[0] == 1 and tensor.numel() > 1:
            outputs = next((sent[f"{layer}.{up}"].shape[0] for up in ("lora_up.weight", "hada_w1_a") if f"{layer}.{up}" in sent), None)
            if outputs is None:
                raise Unfit(f"{name} is a scale for each input, which the library does not read for this kind")
            of_inputs[layer] = tensor
            sent[name] = torch.ones(outputs, *[1] * (tensor.dim() - 1))
    return sent, of_inputs


def _check(network: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Compare what the library took with what it was given: it leaves out what it does not know without a word."""
    taken = {each.lora_name: each for each in network.loras}
    for name in tensors:
        layer, _, end = name.partition(".")
        module = taken.get(layer)
        if module is None or getattr(module, "not_supported", False):
            raise Unfit(f"the library takes nothing of {name}")
        if end not in module.weight_list:
            raise Unfit(f"the library, which takes {module.name} for this layer, leaves out {name}")
