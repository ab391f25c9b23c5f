"""Other weights laid over the base: a LoRA, a U-Net, or tensors of one; whole or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from bench.errors import BenchError, NotAvailable
from bench.tracks import load_track
from bench.types import Context, Sample
from methods.finding import LORA
from methods.overlay import lay_over, save_partial
from methods.pipeline import load_pipeline
from methods.t2i_spo import T2ISPO


@pytest.fixture
def lora(context: Context, tmp_path: Path) -> Path:
    """A random LoRA of the mini base in diffusers' layout."""
    pipeline = load_pipeline(context)
    torch.manual_seed(1)
    pipeline.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    type(pipeline).save_lora_weights(tmp_path / "lora", unet_lora_layers=get_peft_model_state_dict(pipeline.unet))
    return tmp_path / "lora"


def pictures(context: Context, few: list[Sample], weights: Path) -> np.ndarray:
    method = T2ISPO(weights=str(weights))
    method.load(context)
    return np.stack([outcome.image for outcome in method.generate(few)])  # type: ignore[union-attr]


def test_a_lora_is_its_product_added_to_the_weights(context: Context, lora: Path) -> None:
    base, adapted = load_pipeline(context), load_pipeline(context)
    lay_over(adapted, lora)
    state = load_file(lora / LORA)
    before, after = base.unet.state_dict(), adapted.unet.state_dict()
    assert before.keys() == after.keys()
    for name, value in after.items():
        key = f"unet.{name.removesuffix('.weight')}.lora_A.weight"
        change = state[key.replace("lora_A", "lora_B")] @ state[key] if key in state else torch.zeros_like(value)
        torch.testing.assert_close(value, before[name] + change, rtol=0, atol=1e-5)


def test_a_unet_folder_replaces_the_unet(context: Context, few: list[Sample], lora: Path, tmp_path: Path) -> None:
    adapted = load_pipeline(context)
    lay_over(adapted, lora)
    adapted.unet.save_pretrained(tmp_path / "whole" / "unet")
    adapted.unet.save_pretrained(tmp_path / "bare")
    by_lora = pictures(context, few, lora)
    assert np.array_equal(by_lora, pictures(context, few, tmp_path / "whole"))
    assert np.array_equal(by_lora, pictures(context, few, tmp_path / "bare"))


