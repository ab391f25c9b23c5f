"""How large a bundle may be. A full board of one method on the real suites takes a few megabytes; these are far above that."""

from __future__ import annotations

MIB = 1 << 20

BUNDLE_BYTES = 64 * MIB
"""Of the file."""

MEMBER_BYTES = 32 * MIB
"""Of one file in it. Members are stored and not compressed, so this is what it unpacks to."""

JSON_BYTES = 1 * MIB
"""Of one JSON document."""

RUNS = 64
"""In one bundle."""

ROWS = 200_000
"""Samples of one run."""

COLUMNS = 128
"""Of one table."""

UNPACKED_BYTES = 1024 * MIB
"""What one table may say that it unpacks to."""

DETECTIONS = 1000
"""In one image."""

TEXT = 2000
"""Characters of one string in a JSON document."""

DEPTH = 12
"""Of lists and objects in each other."""

MEMORY_BYTES = 3 * 1024 * MIB
"""Address space of the process that reads a bundle. Libraries map 1.7 GiB and touch a tenth of it; a run of 200 000 samples takes
0.6 GiB more."""

SECONDS = 300
"""Of processor time that the reading of a bundle may take; twice that on the clock. A run of 60 000 samples takes about 20."""
