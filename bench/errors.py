"""Errors that are a user's to mend: one clear line, never a traceback."""

from __future__ import annotations

import difflib
import multiprocessing
import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import FrameType

SAID = 400
"""Characters that are kept of what a plugin's exception or refusal says."""


class BenchError(Exception):
    """Something the user can mend. The CLI prints it as one line and exits with code 2.

    Write the message as: what was wrong, what was expected, what to run.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what IPython and Jupyter show instead of a traceback: the same line as the CLI."""
        return [f"error: {self}"]


class NotAvailable(BenchError):
    """Something that exists but cannot be had here (an extra, gated data, weights of another track)."""


class Unreachable(BenchError):
    """The operating system does not give what may well be whole: no permission, a broken device, too many open files. Nothing is damaged by it."""


class Damaged(BenchError):
    """A file that is not, byte by byte, what was written, or that lacks where another says that it is."""


def no_device(device: str, error: BaseException) -> BenchError:
    """Return the error for a device that cannot be computed on."""
    return BenchError(f"Cannot use the device {device!r}: {first_line(error)}. Choose another: --device cpu.")


def first_line(error: BaseException) -> str:
    """Return the first line of what ``error`` says, or its type where it says nothing; no full stop at the end."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def in_one_line(text: str, length: int = SAID) -> str:
    """Return ``text`` as one line that every terminal prints and every table stores: no control character, no lone surrogate, at most ``length``."""
    line = " ".join(text[: 20 * length].split())
    line = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def said(error: BaseException) -> str:
    """Return type and message of an exception in one line, whatever its own ``__str__`` does."""
    message = message_of(error)
    return in_one_line(f"{type(error).__name__}: {message}" if message.strip() else type(error).__name__)


def message_of(error: BaseException) -> str:
    """Return what an exception says, whatever its own ``__str__`` does."""
    try:
        return str(error)
    except BaseException as broken:  # a plugin's: it may raise anything
        return f"(its message cannot be read: {type(broken).__name__})"


def is_ctrl_c(error: BaseException) -> bool:
    """Return whether ``error`` is the user's Ctrl-C, which reaches the first process alone: in another one a plugin has raised it."""
    return isinstance(error, KeyboardInterrupt) and multiprocessing.parent_process() is None


def naming(error: BenchError, noun: str, name: str, rule: str) -> BenchError:
    """Return what a plugin has said for the user to mend, as one line that names the plugin: ``error`` itself where it is that already."""
    message = message_of(error)
    line = in_one_line(message, 5 * SAID)
    if line == message and name.partition(":")[0] in line:
        return error
    kind = NotAvailable if isinstance(error, NotAvailable) else BenchError
    return kind(f"The {noun} {name!r} ({rule}): {line or 'it raised a BenchError without a message.'}")


@contextmanager
def blaming(noun: str, name: str, rule: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises within the block into one line that names the plugin.

    Args:
        noun: ``method``, ``scorer``, ``suite``.
        name: the registry name.
        rule: what is being asked of it: ``load``, ``weights``, ``__init__``.

    Raises:
        BenchError: it raised something: ``SystemExit`` and its kin too, which would else end a command with an exit code of their choice.
    """
    try:
        yield
    except BenchError as error:
        raise naming(error, noun, name, rule) from None
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        raise BenchError(f"The {noun} {name!r} is broken: {rule} raised {said(error)}.") from error


class OutOfTime(BaseException):
    """Raised inside a plugin's code that takes too long. No ``Exception``, which such code may well catch."""


AGAIN = 1.0
"""Seconds after which code that went on over a time limit is stopped again."""


@contextmanager
def within(seconds: float, message: str) -> Iterator[None]:
    """Stop Python code within the block after a time. Outside a process' main thread, and in code that does not return to Python, nothing stops it.

    Raises:
        OutOfTime: the time is over; it says ``message``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if seconds <= 0:
        raise OutOfTime(message)

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfTime(message)

    began, handler = time.monotonic(), signal.signal(signal.SIGALRM, stop)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:  # of a block around this one
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - began), 1e-3), AGAIN)


def did_you_mean(noun: str, name: str, known: Collection[str]) -> BenchError:
    """Return the error for an unknown ``name``: a suggestion where one is near, and what there is."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return BenchError(f"Unknown {noun} {name!r}.{hint} Known: {', '.join(sorted(known)) or 'none'}.")
