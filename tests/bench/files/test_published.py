"""Published weights: the tensors as before, and what stands about them, in the file's header and in the JSON files beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.files.published import LARGEST, PublishedSettings, read_weights

TENSORS = {"a.lora_A.weight": torch.arange(6.0).reshape(2, 3), "a.lora_B.weight": torch.ones(3, 2).half()}
HEADER = {"lora_adapter_metadata": '{"unet.r": 2, "unet.lora_alpha": 8}', "ss_network_alpha": "8", "modelspec.prediction_type": "v"}


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == value.dtype and torch.equal(found[name], value) for name, value in expected.items()
    )


def test_a_header_is_carried_with_the_tensors(tmp_path: Path) -> None:
    file = tmp_path / "lora.safetensors"
    save_file(TENSORS, file, metadata=HEADER)
    found = read_weights(file)
    assert found.path == file and same(found.tensors, TENSORS) and same(found.tensors, load_file(file))
    assert found.settings == PublishedSettings(header=HEADER)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_weights_without_settings_have_none(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    save_file(TENSORS, file) if file.suffix == ".safetensors" else torch.save({"state_dict": TENSORS, "epoch": 3}, file)
    found = read_weights(file)
    assert same(found.tensors, TENSORS) and found.settings == PublishedSettings()


def test_the_entry_with_the_tensors_is_the_first_that_is_there(tmp_path: Path) -> None:
    torch.save({"unet": {"conv": {"weight": torch.ones(1), "bias": torch.zeros(1)}}, "optimizer": {"b": torch.ones(2)}}, tmp_path / "w.pt")
    assert set(read_weights(tmp_path / "w.pt", ("state_dict", "unet")).tensors) == {"conv.weight", "conv.bias"}


def test_tensors_beside_the_entry_that_is_read_are_refused_or_read_too(tmp_path: Path) -> None:
    torch.save({"unet": {"a": torch.ones(2)}, "text": {"b": torch.ones(2)}, "step": 5}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="it keeps tensors under 'unet' and under 'text'"):
        read_weights(tmp_path / "w.pt", ("state_dict", "unet"))
    assert set(read_weights(tmp_path / "w.pt", parts=("unet", "text")).tensors) == {"unet.a", "text.b"}


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_json_files_beside_the_weights_are_carried(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"adapter_model{suffix}"
    save_file(TENSORS, file) if suffix == ".safetensors" else torch.save(TENSORS, file)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, "use_rslora": False, "auto_mapping": {"base_model_class": "X"}, "bias": None}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "config.json").write_text('{"in_channels": 4}')
    (tmp_path / "other.json").write_text("{}")
    settings = read_weights(file).settings
    assert settings.sidecars == {"adapter_config.json": config, "config.json": {"in_channels": 4}}
    assert settings.header == {} and settings.unreadable == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "Expecting property name"),
        (b"[1]", "it is no JSON object"),
        (b"\xff\xfe\xff", "codec can't decode"),
        (b"[" * 100_000, "recursion"),
        (b'"' + b"a" * LARGEST + b'"', f"it is larger than {LARGEST} bytes"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_named_and_the_tensors_are_had(content: bytes, says: str, tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "w.safetensors")
    (tmp_path / "config.json").write_bytes(content)
    found = read_weights(tmp_path / "w.safetensors")
    assert same(found.tensors, TENSORS) and found.settings.sidecars == {}
    assert set(found.settings.unreadable) == {"config.json"} and says in found.settings.unreadable["config.json"]


class Trap:
    """What a pickle must not run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("run",))


def test_what_is_damaged_or_holds_more_than_tensors_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file(TENSORS, tmp_path / "whole.safetensors", metadata=HEADER)
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-4])
    save_file({"a": torch.tensor([1.0, float("nan")])}, tmp_path / "nan.safetensors")
    torch.save({"state_dict": Trap()}, tmp_path / "trap.pt")
    torch.save({"state_dict": {"a": 3}}, tmp_path / "number.pt")
    for name, says in {
        "torn.safetensors": "incomplete metadata",
        "missing.safetensors": "No such file",
        "nan.safetensors": "a is not finite",
        "trap.pt": "it is damaged, or holds more than tensors, which is never read",
        "number.pt": "it is no mapping of names to tensors",
    }.items():
        with pytest.raises(Exception, match=says):
            read_weights(tmp_path / name)
    assert capsys.readouterr().out == ""
