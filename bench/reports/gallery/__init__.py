"""Galleries: pictures of one run, or of several side by side, as one HTML file and one PNG for a paper.

:mod:`~bench.reports.gallery.samples` says what is shown, :mod:`~bench.reports.gallery.pictures` reads and blurs,
:mod:`~bench.reports.gallery.page` and :mod:`~bench.reports.gallery.sheet` print.
"""
