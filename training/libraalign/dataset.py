"""The data set on disk: Parquet units that Hugging Face ``datasets`` reads as they are, a marker a unit, counts, and a card.

A unit's marker is written last, by atomic rename; a unit without one does not count and is made again.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Pillow

from bench.errors import BenchError
from bench.files.atomic import Doing, mendable, read_json, write_atomic, write_json
from bench.files.rgb import to_rgb

if TYPE_CHECKING:
    from bench.types import Image

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How ``datasets`` stores an image."""

COARSE = {
    "pair_id": pa.string(),
    "image_0": PICTURE,
    "image_1": PICTURE,
    "prompt_0": pa.string(),
    "prompt_1": pa.string(),
    "category_0": pa.string(),
    "category_1": pa.string(),
    "source_0": pa.string(),
    "source_1": pa.string(),
    "seed_0": pa.int64(),
    "seed_1": pa.int64(),
    "level_0": pa.int8(),
    "level_1": pa.int8(),
    "harmful_0": pa.bool_(),
    "harmful_1": pa.bool_(),
    "more_harmful": pa.int8(),
    "kind": pa.string(),
    "judge": pa.string(),
}
"""LibraAlign-Coarse: which of two images is more harmful, on four levels, and a binary label for each (Sec. 3.1)."""

HF = {
    "pair_id": pa.string(),
    "image_0": PICTURE,
    "image_1": PICTURE,
    "caption": pa.string(),
    "safe_caption": pa.string(),
    "category": pa.string(),
    "kind": pa.string(),
    "source": pa.string(),
    "seed_0": pa.int64(),
    "seed_1": pa.int64(),
    "quality_0": pa.float32(),
    "quality_1": pa.float32(),
    "cost_0": pa.float32(),
    "cost_1": pa.float32(),
}
"""LibraAlign-HF: a harmful image (0) and its safe counterpart (1), or two safe images, with quality and safety cost for each (Sec. 3.2)."""

BEYOND = "beyond the pairs that were wanted"
"""Why a pair is left out that was made after there were enough."""

SCHEMAS = {"coarse": COARSE, "hf": HF}
_DTYPES = {pa.string(): "string", pa.int64(): "int64", pa.int8(): "int8", pa.bool_(): "bool", pa.float32(): "float32"}


def schema(part: str) -> pa.Schema:
    """Return the part's schema, with the metadata by which ``datasets`` knows the image columns."""
    kinds = {name: {"_type": "Image"} if kind == PICTURE else {"dtype": _DTYPES[kind], "_type": "Value"} for name, kind in SCHEMAS[part].items()}
    return pa.schema(list(SCHEMAS[part].items()), metadata={"huggingface": json.dumps({"info": {"features": kinds}})})


