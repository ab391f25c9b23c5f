"""The paper's Figures 1, 4a, 4b and 5 from what was measured here.

Every figure is data first (a function of files, tested as numbers) and drawn second, and comes with a caption that says n, intervals, rule,
and whether it is a proxy.
"""
