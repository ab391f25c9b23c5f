"""Low-rank adapters that diffusers reads: its own layouts, old and new, and kohya's; fused at the strength at which they were trained."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from methods.adapters.refusals import fits, other_base, prefix_of, refusal
from methods.adapters.signs import Naming, adapter_metadata
from methods.adapters.taken import Unfit, check_taken, digest
from methods.adapters.watch import strict

if TYPE_CHECKING:
    import torch

    from bench.files.published import Published
    from methods.denoisers.family import DenoiserFamily

_NAME = "laid"

_ENDS = (
    re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB]|magnitude_vector)(\.default)?(\.weight|\.bias)?$"),
    re.compile(r"(?P<module>.+)\.(lora|lora_linear_layer)\.(?P<side>down|up)\.weight$"),
    re.compile(r"(?P<module>.+)\.processor\.(?P<layer>to_q|to_k|to_v|to_out)_lora\.(?P<side>down|up)\.weight$"),
    re.compile(r"(?P<module>.+)\.(?P<layer>to_q|to_k|to_v|to_out)_lora\.(?P<side>down|up)\.weight$"),
)
"""How the layouts name a layer's two tensors."""

_CLIP = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}

_SAFE = ("No LoRA keys associated to",)
"""Warnings that are no news: a part that the file does not touch; that each of its tensors was taken is checked here."""


class Piece(NamedTuple):
    """A tensor of an adapter: its name, the part and the layer it changes, and whether it reads (``A``), gives (``B``) or neither."""

    name: str
    part: str
    module: str
    side: str
    tensor: torch.Tensor


def lay(family: DenoiserFamily, published: Published, layout: Naming, scale: float) -> None:
    """Fuse a low-rank adapter into the base, its change times ``scale``.

    Raises:
        BenchError: it is of another base, or its settings stand where diffusers does not look.
        Exception: whatever a library says of it; :class:`methods.adapters.watch.Warned` where it only warned.
    """
    _check_sidecar(published, layout)
    _check_base(family, published, layout)
    pipeline, tensors = family.pipeline, published.tensors
    # The path, for tensors have no header, and alpha may stand there. A pickle has none, and may keep its tensors inside an entry.
    source: Any = str(published.path) if published.path.suffix == ".safetensors" else dict(tensors)
    if layout is Naming.KOHYA and _uneven(tensors):
        tensors = _folded(tensors)
        source = dict(tensors)
    try:
        with strict(_SAFE):
            if layout is Naming.BARE:
                # Unless it is told so, it reads the tensors without the header.
                header = published.path.suffix == ".safetensors"
                family.network.load_lora_adapter(source, prefix=None, adapter_name=_NAME, low_cpu_mem_usage=True, use_safetensors=header)
            else:
                pipeline.load_lora_weights(source, adapter_name=_NAME)
        parts = family.adaptable().values()
        held = {name: tensor for name, tensor in tensors.items() if not name.endswith("alpha")}
        check_taken(held, (tensor for part in parts for name, tensor in part.named_parameters() if "lora_" in name))
        for part in parts:
            _check_patterns(part)
        if layout is Naming.KOHYA:
            _check_strengths(tensors, parts)
    except BaseException:
        with contextlib.suppress(Exception):
            pipeline.unload_lora_weights()
        raise
    with strict():
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()


def _check_sidecar(published: Published, layout: Naming) -> None:
    """Refuse PEFT's configuration beside a file in other names, where it says another strength than diffusers would use."""
    name = "adapter_config.json"
    settings = published.settings
    if adapter_metadata(published):
        return
    if layout is Naming.KOHYA and any(key.endswith(".alpha") for key in published.tensors):
        return
    if name in settings.unreadable:
        raise refusal(published.path, f"a LoRA whose {name} cannot be read ({settings.unreadable[name]}): its strength is unknown")
    config = settings.sidecars.get(name)
    if config is None:
        return
    plain = config.get("lora_alpha") == config.get("r") and not any(config.get(key) for key in ("use_rslora", "rank_pattern", "alpha_pattern"))
    if not plain:
        raise refusal(
            published.path,
            f"a LoRA in other names than PEFT's beside PEFT's {name}, whose strength (r {config.get('r')}, lora_alpha {config.get('lora_alpha')}) "
            "nobody reads for it: give the folder that PEFT saved, or the file alone",
        )


