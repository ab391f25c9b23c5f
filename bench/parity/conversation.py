"""A conversation with a package that runs in a process, and an environment, of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.errors import BenchError

OFFICIAL = Path(__file__).with_name("official.py")
"""The script that the other environment's Python runs."""


class Conversation:
    """One process that answers requests; use as a context manager.

    It sees no GPU (the packages would take it by themselves, and halve the precision there) and no hub.

    Args:
        name: what errors call it.
        command: the process; reads and writes JSON lines (:mod:`bench.parity.official`).
        folder: its working folder.
        log: where what it prints goes.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, log: Path) -> None:
        self._name, self._log = name, log
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
        with log.open("w", encoding="utf-8") as stream:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, cwd=folder, env=environment, text=True, encoding="utf-8"
            )

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._process.kill()
        self._process.communicate()

    def ask(self, do: str, **request: Any) -> Mapping[str, Any]:
        """Return the answer to one request.

        Raises:
            BenchError: the package raised, or its process ended.
        """
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise RuntimeError("a process without pipes")
        try:
            requests.write(json.dumps({"do": do, **request}) + "\n")
            requests.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [f"exit code {code}"]
            reason = "it was killed, most likely for want of memory" if code == -9 else lines[-1]
            raise BenchError(f"The real {self._name} ended before it answered {do!r}: {reason.rstrip('.')}. Its log: {self._log}.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"The real {self._name} failed at {do!r}: {answer['error'].rstrip('.')}. Its log: {self._log}.")
        return answer
