"""Work in a process of its own: whatever happens there is a result, or one line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import pytest

from bench.console import Progress
from bench.errors import BenchError, OutOfTime, within
from bench.guard.apart import apart
from bench.guard.calls import Call, Caller, UnitLimit
from bench.guard.wire import KEY, Ear, Foreign, Voice

CALL = Call("method", "wild", "generate", ("i2p-0001", 0), 1)


def works(number: int, *, progress: Progress, caller: Caller) -> dict[str, int]:
    progress.start("made", number)(2)
    return {"number": number}


def breaks(way: str, *, progress: Progress, caller: Caller) -> None:
    caller.announce(CALL)
    if way == "os-exit":
        os._exit(0)
    if way == "bench-error":
        raise BenchError("give me more")
    if way == "sys-exit":
        sys.exit(0)
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"\x00\x00\x10\x00 and no more" if way == "pipe" else b"x")
        except OSError:
            continue
    while True:  # also where it wrote
        time.sleep(1)


def stays(*, progress: Progress, caller: Caller) -> None:
    caller.announce(CALL)
    time.sleep(600)


class Told:
    """Progress that is written down."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        self.said.append((what, total, unit))
        return self.said.append


def test_result_and_progress_come_back() -> None:
    told = Told()
    assert apart(works, 7, limit=UnitLimit(), progress=told) == {"number": 7}
    assert told.said == [("made", 7, "images"), 2]


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("os-exit", r"died with exit code 0 while it was calling the method 'wild' in generate, sample i2p-0001 \(image 0\)"),
        ("pipe", r"^Something was written into the pipe of .* while it was calling the method 'wild' in generate, sample i2p-0001"),
        ("bench-error", "^give me more$"),
    ],
)
def test_what_a_plugin_does_there_is_one_line(way: str, says: str) -> None:
    with pytest.raises(BenchError, match=says) as found:
        apart(breaks, way, limit=UnitLimit())
    assert str(found.value).isprintable()


def test_one_that_stays_is_ended() -> None:
    with pytest.raises(BenchError, match=r"^The method 'wild' in generate, sample i2p-0001 .* took longer than 0.5 s .*\(--unit-timeout\)"):
        apart(stays, limit=UnitLimit(0.5))


@pytest.mark.parametrize("written", [b"x", b"\x00\x00\x10\x00", b"x" * 100_000])
@pytest.mark.parametrize("before", [0, 1])
def test_what_is_no_frame_is_told_at_once(written: bytes, before: int) -> None:
    here, there = Pipe()
    key = os.urandom(KEY)
    for _ in range(before):
        Voice(there, key).say("made", 1)
    os.write(there.fileno(), written)
    heard = Ear(here, key).heard()
    assert [next(heard) for _ in range(before)] == [("made", 1)] * before
    with pytest.raises(Foreign):
        next(heard)


def test_half_a_frame_is_not_waited_for() -> None:
    here, there = Pipe()
    key = os.urandom(KEY)
    Voice(there, key).say("made", "x" * 1000)
    whole = os.read(here.fileno(), 1 << 16)
    ear = Ear(here, key)
    for at in (3, KEY + 5, len(whole)):
        os.write(there.fileno(), whole[:at])
        whole, heard = whole[at:], list(ear.heard())
        assert bool(heard) is (not whole)
    there.close()
    with pytest.raises(EOFError):
        list(ear.heard())


def test_a_changed_frame_is_told() -> None:
    here, there = Pipe()
    key = os.urandom(KEY)
    Voice(there, key).say("made", 1)
    whole = bytearray(os.read(here.fileno(), 1 << 16))
    whole[-1] ^= 1
    os.write(there.fileno(), whole)
    with pytest.raises(Foreign):
        list(Ear(here, key).heard())


def both() -> None:
    with within(0.4, "outer"):
        with suppress(OutOfTime), within(0.1, "inner"):
            time.sleep(5)
        time.sleep(5)


def test_a_limit_within_a_limit_leaves_the_outer_one_on() -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTime, match="outer"):
        both()
    assert 0.3 < time.monotonic() - began < 2
