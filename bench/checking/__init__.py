"""Proves that a method adapter keeps its contract, rule by rule: ``bench check-method``, and :func:`check_method` from Python."""

from __future__ import annotations

from bench.checking.rule import Result, Verdict
from bench.checking.run import RULES, check_method, rule_rows, table_rows

__all__ = ["RULES", "Result", "Verdict", "check_method", "rule_rows", "table_rows"]
