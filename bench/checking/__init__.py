"""Proves that a method adapter keeps its contract, rule by rule: ``bench check-method``, and :func:`check_method` from Python."""

from __future__ import annotations

from bench.checking.run import RULES, check_method, rule_rows, table_rows
from bench.checking.verdict import RuleResult, RuleVerdict

__all__ = ["RULES", "RuleResult", "RuleVerdict", "check_method", "rule_rows", "table_rows"]
