"""Every test here has an empty data folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_data(data_home: Path) -> None:
    """Of :func:`tests.bench.conftest.data_home`."""
