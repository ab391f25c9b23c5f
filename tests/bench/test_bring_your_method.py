"""The guide says what the code does: its table is the rules, its adapter is the scaffold's, its Python runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import checking, scaffold
from bench.checking import rule_rows
from bench.formats import Format, render
from bench.tracks import load_track
from bench.types import Context, Sample

GUIDE = (Path(__file__).parents[2] / "docs" / "bring-your-method.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_table_is_the_rules() -> None:
    assert render(rule_rows(), Format.MARKDOWN) in GUIDE, "put what this prints into the guide: print(render(rule_rows(), Format.MARKDOWN))"


def test_the_adapter_is_what_new_method_writes(tmp_path: Path) -> None:
    package = scaffold.new_method("my-method", out=tmp_path / "my-method")
    assert (package / "src" / "my_method" / "adapter.py").read_text(encoding="utf-8") == BLOCKS[0]


def test_what_counts_its_steps_counts_them(samples: tuple[Sample, ...]) -> None:
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[0] + BLOCKS[1], "guide", "exec"), names)
    context, few = Context(load_track("mini")), [replace(sample, steps=3) for sample in samples[:2]]
    method = names["MyCountingMethod"]()
    method.load(context)
    given = [method.sampler.generate([replace(each, guidance=scale) for each in few], names["Counting"]("vorn", 3.0)) for scale in (4.0, 1.0)]
    assert [[each.acted for each in outcomes] for outcomes in given] == [[3, 3], [0, 0]]
    assert method.cannot_act(context, few[0]) == "" and "at guidance 1" in method.cannot_act(context, replace(few[0], guidance=1.0))


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = load_track("mini").model_dump(mode="json") | {"steps": 3}
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick))
    called = []

    def check_quickly(name: str, **options: bool) -> list[checking.Result]:
        called.append(name)
        return real(name, str(tmp_path / "quick.yaml"), **options)

    real = checking.check_method
    monkeypatch.setattr(checking, "check_method", check_quickly)
    exec(compile(BLOCKS[2], "guide", "exec"), {})
    assert called == ["uce"]
