"""A user's image as RGB: modes that Pillow maps to other pictures are refused in one line, all others are what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.fid.folder import folder_features
from bench.files.rgb import check_file, read_rgb
from bench.parity.pictures import pictures
from bench.tracks import load_track
from training.libraalign.dataset import decode_bytes

RAMP = np.tile(np.arange(64, dtype=np.uint16) * 1024, (48, 1))
"""Grey of 16 bits, from black to nearly white; Pillow's own conversion makes all but its first column white."""


def pgm(path: Path, most: int) -> None:
    path.write_bytes(f"P5 64 48 {most}\n".encode() + RAMP.byteswap().tobytes())


def write(path: Path, case: str) -> Path:
    match case:
        case "16-bit PNG" | "16-bit TIFF":
            Image.fromarray(RAMP).save(path)
        case "16-bit PGM":
            pgm(path, 65535)
        case "32-bit TIFF":
            Image.fromarray(RAMP.astype(np.int32)).save(path)
        case "float TIFF":
            Image.fromarray((RAMP / 65535).astype(np.float32)).save(path)
    return path


REFUSED = {
    "16-bit PNG": ("a.png", r"a grey image of 16 bits \(mode I;16\)"),
    "16-bit TIFF": ("a.tif", r"a grey image of 16 bits \(mode I;16\)"),
    "16-bit PGM": ("a.pgm", r"a grey image of more than 8 bits \(mode I\)"),
    "32-bit TIFF": ("a.tiff", r"a grey image of more than 8 bits \(mode I\)"),
    "float TIFF": ("a.tif", r"a floating-point image \(mode F\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_turn_white_or_black_is_refused(case: str, tmp_path: Path) -> None:
    name, says = REFUSED[case]
    file = write(tmp_path / name, case)
    assert np.asarray(Image.open(file).convert("RGB")).std() < 32  # what it was read as: one colour but for a column
    for read in (lambda: read_rgb(file), lambda: check_file(file), lambda: decode_bytes(file.read_bytes())):
        with pytest.raises(BenchError, match=rf"is {says}.*; expected 8 bits a channel\. Save it as an 8-bit PNG") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_folder_for_parity_names_the_file(tmp_path: Path) -> None:
    folder, made = tmp_path / "pictures", tmp_path / "made"
    folder.mkdir()
    made.mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "0.png")
    Image.fromarray(RAMP).save(folder / "a.png")
    with pytest.raises(BenchError, match=r"a\.png is a grey image of 16 bits"):
        pictures(folder, (), made)


def test_a_folder_is_refused_before_any_network_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    Image.new("RGB", (8, 8), "red").save(tmp_path / "0.png")
    Image.fromarray(RAMP).save(tmp_path / "1.png")
    calls: list[int] = []
    with pytest.raises(BenchError, match=r"1\.png is a grey image of 16 bits"):
        folder_features([tmp_path / "0.png", tmp_path / "1.png"], None, load_track("mini"), "cpu", calls.append)  # type: ignore[arg-type]
    assert calls == [] and not (tmp_path / "data").exists()


def scene() -> Image.Image:
    """A picture of soft colours, as grey, palette, CMYK and bits stand for it."""
    across, down = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_other_mode_is_what_it_shows(mode: str, tmp_path: Path) -> None:
    picture = scene().convert(mode)
    file = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(file)
    found = read_rgb(file)
    assert found.dtype == np.uint8 and found.shape == (48, 64, 3) and found.flags.writeable
    np.testing.assert_array_equal(found, np.asarray(picture.convert("RGB")))
    check_file(file)


def upper(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    return values >> 8


def test_16_bit_colour_keeps_its_upper_bits(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6 64 48 65535\n" + np.repeat(RAMP[..., None], 3, axis=-1).byteswap().tobytes())
    assert np.abs(read_rgb(tmp_path / "a.ppm")[..., 0].astype(int) - upper(RAMP)).max() <= 1


def test_what_is_no_image_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"a\.png is no readable image: .*run the same command again") as caught:
        read_rgb(tmp_path / "a.png")
    assert "\n" not in str(caught.value)
