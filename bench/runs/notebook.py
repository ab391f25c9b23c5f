"""What a run is in Python and in a notebook, beside its numbers: its images, a grid of them, and its records by a column's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.formats import html_table
from bench.runs.folder import RunFolder
from bench.types.sample import key_of

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from bench.formats import Table
    from bench.rules import Rule
    from bench.runs.spec import RunSpec

COLUMNS, TILE, GAP = 8, 128, 4
"""Of a grid: pictures in a line, pixels of a picture's side and between two."""
SHADES = {"blocked": (60, 60, 60), "failed": (170, 60, 60)}
"""Of a grid: what stands for a picture that is not there."""


class NoImage(KeyError):
    """A key that no image of a run has."""

    def __str__(self) -> str:
        """Return the message as it is, where a ``KeyError`` prints its key."""
        return str(self.args[0])


class Images(Mapping[tuple[str, int], "Image"]):
    """The images of a run by (prompt id, image index), each read when it is asked for; blocked and failed samples have none."""

    def __init__(self, folder: RunFolder, names: Mapping[tuple[str, int], str]) -> None:
        self._folder, self._names = folder, names

    def __getitem__(self, key: tuple[str, int]) -> Image:
        """Return one image.

        Raises:
            KeyError: there is none of that key; the message says what keys are and names one.
        """
        from PIL import Image as PILImage

        if key not in self._names:
            one = f"such as {next(iter(self._names))!r}" if self._names else "and this run has no image"
            raise NoImage(f"no image {key!r}: a key is (prompt id, image index), {one}; blocked and failed samples have none")
        return PILImage.fromarray(self._folder.images.get(self._names[key]))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Notebook:
    """Of a run: what Python users and notebooks see beside its numbers.

    A run also answers as the DataFrame of its records: ``run["severity"]``, ``len(run)``, ``run.groupby("category")``. So
    ``bench.load_run(path)``, which gave that DataFrame alone, may be used as before; where a real DataFrame is needed, it is ``run.records()``.
    """

    path: Path
    spec: RunSpec

    if TYPE_CHECKING:

        @property
        def label(self) -> str: ...  # noqa: D102
        @property
        def complete(self) -> bool: ...  # noqa: D102
        def records(self) -> pd.DataFrame: ...  # noqa: D102
        def rows(self) -> Table: ...  # noqa: D102
        def rule(self) -> Rule: ...  # noqa: D102

    else:

        def __getattr__(self, name: str) -> Any:
            """Return what the records have by that name and a run has not."""
            import pandas as pd

            if name.startswith("_") or not (hasattr(pd.DataFrame, name) or name in self.records()):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return getattr(self.records(), name)

    def __getitem__(self, column: Any) -> Any:
        """Return what the records' DataFrame has under ``column``: a column's name, several, or a mask."""
        return self.records()[column]

    def __contains__(self, column: object) -> bool:
        """Return whether the records have a column of that name."""
        return column in self.records()

    def __iter__(self) -> Iterator[str]:
        """Return the names of the records' columns, as a DataFrame does."""
        return iter(self.records())

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.records())

    def __bool__(self) -> bool:
        """Return True: a run without records is one too."""
        return True

    def images(self) -> Images:
        """Return the images that were made, by (prompt id, image index), as PIL images; none is read before it is asked for, none is blurred."""
        rows = self.records()[["prompt_id", "image_index", "image"]].dropna(subset="image").to_dict("records")
        return Images(RunFolder.open(self.path), {key_of(row): str(row["image"]) for row in rows})

    def show(self, count: int = 4 * COLUMNS, *, clear: bool = False) -> Image:
        """Return the first ``count`` samples as one picture, in the suite's order; a notebook shows it.

        Images of unsafe suites and images that a scorer flags are blurred, but a proxy track's own; a blocked or failed sample is a plain tile.

        Args:
            count: samples.
            clear: blur none. Give it where you know what you will see.

        Raises:
            BenchError: ``count`` is less than 1, nothing was made yet, or an image is missing or damaged.
        """
        from PIL import Image as PILImage

        from bench.runs.showing import blur

        if type(count) is not int or count < 1:
            raise BenchError(f"A grid shows at least 1 sample; got {count!r}. Example: run.show(16).")
        records = self.records()
        chosen = records.head(count)
        if chosen.empty:
            raise BenchError(f"The run {self.path} has no samples yet. Make them: the same `bench run` again.")
        hide, store, tiles = self._hidden(records), RunFolder.open(self.path).images, []
        for at, row in chosen.iterrows():
            if row["status"] != "generated":
                tiles.append(PILImage.new("RGB", (TILE, TILE), SHADES.get(row["status"], SHADES["failed"])))
                continue
            pixels = store.get(str(row["image"]))
            picture = PILImage.fromarray(blur(pixels) if hide[at] and not clear else pixels)
            factor = TILE / max(picture.size)
            size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
            tiles.append(picture.resize(size, PILImage.Resampling.NEAREST if factor > 1 else PILImage.Resampling.LANCZOS))
        across, step = min(COLUMNS, len(tiles)), TILE + GAP
        sheet = PILImage.new("RGB", (across * step - GAP, -(-len(tiles) // across) * step - GAP), "white")
        for index, tile in enumerate(tiles):
            sheet.paste(tile, (index % across * step, index // across * step))
        return sheet

    def _hidden(self, records: pd.DataFrame) -> pd.Series:
        """Return which of the records' images are blurred."""
        from bench.runs.showing import hidden, is_unsafe

        manifest = RunFolder.open(self.path).manifest()
        unsafe = is_unsafe(manifest["suite"]["name"], manifest["suite"].get("unsafe"))
        return hidden(records, manifest, self.spec.loaded_track, [self.rule()], unsafe=unsafe)

    def _repr_html_(self) -> str:
        """Return what a notebook shows of a run: what it is, how far it got, and its table. No prompt, no image."""
        state = "complete" if self.complete else "incomplete"
        title = f"{self.label} on {self.spec.suite} ({self.spec.track}), {state}"
        try:
            rows = [{key: value for key, value in row.items() if key in _SHOWN} for row in self.rows()]
        except BenchError as error:
            return html_table([{"run": str(self.path), "state": state, "error": str(error)}], title)
        return html_table(rows, title, str(self.path))


_SHOWN = ("metric", "category", "value", "value_low", "value_high", "unit", "n", "excluded")
