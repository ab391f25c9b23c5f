"""Proves that a method adapter keeps its contract, rule by rule: ``bench check-method``, and :func:`check_method` from Python.

``Result`` and ``Verdict`` are what packages that ``bench new-method`` wrote import: :class:`bench.checking.verdict.RuleResult` and ``RuleVerdict``.
"""

from __future__ import annotations

from bench.checking.run import RULES, check_method, rule_rows, table_rows
from bench.checking.verdict import RuleResult, RuleVerdict

Result, Verdict = RuleResult, RuleVerdict

__all__ = ["RULES", "Result", "RuleResult", "RuleVerdict", "Verdict", "check_method", "rule_rows", "table_rows"]
