"""A configuration that is wrong is one line: of a file with line and column, of ``--set`` with the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from training.recipes import config_path, load_config


def test_a_configuration_that_is_wrong_says_where(tmp_path: Path) -> None:
    text = config_path("scm", "mini").read_text()
    (tmp_path / "own.yaml").write_text(text + "stepz: 3\n")
    line = len(text.splitlines()) + 1
    with pytest.raises(BenchError, match=rf"own\.yaml:{line}:1 is no configuration: stepz: Extra inputs are not permitted\. See the docstring"):
        load_config("scm", tmp_path / "own.yaml", {})
    with pytest.raises(BenchError, match=r"^--set stepz: Extra inputs are not permitted\. See the docstring"):
        load_config("scm", config_path("scm", "mini"), {"stepz": 3})
