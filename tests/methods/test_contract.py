"""What every registered method keeps, on the miniature and on tiny random models of the real classes, Stable Diffusion and SDXL:
outcomes in order, noise of its own samples alone, the same bits for the same batch, and the base model's files untouched.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from bench.errors import BenchError
from bench.files.hashes import hash_weights
from bench.registry import methods
from bench.types import Blocked, Context, Generated, Kind, Method, Sample
from bench.types.sample import check
from methods.pipeline import load_pipeline

NAMES = [name for name in methods.names() if name not in ("toy", "imported")]  # nothing is generated under the latter
NAMED_BY_THE_USER = {"unet", "lora", "text-encoder", "pipeline", "embedding"}
NOT_ON_THE_MINIATURE = {"advunlearn", "safe-clip"}
ENCODERS = {"text-encoder", "advunlearn", "safe-clip"}


def pictures(outcomes: object) -> list[np.ndarray | None]:
    return [each.image if isinstance(each, Generated) else None for each in outcomes]  # type: ignore[attr-defined]


def same(a: np.ndarray | None, b: np.ndarray | None, levels: int) -> bool:
    return a is b or (a is not None and b is not None and int(np.abs(a.astype(int) - b.astype(int)).max()) <= levels)


def keeps_its_contract(make: Callable[[], Method], samples: list[Sample], context: Context) -> Method:
    method = make()
    before = hash_weights(context.track.base_path())
    assert all(len(digest) == 64 for digest in method.weights(context).values())
    method.load(context)
    outcomes = list(method.generate(samples))
    assert all(isinstance(check(outcome, sample), (Generated, Blocked)) for outcome, sample in zip(outcomes, samples, strict=True))
    first = pictures(outcomes)
    assert all(same(a, b, 0) for a, b in zip(first, pictures(method.generate(samples)), strict=True))
    # Another composition of the batch rounds single pixels otherwise; its noise, and so its picture, is the same.
    assert all(same(a, b, 2) for a, b in zip(first, pictures(method.generate(samples[::-1]))[::-1], strict=True))
    assert all(same(a, pictures(method.generate([sample]))[0], 2) for a, sample in zip(first, samples, strict=True))
    assert hash_weights(context.track.base_path()) == before
    return method


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NAMED_BY_THE_USER | NOT_ON_THE_MINIATURE])
def test_a_method_keeps_its_contract_on_the_miniature(name: str, few: list[Sample], context: Context) -> None:
    keeps_its_contract(lambda: methods.get(name)(**context.track.methods.get(name, {})), few, context)


def other_weights(name: str, context: Context, folder: Path) -> dict[str, object]:
    """Return parameters for few steps, and for a method whose weights a track must bring: small random ones of this very base."""
    adapter = methods.get(name)
    if "warmup" in adapter.info.defaults:
        return {"warmup": 1}
    if "weights" not in adapter.info.defaults or adapter.info.kind is Kind.EDIT:
        return {}
    pipeline = load_pipeline(context)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        if name in ENCODERS:
            for parameter in pipeline.text_encoder.parameters():
                parameter.data += 0.05 * torch.randn_like(parameter)
            pipeline.text_encoder.save_pretrained(folder)
        elif name == "pipeline":
            for parameter in pipeline.vae.parameters():
                parameter.data += 0.05 * torch.randn_like(parameter)
            pipeline.save_pretrained(folder)
        elif name == "embedding":
            names = ["clip_l", "clip_g"] if hasattr(pipeline, "text_encoder_2") else ["<w>"]
            save_file({each: torch.randn(2, 32) for each in names}, folder / "w.safetensors")
        else:
            pipeline.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
            type(pipeline).save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(pipeline.unet))
    return {"weights": str(folder)}


@pytest.mark.parametrize("base", ["sd_context", "xl_context"])
@pytest.mark.parametrize("name", NAMES)
def test_a_method_keeps_its_contract_on_the_real_classes(
    name: str, base: str, few: list[Sample], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    context: Context = request.getfixturevalue(base)
    parameters = other_weights(name, context, tmp_path)
    method = keeps_its_contract(lambda: methods.get(name)(**parameters), few[:2], context)
    plain = methods.get("sd-v1.5")()
    plain.load(context)
    changed = not all(same(a, b, 0) for a, b in zip(pictures(method.generate(few[:2])), pictures(plain.generate(few[:2])), strict=True))
    assert changed or name in ("sd-v1.5", "sd-v1.5-filter")


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_it_is(name: str) -> None:
    info = methods.get(name).info
    assert info.name == name
    assert info.summary.endswith(".")
    assert info.kind in (Kind.BASE, Kind.FLOOR) or info.paper or name in NAMED_BY_THE_USER
    assert info.kind is Kind.FLOOR or (info.code and info.licence)
    assert info.trained_on or info.kind not in (Kind.FINE_TUNE, Kind.PREFERENCE)


@pytest.mark.parametrize("name", sorted(NAMED_BY_THE_USER | NOT_ON_THE_MINIATURE))
def test_without_weights_a_method_says_so_in_one_line(name: str, context: Context) -> None:
    with pytest.raises(BenchError, match="weights") as raised:
        methods.get(name)().weights(context)
    assert "\n" not in str(raised.value)


def test_no_method_imports_torch_before_it_is_loaded() -> None:
    code = (
        "import sys\nfrom bench.registry import methods\nlist(methods.items())\nassert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_nothing_is_generated_of_images_that_were_made_elsewhere(context: Context) -> None:
    with pytest.raises(BenchError, match="The images of imported:mj were made elsewhere and cannot be made here") as raised:
        methods.get("imported")(label="mj").load(context)
    assert "\n" not in str(raised.value)
