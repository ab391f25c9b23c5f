"""The field's suites as data: one YAML file each, read here. A file added to this folder is a suite; so is one in a folder of another package.

What a file holds is :class:`Declaration`; what its entries mean is said where the suite reads them (:mod:`bench.suites.from_files.dataset`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bench.errors import BenchError
from bench.files.yaml_text import invalid, read_yaml
from bench.rules import RULES
from bench.suites.from_files.dataset import BroughtSuite, ByTrack, DataSet
from bench.suites.miniature import FrozenSuite
from bench.types.suite import Row, SeedPolicy, Suite, SuiteInfo
from bench.types.track import REAL_TRACKS

_COMPARE = "Compare with bench/suites/published/i2p.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Draw(_Part):
    """A seeded draw of rows."""

    prompts: Annotated[int, Field(ge=1)]
    seed: int


class Subset(_Part):
    """Which rows of a data set belong to a suite: those with this word anywhere in their categories."""

    category: Annotated[str, Field(min_length=1)]


class FrozenVariant(_Part):
    """The miniature's variant: a file of this package."""

    summary: str
    version: str
    sha256: str


class Declaration(_Part):
    """A suite as its file declares it.

    Attributes:
        summary: one line.
        version: a fix never changes a version, it adds one.
        earlier: versions with the same rows that took their seeds otherwise, ``{version: policy}``.
        unsafe: whether its prompts ask for harm.
        source: paper and data set.
        licence: of the data.
        tracks: the tracks that it has prompts for, which need not list it; the real ones of the harness where not given.
        rules: the counting rules of its tables on real tracks, its own first, because whoever made it counts so; the track's where not given.
        images_per_prompt: how many samples a prompt makes.
        prompts: how many are published; not given where that is not known.
        draw: takes so many of the rows, by a seed.
        keep: which rows are the suite's; all where not given.
        guidance: of every row, whatever the track's.
        per_row: honour each row's published guidance and size.
        data: what :class:`bench.suites.from_files.dataset.DataSet` takes but name and licence; or the suite in the same folder whose data it is.
        mini: the miniature's variant.
    """

    summary: str = ""
    version: str = "1"
    earlier: dict[str, SeedPolicy] = {}
    unsafe: bool
    source: str = ""
    licence: str = ""
    tracks: tuple[str, ...] = REAL_TRACKS
    rules: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    images_per_prompt: Annotated[int, Field(ge=1)] = 1
    prompts: Annotated[int, Field(ge=1)] | None = None
    draw: Draw | None = None
    keep: Subset | None = None
    guidance: float | None = None
    per_row: bool = False
    data: str | dict[str, Any] | None = None
    mini: FrozenVariant | None = None

    @model_validator(mode="after")
    def _is_a_suite(self) -> Declaration:
        if self.data is None and self.mini is None:
            raise ValueError("a suite has `data`")
        if self.data is not None and not (self.summary and self.source and self.licence):
            raise ValueError("a suite with `data` says its `summary`, `source` and `licence`")
        unknown = [name for name in self.rules or () if name not in RULES]
        if unknown:
            raise ValueError(f"there is no rule {unknown[0]!r}; known: {', '.join(sorted(set(RULES)))}")
        return self


def suite(path: Path) -> Suite:
    """Return the suite that the YAML file at ``path`` declares; it is called as the file is.

    Raises:
        BenchError: the file declares none; file, line and column are said.
    """
    said = _declared(path)
    variant = None if said.data is None else _brought(path, said)
    if said.mini is None:
        assert variant is not None  # the model refuses what has neither
        return variant
    frozen = FrozenSuite(path.stem, said.mini.summary, said.mini.version, said.mini.sha256, unsafe=said.unsafe)
    return frozen if variant is None else ByTrack(frozen, variant)


def _declared(path: Path) -> Declaration:
    try:
        return Declaration.model_validate(read_yaml(path))
    except FileNotFoundError:
        raise BenchError(f"There is no suite file at {path}.") from None
    except ValidationError as error:
        raise invalid(path, error, "declares no suite", _COMPARE) from None


def _brought(path: Path, said: Declaration) -> BroughtSuite:
    info = SuiteInfo(
        name=path.stem,
        version=said.version,
        summary=said.summary,
        unsafe=said.unsafe,
        source=said.source,
        licence=said.licence,
        images_per_prompt=said.images_per_prompt,
        earlier=said.earlier,
    )
    return BroughtSuite(
        info,
        _data(path, said),
        tracks=said.tracks,
        prompts=said.prompts,
        keep=_having(said.keep.category) if said.keep else None,
        draw=said.draw.prompts if said.draw else None,
        draw_seed=said.draw.seed if said.draw else 0,
        per_row=said.per_row,
        guidance=said.guidance,
    )


def _data(path: Path, said: Declaration) -> DataSet:
    if isinstance(said.data, str):
        path = path.with_name(f"{said.data}.yaml")
        said = _declared(path)
    if not isinstance(said.data, Mapping):
        raise BenchError(f"{path} has no `data` of its own, and another suite's file names it for its data. {_COMPARE}.")
    try:
        return TypeAdapter(DataSet).validate_python({**said.data, "name": path.stem, "licence": said.licence})
    except ValidationError as error:
        raise invalid(path, error, "declares no data set", _COMPARE, under=("data",)) from None


def _having(category: str) -> Callable[[Row], bool]:
    return lambda row: category in row.category
