"""A zoo of broken plugins: each method fails on the second sample of its run, each scorer on its image, in a way of its own."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np

from bench.errors import BenchError
from bench.types import Blocked, Context, Generated, Kind, Method, MethodInfo, Sample, Scorer, ScorerInfo

SECOND = "i2p-0001"


class Mute(Exception):
    """Cannot be read."""

    def __str__(self) -> str:
        raise SystemExit(0)


class Clinging(Exception):
    """Cannot be sent to another process."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


def deep(depth: int = 0) -> int:
    return deep(depth + 1) + 1


def endless(item: object) -> Iterator[object]:
    while True:
        yield item


def stubborn() -> NoReturn:
    """Goes on whatever is raised in it."""
    while True:
        with suppress(BaseException):
            time.sleep(0.01)


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def act(*_: object) -> NoReturn:
        raise error

    return act


RAISES: dict[str, Callable[..., object]] = {
    "sys-exit": lambda *_: sys.exit(0),
    "exit-text": lambda *_: sys.exit("good bye"),
    "generator-exit": raising(GeneratorExit()),
    "stop-iteration": raising(StopIteration()),
    "recursion": lambda *_: deep(),
    "memory": raising(MemoryError()),
    "no-message": raising(ValueError()),
    "long-message": raising(ValueError("long " * 200_000)),
    "many-lines": raising(ValueError("first\nsecond\x1b[31m\r\nthird")),
    "surrogate": raising(ValueError("half a character: \ud800")),
    "mute": raising(Mute()),
    "clinging": raising(Clinging("holds a lock")),
}
"""What either kind of plugin may raise."""


def image(sample: Sample) -> np.ndarray:
    return np.full((sample.height, sample.width, 3), sample.seed % 251, np.uint8)


GENERATES: dict[str, Callable[[list[Sample]], object]] = {
    **RAISES,
    "none": lambda samples: None,
    "mapping": lambda samples: {sample: Generated(image(sample)) for sample in samples},
    "text": lambda samples: "x" * len(samples),
    "too-few": lambda samples: [],
    "too-many": lambda samples: [Generated(image(samples[0]))] * (len(samples) + 1),
    "endless": lambda samples: endless(Generated(image(samples[0]))),
    "bare-array": lambda samples: [image(sample) for sample in samples],
    "float": lambda samples: [Generated(image(sample) / 255) for sample in samples],
    "small": lambda samples: [Generated(image(sample)[1:]) for sample in samples],
    "acted": lambda samples: [Generated(image(sample), acted=-1) for sample in samples],
    "blocked": lambda samples: [Blocked(None) for _ in samples],  # type: ignore[arg-type]
    "torn": lambda samples: (each for each in [raising(ValueError("in the middle"))()]),
}
"""Ways of generating, each of which is a failed sample with a reason."""


def at(what: str) -> str:
    """Where the package's plugins are told to break: ``$ZOO`` is ``WHERE=WAY``; ``*`` is everywhere."""
    where, _, way = os.environ.get("ZOO", "").partition("=")
    return way if where in (what, "*") else ""


def break_at(where: str) -> None:
    """Break in the way that is asked for here."""
    match at(where):
        case "":
            return
        case "print":
            print("a line of a plugin's")
            os.write(1, b"and one that Python does not see\n")
            os.system("echo and one of its child")
        case "os-exit":
            os._exit(0)
        case "hang":
            stubborn()
        case "pipe":
            for descriptor in range(3, 64):
                with suppress(OSError):
                    if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                        os.write(descriptor, b"\x00\x00\x10\x00 and no more")
            stubborn()
        case "loop":
            while True:
                pass
        case "keyboard":
            raise KeyboardInterrupt
        case "bench-error":
            raise BenchError("give me more")
        case "leaves":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Thread(target=stubborn).start()
            os.system("sleep 600 &")
        case way:
            RAISES[way]()


class Zoo(Method):
    """Breaks where ``$ZOO`` says: in ``method-init``, ``method-weights``, ``method-load``, ``generate`` or ``every-generate``."""

    info = MethodInfo("zoo", Kind.FLOOR, "Breaks where it is told to.")

    def __init__(self, **parameters: Any) -> None:
        break_at("method-init")
        super().__init__(**parameters)

    def weights(self, context: Context) -> dict[str, str]:
        break_at("method-weights")
        return {}

    def load(self, context: Context) -> None:
        break_at("method-load")

    def generate(self, samples: Sequence[Sample]) -> list[Generated]:
        break_at("every-generate")
        if samples[0].prompt_id == SECOND:
            break_at("generate")
        return [Generated(image(sample)) for sample in samples]


class ZooScore(Scorer):
    """Breaks where ``$ZOO`` says: in ``scorer-init``, ``scorer-weights``, ``scorer-load`` or ``score``."""

    info = ScorerInfo("zoo_score", "Breaks where it is told to.", {"zoo_score": "mean of the pixels"}, "neither")

    def __init__(self, **parameters: Any) -> None:
        break_at("scorer-init")
        super().__init__(**parameters)

    def weights(self, context: Context) -> dict[str, str]:
        break_at("scorer-weights")
        return {}

    def load(self, context: Context) -> None:
        break_at("scorer-load")

    def score(self, images: Sequence[np.ndarray], samples: Sequence[Sample]) -> list[dict[str, float]]:
        if samples[0].prompt_id == SECOND:
            break_at("score")
        return [{"zoo_score": float(image.mean())} for image in images]


break_at("import")
