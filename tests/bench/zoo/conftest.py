"""The zoo of broken plugins: its module, and an installed copy of it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bench import registry

SOURCE = Path(__file__).parents[2] / "plugins" / "zoo"


@pytest.fixture(scope="session")
def zoo() -> ModuleType:
    """The module, as this process imports it."""
    spec = importlib.util.spec_from_file_location("zoo_here", SOURCE / "zoo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["zoo_here"] = module
    spec.loader.exec_module(module)
    return module


def installed(site: Path) -> Path:
    """Put the package into ``site`` as an installer does: the module, and its entry points in a dist-info folder."""
    about = site / "zoo-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 1\n")
    shutil.copy(SOURCE / "entry_points.txt", about)
    shutil.copy(SOURCE / "zoo.py", site)
    return site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the zoo is installed in, and that this process and its children find packages in."""
    folder = installed(tmp_path / "site")
    monkeypatch.syspath_prepend(folder)
    kinds = (registry.methods, registry.scorers)
    for kind in kinds:
        monkeypatch.setattr(kind, "_points", None)
    yield folder
    for kind in kinds:
        for name in ("zoo", "zoo_score"):
            kind.unregister(name)
    sys.modules.pop("zoo", None)
