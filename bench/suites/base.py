"""What a plugin's suite imports: :mod:`bench.types.suite`, under the name that documents give."""

from __future__ import annotations

from bench.types.suite import Row, SeedPolicy, Suite, SuiteInfo

__all__ = ["Row", "SeedPolicy", "Suite", "SuiteInfo"]