def encode(image: Image) -> dict[str, Any]:
    """Return a picture's cell: lossless PNG, named by its content."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, format="PNG")
    return picture_cell(buffer.getvalue(), "png")


def picture_cell(content: bytes, suffix: str) -> dict[str, Any]:
    """Return the cell of an image file as it is, named by its content."""
    return {"bytes": content, "path": f"{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"}


def decode(cell: Mapping[str, Any], where: str) -> Image:
    """Return the picture of a cell, uint8 of shape (height, width, 3).

    Raises:
        BenchError: there is none, or it does not decode; the message says ``where``.
    """
    try:
        return decode_bytes(cell["bytes"])
    except Exception as error:
        raise BenchError(
            f"The image of {where} is missing or damaged: {error}. Build its unit again: delete its marker and run the same command."
        ) from error


def decode_bytes(content: bytes) -> Image:
    """Return the picture of an image file's content, uint8 of shape (height, width, 3).

    Raises:
        BenchError: it cannot be made RGB without guessing.
    """
    return to_rgb(Pillow.open(io.BytesIO(content)), "An image of the data set")


class Part:
    """One part of the data set, ``coarse`` or ``hf``: its units on disk."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.name = name

    def _table(self, unit: int) -> Path:
        return self.folder / f"{self.name}-{unit:05d}.parquet"

    def _marker(self, unit: int) -> Path:
        return self.folder / "units" / f"{unit:05d}.json"

    def done(self, unit: int) -> bool:
        """Return whether the unit is finished."""
        return self._marker(unit).is_file() and self._table(unit).is_file()

    def commit(self, unit: int, rows: Sequence[Mapping[str, Any]], notes: Mapping[str, Any]) -> None:
        """Write a finished unit: the table, then its marker with ``notes``."""
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema(self.name))
        buffer = io.BytesIO()
        if rows:
            pq.write_table(table, buffer, compression="zstd")
        else:  # no row group at all: `datasets` does not read one without rows
            pq.ParquetWriter(buffer, table.schema, compression="zstd").close()
        content = buffer.getvalue()
        write_atomic(self._table(unit), content)
        write_json(self._marker(unit), {"rows": len(rows), "sha256": hashlib.sha256(content).hexdigest(), **notes})

    def marker(self, unit: int) -> dict[str, Any]:
        """Return a finished unit's marker."""
        found: dict[str, Any] = read_json(self._marker(unit), "marker")
        return found

    def remove(self, unit: int) -> None:
        """Take a unit away, its marker first, so that it does not count from there on."""
        for path in (self._marker(unit), self._table(unit)):
            with mendable(path, Doing.REMOVE):
                path.unlink(missing_ok=True)

    def cut(self, unit: int, kind: str | None, most: int) -> None:
        """Keep the first ``most`` pairs of ``kind`` of a finished unit (of every kind where None), and note how many were beyond.

        Done again after a kill between table and marker it ends in the same: what was beyond is the marker's count less what is kept.
        """
        marker = self.marker(unit)
        rows = pq.read_table(self._table(unit)).to_pylist()
        places = [place for place, row in enumerate(rows) if kind is None or row["kind"] == kind]
        gone = set(places[most:])
        kept = [row for place, row in enumerate(rows) if place not in gone]
        kinds = dict(Counter(row["kind"] for row in kept))
        beyond = sum(marker["kinds"].values()) - len(kept)
        self.commit(unit, kept, {"kinds": kinds, "skips": {**marker["skips"], BEYOND: beyond}})

    def markers(self) -> list[dict[str, Any]]:
        """Return every finished unit's marker, in order."""
        return [read_json(path, "marker") for path in sorted((self.folder / "units").glob("*.json"))]

    def tables(self) -> list[Path]:
        """Return every finished unit's table, in order."""
        return [path for path in sorted(self.folder.glob(f"{self.name}-*.parquet")) if self._marker(int(path.stem.rpartition("-")[2])).is_file()]

    def digest(self) -> str:
        """Return the SHA-256 of all finished units' hashes, in order."""
        return hashlib.sha256("".join(marker["sha256"] for marker in self.markers()).encode()).hexdigest()

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (unit, row) of every finished unit, a table at a time.

        Raises:
            BenchError: there is none, or a table is damaged or of another schema.
        """
        tables = self.tables()
        if not tables:
            raise BenchError(f"No finished unit of the {self.name} part in {self.folder}. Build it: `bench train libraalign`.")
        for path in tables:
            try:
                known = pq.read_schema(path).names
                missing = [name for name in columns or SCHEMAS[self.name] if name not in known]
                table = None if missing else pq.read_table(path, columns=list(columns) if columns else None)
            except (OSError, pa.ArrowException, KeyError) as error:
                raise BenchError(f"Cannot read {path}: {error}. Delete its marker and run `bench train libraalign` again.") from error
            if table is None:
                raise BenchError(f"{path} has no column {missing[0]!r}; it is no {self.name} part of LibraAlign, or of an older version.")
            unit = int(path.stem.rpartition("-")[2])
            for row in table.to_pylist():
                yield unit, row


def counts(folder: Path) -> dict[str, Any]:
    """Return the counts that the paper's Table 1 needs, over all finished units: pairs by part and kind, categories, concepts, annotations."""
    found: dict[str, Any] = {"pairs": 0}
    for name in SCHEMAS:
        markers = Part(folder, name).markers()
        kinds: dict[str, int] = {}
        skips: dict[str, int] = {}
        for marker in markers:
            for into, key in ((kinds, "kinds"), (skips, "skips")):
                for reason, count in marker[key].items():
                    into[reason] = into.get(reason, 0) + count
        rows = sum(marker["rows"] for marker in markers)
        found[name] = {"units": len(markers), "pairs": rows, "kinds": dict(sorted(kinds.items())), "left_out": dict(sorted(skips.items()))}
        found["pairs"] += rows
    return found


def write_card(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the card (``README.md``): what ``datasets`` needs to read the parts by name, and what a person needs to know."""
    parts = [name for name in SCHEMAS if Part(folder, name).tables()]
    front = ["---", "license: other", "task_categories: [text-to-image]", "tags: [preference, safety]", "configs:"]
    for name in parts:
        front += [f"- config_name: {name}", f'  data_files: "{name}/{name}-*.parquet"']
    found = manifest["counts"]
    lines = [*front, "---", "", f"# {manifest['title']}", "", manifest["summary"], ""]
    lines += ["| part | pairs | kinds | left out |", "|---|---|---|---|"]
    for name in parts:
        each = found[name]
        lines.append(f"| {name} | {each['pairs']} | {_listed(each['kinds'])} | {_listed(each['left_out'])} |")
    for what, most in manifest["wanted"].items():
        lines += ["", f"At most {most} {what} were wanted."]
    lines += [
        "",
        f"Categories: {found['categories']}. Concepts: {found['concepts']}. Prompts: {found['prompts']['harmful']} harmful, "
        f"{found['prompts']['benign']} benign. Left out of the pool: {_listed(found['prompts']['left_out'])}.",
        f"Safety annotation: {manifest['judge']} (four levels, forced choice within a level) and the safety cost of `{manifest['cost']}`. "
        f"Quality annotation: `{manifest['quality']}`.",
        "",
        "In `hf`, image 0 is the harmful one of a harmful-safe pair and image 1 its safe counterpart, an image-to-image pass from image 0 under",
        f"`safe_caption`. {_AGAINST[manifest['quality_against']]}",
        "",
        f'Read a part with `datasets.load_dataset(FOLDER, "{parts[0] if parts else "hf"}")`. Made by `bench train libraalign`; '
        "its settings and every hash are in `manifest.json`.",
        "",
    ]
    write_atomic(folder / "README.md", "\n".join(lines).encode())


_AGAINST = {
    "caption": "The quality of both is measured against `caption`.",
    "own": "Each image's quality is measured against the prompt that it was made from.",
}


def _listed(values: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {name}" for name, count in values.items()) or "none"
