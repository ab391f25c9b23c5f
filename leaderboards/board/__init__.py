"""The board: every finished run's scores in one compact Parquet file, and what they come to.

A board is a folder of three files, made by ``bench board`` and read by the tables, the figures and the web page:

- ``samples.parquet``: one row a sample, one column a metric; no prompt, no image.
- ``rows.parquet``: one row a number, with interval, rank and tier.
- ``runs.json``: what each run was, from its manifest, and by which constants its composites were computed (``restate.py`` computes them again).

The board of the miniature ships in ``leaderboards/results/mini``.
"""
