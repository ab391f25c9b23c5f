"""Whether an adapter's file is complete in itself: every pair has both halves, every strength is a number. Libraries fail on it with a bare key."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from methods.adapters.refusals import refusal
from methods.adapters.signs import METADATA, Naming

if TYPE_CHECKING:
    import torch

    from bench.files.published import Published

_PAIRS = (
    ("lora_down.weight", "lora_up.weight"),
    ("lora_A.weight", "lora_B.weight"),
    ("lora.down.weight", "lora.up.weight"),
    ("lora_linear_layer.down.weight", "lora_linear_layer.up.weight"),
    *((f"{layer}_lora.down.weight", f"{layer}_lora.up.weight") for layer in ("to_q", "to_k", "to_v", "to_out")),
    ("hada_w1_a", "hada_w1_b"),
    ("hada_w2_a", "hada_w2_b"),
    ("hada_w1_a", "hada_w2_a"),
    ("lokr_w1_a", "lokr_w1_b"),
    ("lokr_w2_a", "lokr_w2_b"),
)
"""Ends of names of which neither is without the other."""
_ENDS = sorted({end for pair in _PAIRS for end in pair} | {"alpha", "diff", "diff_b", "lokr_w1", "lokr_w2", "on_input"}, key=len, reverse=True)
_END = re.compile(rf"(?P<layer>.+?)\.(?P<end>{'|'.join(map(re.escape, _ENDS))})$")
_OF_ALPHA = ("hada_", "lokr_")
"""Kinds whose library takes no strength for granted."""


def check_structure(published: Published, layout: Naming) -> None:
    """Refuse a file of an adapter that is incomplete in itself.

    Raises:
        BenchError: a half of a pair is missing, an alpha is no number or stands alone, or the header's settings are none.
    """
    layers: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    for name, tensor in published.tensors.items():
        if match := _END.match(name):
            layers[match["layer"]][match["end"]] = tensor
    for layer, ends in layers.items():
        if why := _trouble(ends, layout):
            what = f"an adapter ({layout} layout) whose layer {layer} {why}"
            raise refusal(published.path, f"{what}: save it again, or fetch it again if it was cut short")
    if layout in (Naming.DIFFUSERS, Naming.BARE) and (why := _metadata(published, layout)):
        raise refusal(published.path, f"a LoRA whose header's {METADATA} {why}: its strength is unknown. Take it out, or save the file again")


def _trouble(ends: Mapping[str, torch.Tensor], layout: Naming) -> str:
    """Return what is wrong with the tensors of one layer, as what the layer does; empty where nothing is."""
    for pair in _PAIRS:
        here = [end for end in pair if end in ends]
        if len(here) == 1:
            return f"has {here[0]} and no {pair[1] if here[0] == pair[0] else pair[0]}"
    alpha = ends.get("alpha")
    if alpha is not None and alpha.numel() != 1:
        return f"has an alpha of shape {tuple(alpha.shape)}, expected one number"
    if alpha is not None and len(ends) == 1 and layout in (Naming.KOHYA, Naming.LYCORIS):
        return "has an alpha and no tensors that it could scale"
    if layout is not Naming.LYCORIS:
        return ""
    if alpha is None and any(end.startswith(_OF_ALPHA) for end in ends):
        return "has no alpha, so that its strength is unknown"
    lokr = [bool(ends.keys() & {f"lokr_w{number}", f"lokr_w{number}_a"}) for number in (1, 2)]
    if any(lokr) and not all(lokr):
        return f"has one of the two factors of a LoKr, {'lokr_w1' if lokr[0] else 'lokr_w2'}"
    if "diff_b" in ends and "diff" not in ends:
        return "changes its bias (diff_b) and has no diff, which LyCORIS does not merge"
    if "on_input" in ends:
        return "is an IA3's, which LyCORIS saves and does not merge"
    return ""


def _metadata(published: Published, layout: Naming) -> str:
    """Return what is wrong with the settings that diffusers' trainers keep in the header; empty where nothing is, or there are none."""
    text = published.settings.header.get(METADATA)
    if text is None:
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        return "is no JSON"
    if not isinstance(found, dict):
        return "is no JSON object"
    parts = {name.partition(".")[0] for name in found} if all("." in name for name in found) else {""}
    if layout is Naming.DIFFUSERS and parts == {""}:
        return "says of no part what it says, as unet.r does"
    wanted = [f"{part}.{name}".lstrip(".") for part in sorted(parts) for name in ("r", "target_modules")]
    return next((f"lacks {name}" for name in wanted if name not in found), "")
