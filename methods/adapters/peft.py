"""What PEFT saves, ``adapter_config.json`` and ``adapter_model.safetensors``: read by PEFT, every tensor of it or none, and merged."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from methods.adapters.lora import check_patterns, layers
from methods.adapters.refusals import fits, other_base, refusal
from methods.adapters.taken import Unfit, check_taken
from methods.adapters.watch import strict

if TYPE_CHECKING:
    import torch

    from bench.files.published import Published
    from methods.denoisers.family import DenoiserFamily

CONFIG = "adapter_config.json"
TENSORS = ("adapter_model.safetensors", "adapter_model.bin")
_PREFIX = "base_model.model."
_OLD = "text_model."
_NAME = "laid"
_SCALED = ("LORA", "LOHA", "LOKR", "ADALORA")
"""Kinds whose layers multiply their change by the scale; the others' take one, and some of them pass it by."""


def lay(family: DenoiserFamily, published: Published, scale: float, named: str | None = None) -> None:
    """Merge an adapter of PEFT's, whichever its kind, into the part that it was trained on, its change times ``scale``.

    Args:
        family: the base's.
        published: the adapter's file.
        scale: of its change.
        named: the part that its folder is named after.

    Raises:
        BenchError: its configuration is not there, or it is of another base, or of another part than its folder's.
        Exception: whatever PEFT says of it; :class:`methods.adapters.watch.Warned` where it only warned.
    """
    import torch

    config = _config(published)
    name, part = _part(family, published, config)
    if named not in (None, name):
        raise refusal(published.path, f"a PEFT adapter of the {name} in a folder named {named}: rename the folder")
    tensors = {key if key.startswith(_PREFIX) else _PREFIX + key: tensor for key, tensor in published.tensors.items()}
    config = dict(config)
    if not hasattr(part, _OLD[:-1]):
        # CLIP's layers lost a level of their names; PEFT itself would leave out tensors by the old ones, and settings by them as well.
        tensors = {key.replace(_PREFIX + _OLD, _PREFIX): tensor for key, tensor in tensors.items()}
        config |= {key: _renamed(config[key]) for key in ("target_modules", "rank_pattern", "alpha_pattern", "modules_to_save") if config.get(key)}
    _check_base(family, published, name, part, tensors)
    with torch.random.fork_rng(devices=[]):  # PEFT draws what it then overwrites
        model = _loaded(part, config, tensors, scale)
    with strict():
        model.merge_and_unload(safe_merge=True, adapter_names=[_NAME])


def _config(published: Published) -> Mapping[str, Any]:
    settings = published.settings
    if CONFIG in settings.unreadable:
        raise refusal(published.path, f"a PEFT file whose {CONFIG} cannot be read ({settings.unreadable[CONFIG]}): its alpha is unknown")
    config = settings.sidecars.get(CONFIG)
    if config is None:
        raise refusal(published.path, f"a PEFT file without its {CONFIG}: its alpha is unknown. Give the folder that PEFT saved")
    if not config.get("peft_type"):
        raise refusal(published.path, f"a PEFT file whose {CONFIG} names no peft_type: what it is, is unknown")
    return config


def _part(family: DenoiserFamily, published: Published, config: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the part that an adapter is for: the class that it says, else the part that has its layers."""
    parts = family.adaptable()
    said = (config.get("auto_mapping") or {}).get("base_model_class")
    for name, part in parts.items():
        if said == type(part).__name__:
            return name, part
    if said is not None:
        have = ", ".join(f"{name} ({type(part).__name__})" for name, part in parts.items())
        raise refusal(published.path, f"a PEFT adapter of a {said}; the parts of this track's base are: {have}")
    held = [re.sub(r"\.(lora_|hada_|lokr_|oft_|vera_|ia3_).*", "", key.removeprefix(_PREFIX)) for key in published.tensors]
    for name, part in parts.items():
        own = {module for module, _ in part.named_modules()}
        if all(module in own or module.removeprefix(_OLD) in own for module in held):
            return name, part
    return family.part, family.network


def _renamed(setting: Any) -> Any:
    """Return names of layers without the level that CLIP's lost."""
    if isinstance(setting, Mapping):
        return {name.removeprefix("^").removeprefix(_OLD): value for name, value in setting.items()}
    if isinstance(setting, list):
        return [name.removeprefix(_OLD) for name in setting]
    return setting


def _check_base(family: DenoiserFamily, published: Published, name: str, part: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse low-rank tensors for layers that the part does not have, or has at another width."""
    own = dict(part.named_modules())
    found = {}
    for key, tensor in tensors.items():
        module, mark, end = key.removeprefix(_PREFIX).partition(".lora_")
        if mark and end in ("A.weight", "B.weight"):
            found[key] = (module, end[0], tensor)
    widths = {module: tensor.shape[1] for module, side, tensor in found.values() if side == "A" and tensor.dim() > 1}
    wrong = {}
    for key, (module, side, tensor) in found.items():
        if module not in own:
            wrong[key] = f"{name}.{module} is no layer of the base"
        elif trouble := fits(own[module], **{"down" if side == "A" else "up": tensor}):
            wrong[key] = f"{name}.{module} {trouble}"
    if wrong:
        why = f"{len(wrong)} of its {len(tensors)} tensors fit nowhere: {next(iter(wrong.values()))}"
        raise other_base(published.path, "a PEFT adapter", published.settings.header, family, why, widths)


def _loaded(part: Any, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], scale: float) -> Any:
    """Return the part wrapped by PEFT with every tensor of the adapter in it, at its strength; the part as it was where that fails."""
    import peft
    from safetensors.torch import save_file

    model = None
    try:
        with tempfile.TemporaryDirectory() as folder, strict():
            # A copy, for the names may have changed, and a pickle is read by one hand alone.
            (Path(folder) / CONFIG).write_text(json.dumps(config), encoding="utf-8")
            save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, Path(folder) / TENSORS[0])
            model = peft.get_peft_model(part, peft.PeftConfig.from_pretrained(folder), adapter_name=_NAME)
            result = model.load_adapter(folder, _NAME, torch_device="cpu")
        for keys, what in ((result.missing_keys, "it lacks"), (result.unexpected_keys, "the base has no place for")):
            if keys:
                raise Unfit(f"{what} {len(keys)} tensors, such as {keys[0]}")
        # A layer's own bias may be the adapter's too.
        own = [tensor for name, tensor in model.state_dict().items() if f".{_NAME}" in name or name.endswith("bias")]
        check_taken(tensors, own, alone=False)
        check_patterns(model.peft_config[_NAME], [each for each, _ in layers(part)])
        _scale(model, config, scale)
    except BaseException:
        if model is not None:
            model.unload()
        raise
    return model


def _scale(model: Any, config: Mapping[str, Any], scale: float) -> None:
    if scale == 1.0:
        return
    if config.get("modules_to_save") or config.get("bias", "none") != "none":
        raise Unfit(f"scale={scale:g} cannot act: it replaces whole tensors beside its low rank (modules_to_save or bias)")
    for _, layer in layers(model):
        if not hasattr(layer, "scale_layer") or str(config["peft_type"]) not in _SCALED:
            raise Unfit(f"scale={scale:g} cannot act on an adapter of the kind {config['peft_type']}")
        layer.scale_layer(scale)
