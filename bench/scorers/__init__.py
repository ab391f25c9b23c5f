"""Scorers: one file each. Raw values only; thresholds and counting rules are applied later, by metrics."""
