"""What a worker process says to whoever waits for it: frames under a key of their own, read as far as they have come and never waited for.

Code in that process can write into the same pipe. What is no frame is told from one by the key, and by a check of the content.
"""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

_HEAD = struct.Struct("!QI")
"""Bytes of the content, and its CRC-32."""

KEY = 16
"""Bytes."""

_PIECE = 1 << 16


class Foreign(Exception):
    """Something that is no frame came through the pipe."""


class Voice:
    """A worker's end.

    Args:
        pipe: the worker's.
        key: what its frames begin with.
    """

    def __init__(self, pipe: Connection[Any, Any], key: bytes) -> None:
        self.pipe, self._key = pipe, key

    def say(self, kind: str, value: Any) -> None:
        """Send a message.

        Raises:
            OSError: nobody listens any more, or the pipe was closed.
        """
        content = pickle.dumps((kind, value))
        left = memoryview(self._key + _HEAD.pack(len(content), zlib.crc32(content)) + content)
        while left:
            left = left[os.write(self.pipe.fileno(), left) :]


class Ear:
    """The other end.

    Args:
        pipe: where the worker is heard.
        key: what its frames begin with.
    """

    def __init__(self, pipe: Connection[Any, Any], key: bytes) -> None:
        self._pipe, self._key, self._rest = pipe, key, bytearray()

    def heard(self) -> Iterator[tuple[str, Any]]:
        """Yield the messages that have come so far, and wait for none.

        Raises:
            Foreign: there is something else among them.
            EOFError: the worker's end is closed.
        """
        while self._pipe.poll():
            piece = os.read(self._pipe.fileno(), _PIECE)
            if not piece:
                raise EOFError
            self._rest += piece
            yield from self._frames()

    def _frames(self) -> Iterator[tuple[str, Any]]:
        start = KEY + _HEAD.size
        while self._rest:
            if not self._key.startswith(self._rest[:KEY]):
                raise Foreign
            if len(self._rest) < start:
                return
            size, check = _HEAD.unpack_from(self._rest, KEY)
            content = bytes(self._rest[start : start + size])
            if len(content) < size:
                return
            if zlib.crc32(content) != check:
                raise Foreign
            del self._rest[: start + size]
            yield pickle.loads(content)