def _check_base(family: DenoiserFamily, published: Published, layout: Naming) -> None:
    """Refuse an adapter for layers that the base does not have, or has at another width."""
    named: Mapping[str, torch.Tensor] = published.tensors
    parts = family.adaptable()
    what = "a LoRA"
    header = published.settings.header
    if layout is Naming.KOHYA:
        with strict(_SAFE):
            named = family.lora_state(published.tensors)
    known = []
    for name, tensor in named.items():
        found = piece(f"{family.part}.{name}" if layout is Naming.BARE else name, tensor)
        if found is not None:
            known.append(found)
        elif name.endswith("alpha") and layout is not Naming.KOHYA:
            raise refusal(
                published.path,
                f"{what} with alphas, such as {name!r}, which diffusers reads in kohya's names alone: its strength would be another. "
                "Give it in kohya's names, or its alpha as lora_adapter_metadata in the header",
            )
        elif not name.endswith("alpha"):
            raise refusal(published.path, f"{what} with tensors of no known layout, such as {name!r}")
    widths = {f"{each.part}.{each.module}": each.tensor.shape[1] for each in known if each.side == "A" and each.tensor.dim() > 1}
    lacking, why = 0, ""
    for each in known:
        trouble: str | None
        if each.part not in parts:
            trouble = f"it has a part for {each.part!r}, which the base lacks"
        else:
            module = _module(parts[each.part], each.module)
            trouble = f"{each.part}.{each.module} is no layer of the base" if module is None else None
            if module is not None and each.side in "AB" and not each.name.endswith(".bias"):
                wrong = fits(module, **{"down" if each.side == "A" else "up": each.tensor})
                trouble = f"{each.part}.{each.module} {wrong}" if wrong else None
            if each.part == family.part and ".lora_linear_layer." in each.name:
                trouble = f"{each.name} has the end of a text encoder's layer; a network's ends in .lora.down.weight"
        if trouble:
            lacking, why = lacking + 1, why or trouble
    if lacking == len(known) and (prefix := prefix_of((f"{each.part}.{each.module}" for each in known), parts)):
        raise refusal(
            published.path, f"{what} whose names have {prefix!r} in front of the layers', which diffusers does not read: save its tensors without it"
        )
    if lacking:
        raise other_base(published.path, what, header, family, f"{lacking} of its {len(known)} tensors fit nowhere: {why}", widths)


def piece(name: str, tensor: torch.Tensor) -> Piece | None:
    """Return what a tensor is for, of a name with its part in front; None where the name is of no layout."""
    part, _, rest = name.partition(".")
    for pattern in _ENDS:
        if match := pattern.match(rest):
            groups = match.groupdict()
            module, layer = groups["module"], groups.get("layer")
            if layer:
                # CLIP's attention once went by the names of a U-Net's.
                name_of = _CLIP if module.endswith("self_attn") else {"to_out": "to_out.0"}
                module = f"{module}.{name_of.get(layer, layer)}"
            return Piece(name, part, module, {"down": "A", "up": "B"}.get(groups["side"], groups["side"]), tensor)
    return None


def _module(part: Any, name: str) -> Any:
    """Return a layer by its name; CLIP's may have the name that it had in older releases."""
    for each in (name, name.removeprefix("text_model.")):
        with contextlib.suppress(AttributeError):
            return part.get_submodule(each)
    return None


def layers(part: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers of a part that an adapter of PEFT's wraps, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in part.named_modules():
        if isinstance(module, BaseTunerLayer):
            yield name, module


def _check_patterns(part: Any) -> None:
    """Refuse settings for single layers whose name is none of the layers': their strength would be the others'."""
    for config in getattr(part, "peft_config", {}).values():
        check_patterns(config, [name for name, _ in layers(part)])


def check_patterns(config: Any, names: list[str]) -> None:
    """Compare the patterns of PEFT's configuration with the layers that an adapter wraps.

    Raises:
        Unfit: a pattern matches no layer, so its rank or alpha would be dropped without a word.
    """
    for setting in ("rank_pattern", "alpha_pattern"):
        for pattern in getattr(config, setting, None) or {}:
            if not any(re.match(rf"(.*\.)?({pattern})$", name) for name in names):
                raise Unfit(f"its {setting} names {pattern!r}, which is none of its layers")


def _uneven(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Return whether a part's layers have different alphas in kohya's file, or some have none: diffusers takes one of them for attention layers."""
    alphas = defaultdict(set)
    for name in tensors:
        layer, _, end = name.partition(".")
        if end == "lora_down.weight":
            alpha = tensors.get(f"{layer}.alpha")
            alphas[layer[: len("lora_unet_")].split("_")[1]].add(None if alpha is None else float(alpha))
    return any(len(each) > 1 for each in alphas.values())


def _folded(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return kohya's tensors with each layer's strength, alpha over rank, multiplied into them, which leaves no alpha to be read."""
    found = {}
    for name, tensor in tensors.items():
        layer, _, end = name.partition(".")
        alpha = tensors.get(f"{layer}.alpha")
        if end == "lora_up.weight" and alpha is not None:
            tensor = tensor.float() * (float(alpha) / tensor.shape[1])
        if end != "alpha":
            found[name] = tensor
    return found


def _check_strengths(tensors: Mapping[str, torch.Tensor], parts: Any) -> None:
    """Compare each layer's strength with what kohya's file says: alpha over rank, one where it has no alpha."""
    wrapped = [layer for part in parts for _, layer in layers(part)]
    found = Counter((digest(layer.lora_A[_NAME].weight), round(float(layer.scaling[_NAME]), 6)) for layer in wrapped)
    dtypes = {layer.lora_A[_NAME].weight.dtype for layer in wrapped}
    for name, tensor in tensors.items():
        module, _, end = name.partition(".")
        if end == "lora_down.weight":
            alpha = tensors.get(f"{module}.alpha")
            strength = round(1.0 if alpha is None else float(alpha) / tensor.shape[0], 6)
            key = next((key for dtype in dtypes if found[key := (digest(tensor.to(dtype)), strength)] > 0), None)
            if key is None:
                raise Unfit(f"diffusers would lay {module} at another strength than alpha over rank, {strength:g}")
            found[key] -= 1
