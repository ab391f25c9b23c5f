"""Files of tracks as users have them: what is no YAML, no UTF-8 or no track is one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import bench.tracks
from bench.errors import BenchError
from bench.tracks import load_track


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("summary: caf\xe9\n".encode("latin-1"), "is not UTF-8: byte 12. Save it again as UTF-8"),
        ("name: x\n".encode("utf-16"), "is not UTF-8"),
        (b"a: [1", r"own\.yaml:1:6 is not YAML: "),
        (b"name: x\nname: y\n", r"own\.yaml:2:1: 'name' stands twice, first in line 1\. Keep one\."),
        (b"summary: x\nproxy: maybe\n", r"own\.yaml:2:1 does not describe a track: proxy: "),
        (b"summary: x\n", r"own\.yaml:1:1 does not describe a track: proxy: Field required"),
        (b"[" * 5000, "is not YAML: "),
        (b"- a list\n", "does not describe a track"),
    ],
)
def test_what_is_no_track_is_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(BenchError, match=says) as caught:
        load_track(str(tmp_path / "own.yaml"))
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_track(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").mkdir()
    with pytest.raises(BenchError, match="cannot be read: Is a directory"):
        load_track(str(tmp_path / "own.yaml"))


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    text = yaml.safe_dump(load_track("mini").model_dump(mode="json"))
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8-sig")
    assert load_track(str(tmp_path / "own.yaml")).base == load_track("mini").base


@pytest.mark.parametrize(
    ("widths", "says"),
    [
        ("{pickscore: 0, safety_cost: 2}", "greater than 0"),
        ("{pickscore: .inf, safety_cost: 2}", "finite"),
        ("{pick: 2}", "there is a width of 'pick' and no centre"),
    ],
)
def test_widths_are_above_zero_and_stand_beside_centres(widths: str, says: str, tmp_path: Path) -> None:
    own = (Path(bench.tracks.__file__).parent / "mini.yaml").read_text()
    lines = [line for line in own.splitlines() if not line.startswith("widths:")]
    (tmp_path / "own.yaml").write_text("\n".join([*lines, f"widths: {widths}"]))
    with pytest.raises(BenchError, match=says):
        load_track(str(tmp_path / "own.yaml"))
