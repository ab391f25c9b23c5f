"""One generic registry for methods, suites and scorers; entry points are the only door, ours included.

Nothing is imported before it is asked for. A plugin that fails to import is a warning that names it, never a crash.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from bench.console import results_apart
from bench.errors import BenchError, OutOfTime, blaming, did_you_mean, is_ctrl_c, said, within
from bench.files.declared import SUITE_FOLDERS, yaml_files
from bench.types import Method, Scorer
from bench.types.scorer import check_scorer
from bench.types.suite import Suite, check_suite

T = TypeVar("T")

IMPORT_LIMIT = 600.0
"""Seconds that a plugin's module may take to import, also of a slow disk: in this process, and in each worker's."""

DISTRIBUTION = "t2i-safety-bench"
"""The harness's own, whose plugins come in by the same door."""


class PluginWarning(UserWarning):
    """A plugin could not be loaded; the rest works on."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """An entry that a YAML file declares: to the registry the same as an entry point."""

    name: str
    path: Path
    reader: EntryPoint

    @property
    def value(self) -> str:
        """Where it comes from, for messages."""
        return str(self.path)

    @property
    def dist(self) -> Distribution | None:
        """The package that brings it."""
        return self.reader.dist

    def load(self) -> object:
        """Return what the file declares."""
        return self.reader.load()(self.path)


def _not_there(point: EntryPoint, error: BaseException) -> None:
    warnings.warn(f"The folder {point.name!r} ({point.value}) is not there: {said(error)}.", PluginWarning, stacklevel=5)


class Registry(Generic[T]):
    """Names to things of one kind, found through an entry-point group or registered by hand.

    Args:
        noun: for messages, for example ``"method"``.
        group: the entry-point group, for example ``"bench.methods"``.
        base: what an entry must be: a subclass of it, or (``instances=True``) an instance of it.
        instances: True where entries are objects and not classes.
        check: refuses, by a :class:`BenchError`, an entry that is of the right type and still written wrong.
        folders: the entry-point group of folders whose YAML files are entries too: each names the function, in the folder's ``__init__``, that
            makes an entry of a file's path. A file's name is the entry's.
    """

    def __init__(
        self, noun: str, group: str, base: type, *, instances: bool = False, check: Callable[[str, T], None] | None = None, folders: str = ""
    ) -> None:
        self.noun = noun
        self.group = group
        self._base = base
        self._instances = instances
        self._refuse = check
        self._folders = folders
        self._loaded: dict[str, T] = {}
        self._by_hand: set[str] = set()
        self._points: dict[str, EntryPoint | _Declared] | None = None

    def register(self, name: str, thing: T) -> T:
        """Add ``thing`` under ``name`` (for tests and notebooks; packages use an entry point)."""
        self._check(name, thing)
        if name in self._loaded and self._loaded[name] is not thing:
            raise BenchError(f"The {self.noun} {name!r} is registered already; choose another name.")
        self._loaded[name] = thing
        self._by_hand.add(name)
        return thing

    def unregister(self, name: str) -> None:
        """Forget what :meth:`register` added under ``name``."""
        self._loaded.pop(name, None)
        self._by_hand.discard(name)

    def names(self) -> list[str]:
        """Return every known name, sorted, importing nothing."""
        return sorted({*self._entry_points(), *self._loaded})

    def get(self, name: str) -> T:
        """Return the entry called ``name``.

        Raises:
            BenchError: it is unknown (with a suggestion), or its plugin does not load or is written wrong.
        """
        if name not in self._loaded:
            point = self._entry_points().get(name)
            if point is None:
                raise did_you_mean(self.noun, name, self.names())
            try:
                with (
                    results_apart(),
                    within(IMPORT_LIMIT, f"its import took longer than {IMPORT_LIMIT:g} s"),
                ):  # what a module prints when it is imported is no result
                    thing = point.load()
            except OutOfTime as error:
                raise BenchError(f"The {self.noun} {name!r} ({point.value}) does not load: {error}. Mend it, or uninstall its package.") from None
            except BaseException as error:
                if is_ctrl_c(error):
                    raise
                raise BenchError(f"The {self.noun} {name!r} ({point.value}) does not load: {said(error)}.") from error
            self._check(name, thing)
            self._loaded[name] = cast("T", thing)
        found = self._loaded[name]
        if self._refuse is not None:
            with blaming(self.noun, name, "info"):
                self._refuse(name, found)
        return found

    def is_own(self, name: str) -> bool:
        """Return whether the harness itself brings what is called ``name``, and no other package and nobody by hand."""
        point = self._entry_points().get(name)
        brings = "" if point is None or point.dist is None else point.dist.name.replace("_", "-").lower()
        return brings == DISTRIBUTION and name not in self._by_hand

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield every entry that loads, by name; what does not load is a :class:`PluginWarning`."""
        for name in self.names():
            try:
                thing = self.get(name)
                if not hasattr(thing, "info"):
                    raise BenchError(f"The {self.noun} {name!r} says nothing of itself: it has no `info`.")
            except BenchError as error:
                warnings.warn(str(error), PluginWarning, stacklevel=2)
            else:
                yield name, thing

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def _entry_points(self) -> dict[str, EntryPoint | _Declared]:
        if self._points is None:
            self._points = {}
            declared = (_Declared(path.stem, path, reader) for reader, path in yaml_files(self._folders, _not_there))
            for point in (*entry_points(group=self.group), *declared):
                other = self._points.setdefault(point.name, point)
                if other.value != point.value:
                    warnings.warn(
                        f"Two packages name a {self.noun} {point.name!r}: {other.value} is used, {point.value} is not.",
                        PluginWarning,
                        stacklevel=3,
                    )
        return self._points

    def _check(self, name: str, thing: object) -> None:
        good = isinstance(thing, self._base) if self._instances else isinstance(thing, type) and issubclass(thing, self._base)
        if not good:
            wanted = "an instance" if self._instances else "a subclass"
            raise BenchError(f"The {self.noun} {name!r} must be {wanted} of {self._base.__module__}.{self._base.__name__}.")


def find_method(name: str) -> tuple[type[Method], dict[str, Any]]:
    """Return the adapter called ``name`` and the parameters that the name gives.

    Args:
        name: a registered method, or ``METHOD:VALUE``, short for the parameter that names the method, mostly ``weights``: ``unet:OWNER/NAME``,
            ``esd-u:FILE``; of images that were made elsewhere ``imported:NAME``.

    Raises:
        BenchError: it is unknown (with a suggestion), or takes no weights.
    """
    method, colon, value = name.partition(":")
    adapter = methods.get(method)
    if not colon:
        return adapter, {}
    if adapter.named_by not in adapter.info.defaults or not value:
        takers = ", ".join(each for each, kind in methods.items() if "weights" in kind.info.defaults)
        raise BenchError(f"{name!r} is no method. METHOD:WEIGHTS names one of these, and a folder, a file or OWNER/NAME on the hub: {takers}.")
    return adapter, {adapter.named_by: value}


methods: Registry[type[Method]] = Registry("method", "bench.methods", Method)
suites: Registry[Suite] = Registry("suite", "bench.suites", Suite, instances=True, check=check_suite, folders=SUITE_FOLDERS)
scorers: Registry[type[Scorer]] = Registry("scorer", "bench.scorers", Scorer, check=check_scorer)
