"""The paper's Tables 1, 2, 3 and 5: what it prints beside what a board has measured, and never one in place of the other.

Layout (:mod:`~leaderboards.tables.layout`) -> cells (:mod:`~leaderboards.tables.build`, :mod:`~leaderboards.tables.datasets`)
-> text (:mod:`~leaderboards.tables.text`).
"""
