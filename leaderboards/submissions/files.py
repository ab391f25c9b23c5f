"""Reads a file from a stranger: a plain file, of bounded size."""

from __future__ import annotations

import stat
from pathlib import Path

from bench.errors import BenchError
from leaderboards.submissions.limits import BUNDLE_BYTES
from leaderboards.submissions.verdicts import Refused


def read_file(path: Path, most: int = BUNDLE_BYTES) -> bytes:
    """Return the bytes of a bundle or of a file beside it.

    Raises:
        BenchError: it is missing, or no plain file.
        Refused: it is too large.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise BenchError(f"{path} is no file. Give a bundle that `bench submit` wrote, such as uce.zip.")
        if state.st_size > most:
            raise Refused(f"the file has {state.st_size} bytes; at most {most} are read")
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise BenchError(f"No bundle at {path}. Make one from your runs: `bench submit RUN... --out {path}`.") from None
    except OSError as error:
        raise BenchError(f"Cannot read {path}: {error.strerror or error}.") from None
