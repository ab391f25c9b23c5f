"""Turns a library's warning about an adapter into an error: the libraries only warn of what they leave out, and nobody sees it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LIBRARIES = ("diffusers", "transformers", "peft", "LyCORIS")
"""The loggers that speak of weights."""

_OF_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)
"""Warnings about how a library is called, not about what it read."""


class Warned(ValueError):
    """A library warned while it loaded weights."""


class _Collector(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def strict(allowed: Sequence[str] = ()) -> Iterator[None]:
    """Raise the first warning that a library gives inside the block, once the block is through; nothing of it is printed.

    Args:
        allowed: beginnings of warnings that say what is known already.

    Raises:
        Warned: a library warned.
    """
    heard: list[str] = []
    handler = _Collector(heard)
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [(each.level, each.handlers, each.propagate) for each in loggers]
    for each in loggers:
        # The pipeline's reader has silenced them, which would silence these too.
        each.setLevel(logging.WARNING)
        each.handlers, each.propagate = [handler], False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for each, (level, handlers, propagate) in zip(loggers, before, strict=True):
            each.setLevel(level)
            each.handlers, each.propagate = handlers, propagate
    heard += [str(each.message) for each in caught if not issubclass(each.category, _OF_CODE)]
    loud = [text for text in heard if not text.startswith(tuple(allowed))]
    if loud:
        raise Warned(loud[0])
