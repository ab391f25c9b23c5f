"""What an image file shows: upright, RGB, and what was done to it is said; an animation or a mode that must be guessed is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from bench.errors import BenchError
from bench.importing.pictures import read_picture

PIXELS = np.random.default_rng(0).integers(256, size=(6, 8, 3), dtype=np.uint8)


def saved(path: Path, picture: Image.Image | None = None, **options: object) -> Path:
    (picture or Image.fromarray(PIXELS)).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp"])
def test_lossless_formats_come_as_they_are(name: str, tmp_path: Path) -> None:
    read = read_picture(saved(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {})))
    assert (read.pixels == PIXELS).all()
    assert read.changed == ()


def test_a_turned_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    read = read_picture(saved(tmp_path / "a.png", exif=exif))
    assert (read.pixels == np.rot90(PIXELS, -1)).all()
    assert read.changed == ("turned upright by its EXIF note",)


def test_transparency_is_dropped_and_said_where_there_is_some(tmp_path: Path) -> None:
    alpha = np.full((6, 8, 1), 255, dtype=np.uint8)
    opaque = read_picture(saved(tmp_path / "a.png", Image.fromarray(np.concatenate([PIXELS, alpha], axis=2))))
    alpha[0, 0] = 7
    clear = read_picture(saved(tmp_path / "b.png", Image.fromarray(np.concatenate([PIXELS, alpha], axis=2))))
    assert (opaque.pixels == PIXELS).all() and (clear.pixels == PIXELS).all()
    assert (opaque.changed, clear.changed) == ((), ("transparency dropped",))


def test_grey_palettes_and_cmyk_become_rgb(tmp_path: Path) -> None:
    whole = Image.fromarray(PIXELS)
    grey, palette = (read_picture(saved(tmp_path / f"{mode}.png", whole.convert(mode))) for mode in ("L", "P"))
    cmyk = read_picture(saved(tmp_path / "c.jpg", whole.convert("CMYK")))
    assert grey.pixels.shape == palette.pixels.shape == cmyk.pixels.shape == (6, 8, 3)
    assert (grey.pixels[..., 0] == np.asarray(whole.convert("L"))).all()
    assert cmyk.changed == ("made RGB from CMYK",)


def test_a_profile_other_than_srgb_is_said(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert read_picture(saved(tmp_path / "a.png", icc_profile=srgb)).changed == ()
    assert read_picture(saved(tmp_path / "b.png", icc_profile=lab)).changed == ("colour profile not applied",)


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_an_animation_is_refused(name: str, tmp_path: Path) -> None:
    other = Image.fromarray(255 - PIXELS)
    path = saved(tmp_path / name, save_all=True, append_images=[other])
    with pytest.raises(BenchError, match=r"is an animation of 2 pictures; expected one"):
        read_picture(path)


def test_grey_of_16_bits_and_damage_are_refused_by_name(tmp_path: Path) -> None:
    deep = saved(tmp_path / "deep.png", Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 256))
    with pytest.raises(BenchError, match=r"deep\.png is a grey image of 16 bits"):
        read_picture(deep)
    torn = saved(tmp_path / "torn.png")
    torn.write_bytes(torn.read_bytes()[:60])
    with pytest.raises(BenchError, match=r"torn\.png is no readable image"):
        read_picture(torn)
