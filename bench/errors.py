"""Errors that are a user's to mend: one clear line, never a traceback."""

from __future__ import annotations


class BenchError(Exception):
    """Something the user can mend. The CLI prints it as one line and exits with code 2.

    Write the message as: what was wrong, what was expected, what to run.
    """


class NotAvailable(BenchError):
    """Something that exists but cannot be had here (an extra, gated data, weights of another track)."""
