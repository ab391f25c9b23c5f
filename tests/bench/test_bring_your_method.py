"""The guide says what the code does: its table is the rules, its adapter is the scaffold's, its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bench import checking, scaffold
from bench.checking import rule_rows
from bench.formats import Format, render
from bench.tracks import load_track

GUIDE = (Path(__file__).parents[2] / "docs" / "bring-your-method.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_table_is_the_rules() -> None:
    assert render(rule_rows(), Format.MARKDOWN) in GUIDE, "put what this prints into the guide: print(render(rule_rows(), Format.MARKDOWN))"


def test_the_adapter_is_what_new_method_writes(tmp_path: Path) -> None:
    package = scaffold.new_method("my-method", out=tmp_path / "my-method")
    assert (package / "src" / "my_method" / "adapter.py").read_text(encoding="utf-8") == BLOCKS[0]


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = load_track("mini").model_dump(mode="json") | {"steps": 3}
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick))
    called = []

    def check_quickly(name: str, **options: bool) -> list[checking.Result]:
        called.append(name)
        return real(name, str(tmp_path / "quick.yaml"), **options)

    real = checking.check_method
    monkeypatch.setattr(checking, "check_method", check_quickly)
    exec(compile(BLOCKS[1], "guide", "exec"), {})
    assert called == ["uce"]
