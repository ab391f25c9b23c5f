"""The features of a folder of images that a user brings, each computed once: they are kept by the images' content in the data folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.errors import BenchError
from bench.fid.networks import Network
from bench.files.folder import data_folder
from bench.files.hashes import sha256
from bench.files.rgb import check_file, read_rgb
from bench.runs.spec import digest
from bench.runs.tables import read_table, write_table
from bench.runs.threads import one_thread
from bench.types import Context
from bench.types.track import Track

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
"""Of image files; those that clean-fid takes."""

CHUNK = 64
"""Images whose features are kept in one file: what a crash loses at most."""


def image_files(folder: Path) -> list[Path]:
    """Return every image file under ``folder``, by path; hidden ones, as notebooks, thumbnailers and archives leave them, are none of the images.

    Raises:
        BenchError: there is none, or some are of a form that is not read.
    """
    from PIL import Image

    every = sorted(file for file in folder.rglob("*") if file.is_file() and not _hidden(file.relative_to(folder)))
    found = [file for file in every if file.suffix.lower() in ENDINGS]
    if not found:
        raise BenchError(f"{folder} holds neither a run nor images ({', '.join(ENDINGS)}).")
    Image.init()
    others = [file for file in every if file not in set(found) and Image.EXTENSION.get(file.suffix.lower()) in Image.OPEN]
    if others:
        raise BenchError(
            f"{folder} holds {len(others)} images of other forms, first {others[0].name}: they would be left out without a word; expected "
            f"{', '.join(ENDINGS)}. Save them as PNG, or take them out of the folder."
        )
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def folder_features(files: Sequence[Path], network: Network, track: Track, device: str, advance: Callable[[int], None]) -> npt.NDArray[np.float32]:
    """Return the features of image files, shape (files, width), in their order.

    Args:
        files: from :func:`image_files`.
        network: whose features; the track's weights must be the same.
        track: gives the network its weights.
        device: a torch device string.
        advance: called with the number of images just done.

    Raises:
        BenchError: a file is no readable image, or one that clean-fid and we would read as another picture, or the track's weights are others.
    """
    for file in files:
        check_file(file)  # also of those whose features are kept: they may have been made before such files were refused
    reader = _Reader(network, track, device)
    kept = data_folder() / "features" / f"{network.kind.info.name}-{network.fingerprint[:16]}"
    parts = []
    for start in range(0, len(files), CHUNK):
        chunk = files[start : start + CHUNK]
        hashes = [sha256(file) for file in chunk]
        parts.append(_chunk(kept / f"{digest({'images': hashes})[:32]}.parquet", chunk, hashes, reader))
        advance(len(chunk))
    return np.concatenate(parts)


class _Reader:
    """The network, loaded when the first image is not known yet."""

    def __init__(self, network: Network, track: Track, device: str) -> None:
        self._network, self._track, self._device = network, track, device
        self._scorer: Any = None

    def features(self, file: Path) -> list[float]:
        if self._scorer is None:
            self._scorer = self._loaded()
        image = read_rgb(file)
        image.flags.writeable = False
        found: list[float] = self._scorer.features(image)
        return found

    def _loaded(self) -> Any:
        from bench.runs.scores import choose_scorers, make_scorer

        name = self._network.kind.info.name
        (planned,) = choose_scorers([name], self._track)
        if planned.fingerprint != self._network.fingerprint:
            raise BenchError(
                f"The run's features are of {name} with other weights or another version than the track {self._track.name} has now. "
                f"Score the run again: bench score RUN --scorer {name}"
            )
        one_thread()
        scorer = make_scorer(name, self._track)
        scorer.load(Context(self._track, self._device))
        return scorer


def _chunk(path: Path, files: Sequence[Path], hashes: Sequence[str], reader: _Reader) -> npt.NDArray[np.float32]:
    """Return the features of some files, from the table at ``path`` where it is whole."""
    if path.is_file():
        try:
            table = read_table(path)
            if table["sha256"].to_pylist() == list(hashes):
                return _values(table)
        except BenchError:
            pass  # a damaged file is made again
    rows = [{"sha256": name, "features": reader.features(file)} for name, file in zip(hashes, files, strict=True)]
    schema = pa.schema([("sha256", pa.string()), ("features", pa.list_(pa.float32(), len(rows[0]["features"])))])
    write_table(path, rows, schema, {})
    return _values(read_table(path))


def _values(table: pa.Table) -> npt.NDArray[np.float32]:
    column = table["features"].combine_chunks()
    return np.asarray(column.flatten().to_numpy(), dtype=np.float32).reshape(len(column), -1)
