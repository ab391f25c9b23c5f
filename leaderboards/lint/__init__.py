"""Finds what is wrong in a published table, from its own numbers: ``bench lint-table``.

Reading (:mod:`~leaderboards.lint.read`) -> checks (:mod:`~leaderboards.lint.checks`, :mod:`~leaderboards.lint.between`)
-> findings. What the paper's own numbers come to: ``bench lint-table --paper``.
"""
