"""Another Python process with this one's search path, for what can only be seen from a clean start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def run_python(arguments: Sequence[str]) -> str:
    """Return what ``python ARGUMENTS`` prints.

    Raises:
        RuntimeError: it fails; the message is the last line of its errors.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-W", "ignore", *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return done.stdout