@pytest.mark.parametrize("damage", ["truncated", "other layers", "other width", "nothing"])
def test_weights_that_do_not_fit_are_one_clear_line(context: Context, lora: Path, damage: str) -> None:
    path = lora / LORA
    state = load_file(path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "other layers":
        save_file({name.replace("attn1", "attn9"): value for name, value in state.items()}, path)
    elif damage == "other width":
        save_file({name: value.repeat(1, 2) if "lora_A" in name else value for name, value in state.items()}, path)
    else:
        path.unlink()
    with pytest.raises(BenchError, match=r"Cannot load the weights|a LoRA made for another base|holds no weights that can be laid over"):
        lay_over(load_pipeline(context), lora)


@pytest.fixture
def changed(context: Context) -> dict[str, torch.Tensor]:
    """Two tensors of the U-Net, doubled."""
    unet = load_pipeline(context).unet
    names = ["conv_in.bias", "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"]
    return {name: 2 * dict(unet.named_parameters())[name].detach() for name in names}


@pytest.mark.parametrize("form", ["folder", "safetensors", "pt", "wrapped", "by module"])
def test_tensors_of_a_unet_change_these_alone(form: str, context: Context, changed: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "edit"
    if form in ("folder", "safetensors"):
        file = save_partial(path, changed, half=False)
        path = path if form == "folder" else file
    else:
        path = tmp_path / "edit.pt"
        by_module = {f"unet.{name.rpartition('.')[0]}": {name.rpartition(".")[2]: tensor} for name, tensor in changed.items()}
        torch.save({"pt": changed, "wrapped": {"unet": changed}, "by module": by_module}[form], path)
    pipeline = load_pipeline(context)
    before = {name: value.clone() for name, value in pipeline.unet.state_dict().items()}
    lay_over(pipeline, path)
    for name, value in pipeline.unet.state_dict().items():
        assert torch.equal(value, changed.get(name, before[name])), name


def test_what_is_saved_is_what_the_authors_loaders_take(context: Context, changed: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """``load_state_dict(load_file(...), strict=False)``: nothing unexpected, and each tensor arrives."""
    unet = load_pipeline(context).unet
    result = unet.load_state_dict(load_file(save_partial(tmp_path, changed)), strict=False)
    assert not result.unexpected_keys and len(result.missing_keys) == len(unet.state_dict()) - 2
    for name, value in changed.items():
        torch.testing.assert_close(dict(unet.named_parameters())[name], value, rtol=1e-3, atol=1e-6)


def test_tensors_of_another_model_are_one_clear_line(context: Context, changed: dict[str, torch.Tensor], tmp_path: Path) -> None:
    pipeline = load_pipeline(context)
    before = {name: value.clone() for name, value in pipeline.unet.state_dict().items()}
    with pytest.raises(BenchError, match=r"1 of 3 names are unknown, such as 'input_blocks.0.weight'"):
        lay_over(pipeline, save_partial(tmp_path / "a", changed | {"input_blocks.0.weight": torch.zeros(1)}))
    with pytest.raises(BenchError, match=r"conv_in.bias has shape \(3,\), expected"):
        lay_over(pipeline, save_partial(tmp_path / "b", changed | {"conv_in.bias": torch.zeros(3)}))
    assert all(torch.equal(value, before[name]) for name, value in pipeline.unet.state_dict().items())


class Trap:
    """What a pickle must not run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("run",))


def test_a_pickle_that_would_run_something_is_refused(context: Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"unet": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(BenchError, match=r"it is a pickle that holds more than tensors, which is never read: save its tensors as safetensors"):
        lay_over(load_pipeline(context), tmp_path / "trap.pt")
    assert capsys.readouterr().out == ""


def test_a_lora_in_the_layout_of_kohya_gives_the_same_model(context: Context, lora: Path, tmp_path: Path) -> None:
    ours = load_file(lora / LORA)
    theirs: dict[str, torch.Tensor] = {}
    for name, value in ours.items():
        module, _, end = name.removeprefix("unet.").rpartition(".lora_")
        down = end.startswith("A")
        key = f"lora_unet_{module.replace('.', '_')}"
        theirs[f"{key}.lora_{'down' if down else 'up'}.weight"] = value
        theirs[f"{key}.alpha"] = torch.tensor(2.0)  # its rank: a change as large as ours
    save_file(theirs, tmp_path / "kohya.safetensors")
    unets = []
    for path in (lora, tmp_path / "kohya.safetensors"):
        pipeline = load_pipeline(context)
        lay_over(pipeline, path)
        unets.append(pipeline.unet.state_dict())
    assert unets[0].keys() == unets[1].keys()
    for name, value in unets[0].items():
        torch.testing.assert_close(value, unets[1][name], rtol=1e-5, atol=1e-6)


def test_the_scale_of_a_lora_is_the_scale_of_its_change(context: Context, lora: Path) -> None:
    name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight"
    found = {}
    for scale in (0.0, 0.5, 1.0):
        pipeline = load_pipeline(context)
        lay_over(pipeline, lora, scale)
        found[scale] = pipeline.unet.state_dict()[name]
    torch.testing.assert_close(found[0.5], (found[0.0] + found[1.0]) / 2, rtol=1e-5, atol=1e-6)
    assert torch.equal(found[0.0], load_pipeline(context).unet.state_dict()[name]) and not torch.equal(found[0.0], found[1.0])


def test_a_sdxl_unet_and_lora_lay_over_sdxl(xl_context: Context, tmp_path: Path) -> None:
    pipeline = load_pipeline(xl_context)
    torch.manual_seed(1)
    pipeline.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    type(pipeline).save_lora_weights(tmp_path / "lora", unet_lora_layers=get_peft_model_state_dict(pipeline.unet))
    by_lora = load_pipeline(xl_context)
    lay_over(by_lora, tmp_path / "lora")
    by_lora.unet.half().save_pretrained(tmp_path / "whole" / "unet", variant="fp16")
    by_unet = load_pipeline(xl_context)
    lay_over(by_unet, tmp_path / "whole")
    base = load_pipeline(xl_context).unet.state_dict()
    assert any(not torch.equal(value, base[name]) for name, value in by_lora.unet.state_dict().items())
    for name, value in by_unet.unet.state_dict().items():
        torch.testing.assert_close(value, by_lora.unet.state_dict()[name].float(), rtol=0, atol=0)


def test_a_track_under_another_name_has_the_weights_of_its_base(context: Context) -> None:
    own = Context(context.track.model_copy(update={"name": "own", "steps": 7}))
    assert T2ISPO().weights(own) == T2ISPO().weights(context)
    elsewhere = Context(own.track.model_copy(update={"base": "package:bench.miniature/weights/another"}))
    with pytest.raises(NotAvailable, match="t2i-spo has no weights for track 'own'"):
        T2ISPO().weights(elsewhere)


def test_a_track_without_weights_says_how_to_train_them() -> None:
    other = Context(load_track("sd15"))
    with pytest.raises(NotAvailable, match="bench train t2i-spo --track sd15"):
        T2ISPO().weights(other)


def test_the_weights_are_part_of_a_runs_identity(context: Context, lora: Path) -> None:
    before = dict(T2ISPO(weights=str(lora)).weights(context))
    state = load_file(lora / LORA)
    save_file({name: value * 1.5 for name, value in state.items()}, lora / LORA)
    assert T2ISPO(weights=str(lora)).weights(context) != before
