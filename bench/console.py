"""What a person sees on standard error: progress bars, and one clear line for each error. Standard output is for results."""

from __future__ import annotations

import html
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import TracebackType
from typing import Protocol

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_OUT, _ERR = 1, 2
"""File descriptors."""


class Progress(Protocol):
    """How a verb tells of its progress."""

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Announce ``total`` things to do; return what to call with the number just done."""


class Quiet:
    """No progress at all."""

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Do nothing."""
        return lambda done: None


class _Rate(ProgressColumn):
    """Things done a second."""

    def render(self, task: Task) -> Text:
        unit = str(task.fields["unit"])
        return Text(f"{task.speed:.1f} {unit}/s" if task.speed else f"– {unit}/s", style="progress.data.speed")


class Bars:
    """Rich progress bars on standard error; use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet,
        )

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Add a bar; return what advances it."""
        self._progress.start()  # not before there is something to show: an empty display leaves an empty line
        task = self._progress.add_task(what, total=total, unit=unit)
        return lambda done: self._progress.advance(task, done)


_REDRAWN = 0.2
"""Seconds between two drawings of a notebook's bar."""


class NotebookBars:
    """Progress bars in a notebook's cell; they need the kernel's IPython alone, where rich's need ipywidgets too."""

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        """Show a bar; return what advances it."""
        from IPython.display import HTML, display

        began = drawn = time.monotonic()
        done = 0

        def bar() -> HTML:
            rate = f"{done / (time.monotonic() - began):.1f}" if done else "–"
            text = html.escape(f"{what} {done}/{total} {rate} {unit}/s")
            return HTML(f"<progress max='{max(total, 1)}' value='{done}'></progress> {text}")

        handle = display(bar(), display_id=True)

        def advance(count: int) -> None:
            nonlocal done, drawn
            done += count
            if done >= total or time.monotonic() - drawn > _REDRAWN:
                drawn = time.monotonic()
                handle.update(bar())

        return advance


def default_progress() -> Progress:
    """Return how Python's functions tell of their progress where they are not told how: by bars in a notebook, else not at all."""
    return NotebookBars() if Console().is_jupyter else Quiet()


def say(message: str) -> None:
    """Print one line on standard error."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def results_apart() -> Iterator[None]:
    """Send to standard error what is written to standard output within the block, from Python or not: a plugin's output must not mix with results."""
    try:
        results, errors = os.dup(_OUT), os.dup(_ERR)
    except OSError:  # closed by whoever started this process
        yield
        return
    sys.stdout.flush()
    os.dup2(_ERR, _OUT)
    try:
        # A file of its own: what a plugin closes must not be what errors are told on.
        with os.fdopen(errors, "w", errors="backslashreplace") as other, redirect_stdout(other):
            yield
    finally:
        os.dup2(results, _OUT)
        os.close(results)


def warn_in_one_line() -> None:
    """Show warnings as one line without source lines, and hide those of libraries about their own future."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.formatwarning = lambda message, category, filename, lineno, line=None: f"warning: {message}\n"
