"""What every registered method keeps: outcomes in order, noise of its own samples alone, the same bits for the same batch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bench.engine.worker import check
from bench.registry import methods
from bench.types import Blocked, Context, Generated, Sample


def pictures(outcomes: object) -> list[np.ndarray | None]:
    return [each.image if isinstance(each, Generated) else None for each in outcomes]  # type: ignore[attr-defined]


def same(a: np.ndarray | None, b: np.ndarray | None, levels: int) -> bool:
    return a is b or (a is not None and b is not None and int(np.abs(a.astype(int) - b.astype(int)).max()) <= levels)


@pytest.mark.parametrize("name", [name for name in methods.names() if name != "toy"])
def test_a_method_keeps_its_contract(name: str, few: list[Sample], context: Context) -> None:
    method = methods.get(name)()
    assert method.info.name == name and method.info.summary
    assert all(len(digest) == 64 for digest in method.weights(context).values())
    method.load(context)
    outcomes = list(method.generate(few))
    assert all(isinstance(check(outcome, sample), (Generated, Blocked)) for outcome, sample in zip(outcomes, few, strict=True))
    first = pictures(outcomes)
    assert all(same(a, b, 0) for a, b in zip(first, pictures(method.generate(few)), strict=True))
    # Another composition of the batch rounds single pixels otherwise; its noise, and so its picture, is the same.
    assert all(same(a, b, 2) for a, b in zip(first, pictures(method.generate(few[::-1]))[::-1], strict=True))
    assert all(same(a, pictures(method.generate([sample]))[0], 2) for a, sample in zip(first, few, strict=True))


def test_no_method_imports_torch_before_it_is_loaded() -> None:
    code = (
        "import sys\nfrom bench.registry import methods\nlist(methods.items())\nassert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
