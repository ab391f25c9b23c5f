"""Folders as people have them: each file is one sample's, surely, or the folder is refused with the ways to name its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.importing.folder import By, from_folder

IDS = ["i2p-0000", "i2p-0001", "i2p-0002", "i2p-0003"]
SHUFFLED = ["i2p-00002", "i2p-00000", "i2p-00003", "i2p-00001"]
WORDS = ["cat", "dog", "owl"]
FIRST = {("i2p-0000", 0), ("i2p-0001", 0)}

Draw = Callable[..., Path]


def keys(folder: Path, ids: list[str] = IDS, by: By | None = None) -> set[tuple[str, int]]:
    return {each.key for each in from_folder(folder, ids, "i2p", by).found}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["i2p-0000.png", "i2p-0001.png"], FIRST),
        (["i2p-0000.PNG", "i2p-0001.JPG"], FIRST),
        (["i2p-0000.webp", "i2p-0001.bmp"], FIRST),
        (["i2p-0000_0.png", "i2p-0001_0.png"], FIRST),
        (["i2p-0000-1.jpg", "i2p-0001-1.jpeg"], FIRST),  # counted from 1
        (["i2p-0000 (1).png", "i2p-0001 (1).png"], FIRST),
        (["0.png", "1.png"], FIRST),
        (["00000.png", "00001.png"], FIRST),
        (["0_0.png", "0_1.png", "1_0.png"], FIRST | {("i2p-0000", 1)}),
        (["i2p-0.png", "i2p-1.png"], FIRST),
        (["i2p-0000.png", "i2p-0000-1.png"], {("i2p-0000", 0), ("i2p-0000", 1)}),
        (["i2p-0000/0.png", "i2p-0001/0.png"], FIRST),
        (["i2p-0000/1.png", "i2p-0000/2.png"], {("i2p-0000", 0), ("i2p-0000", 1)}),
        (["i2p-0000/0.png", "i2p-0000/2.png"], {("i2p-0000", 0), ("i2p-0000", 2)}),
        (["00000/b10.png", "00000/b2.png"], {("i2p-0000", 0), ("i2p-0000", 1)}),
        (["i2p-0000/483920.png", "i2p-0001/7.png"], FIRST),  # seeds, or whatever
    ],
)
def test_layouts_that_people_have(names: list[str], expected: set[tuple[str, int]], draw: Draw) -> None:
    assert keys(draw(*names)) == expected


def test_within_a_prompts_folder_names_sort_as_people_count(draw: Draw) -> None:
    found = {each.key: each.where for each in from_folder(draw("i2p-0000/b10.png", "i2p-0000/b2.png"), IDS, "i2p").found}
    assert found == {("i2p-0000", 0): "i2p-0000/b2.png", ("i2p-0000", 1): "i2p-0000/b10.png"}


def test_numbers_from_one_are_said(draw: Draw) -> None:
    assert "numbered from 1" in from_folder(draw("i2p-0000_1.png", "i2p-0000_2.png"), IDS, "i2p").told_by


@pytest.mark.parametrize("start", [0, 1])
def test_places_in_the_order_of_prompts_without_numbers(start: int, draw: Draw) -> None:
    folder = draw(*(f"{number}.png" for number in range(start, start + 3)))
    found = from_folder(folder, WORDS, "mine")
    assert {each.file and each.file.name: each.prompt_id for each in found.found} == dict(
        zip([f"{start + n}.png" for n in range(3)], WORDS, strict=True)
    )
    assert "order" in found.told_by
    assert keys(folder, WORDS, By.ORDER) == keys(folder, WORDS)


def test_an_order_that_has_gaps_is_no_order(draw: Draw) -> None:
    with pytest.raises(BenchError, match=r"2 of 2 images name no prompt of i2p, first 0\.png.*--by order"):
        keys(draw("0.png", "2.png"), WORDS)
    assert keys(draw("0.png", "2.png"), WORDS, By.ORDER) == {("cat", 0), ("owl", 0)}


def test_numbers_that_are_ids_and_places_are_asked_about(draw: Draw) -> None:
    folder = draw("0.png", "1.png", "2.png", "3.png")
    with pytest.raises(BenchError, match=r"0\.png: i2p-00000 by id, i2p-00002 by order.*--by id or --by order"):
        keys(folder, SHUFFLED)
    by_id, by_order = (from_folder(folder, SHUFFLED, "i2p", by).found for by in By)
    assert [each.prompt_id for each in by_id] == sorted(SHUFFLED)
    assert [each.prompt_id for each in by_order] == SHUFFLED


@pytest.mark.parametrize("names", [["5.png", "6.png"], ["cat.png"], ["1.png", "2.png"]])
def test_by_order_refuses_what_is_no_place(names: list[str], draw: Draw) -> None:
    with pytest.raises(BenchError, match="--by order takes files that are numbered as the 3 prompts of i2p are"):
        keys(draw(*names), WORDS, By.ORDER)


def test_what_systems_leave_is_ignored_and_counted_and_the_rest_left_unread(draw: Draw) -> None:
    folder = draw("i2p-0000.png", ".hidden.png", "i2p-0001/0.png", "i2p-0001/deep/1.png")
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "grid.gif", "README", "i2p-0001/.DS_Store"):
        (folder / name).write_text("x")
    found = from_folder(folder, IDS, "i2p")
    assert {each.key for each in found.found} == FIRST
    assert found.hidden == 4
    assert dict(found.unread) == {".gif": 1, ".txt": 1, "without an ending": 1, "folder(s) within folders": 1}
    assert found.sentences() == [
        "Left unread: 1 .gif, 1 .txt, 1 folder(s) within folders, 1 without an ending.",
        "Ignored: 4 hidden or system file(s).",
    ]


def test_a_link_counts_as_the_file_that_it_names(draw: Draw, tmp_path: Path) -> None:
    folder = draw("i2p-0000.png")
    (folder / "i2p-0001.png").symlink_to(folder / "i2p-0000.png")
    assert keys(folder) == FIRST


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], r"holds no image \(\.png.*it is empty"),
        (["other-0.png", "i2p-0000.png"], r"1 of 2 images name no prompt of i2p, first other-0\.png; its ids are such as 'i2p-0000'"),
        (["9999.png"], "1 of 1 images name no prompt"),
        (["images/i2p-0000.png"], r"If the images lie in 'images', give .*images/images"),
        (["i2p-0000.png", "i2p-0000_0.png"], r"i2p-0000\.png and i2p-0000_0\.png are both image 0 of prompt i2p-0000"),
        (["i2p-0000.png", "i2p-0000.jpg"], "are both image 0"),
        (["i2p-0000.png", "i2p-0000/0.png"], "are both image 0"),
        (["i2p-0000_483920.png", "i2p-0000_0.png"], r"would be image 483920 of prompt i2p-0000; at most 1000"),
    ],
)
def test_what_is_refused(names: list[str], says: str, draw: Draw) -> None:
    with pytest.raises(BenchError, match=says) as caught:
        keys(draw(*names))
    assert "\n" not in str(caught.value)


def test_a_name_that_is_two_images_is_refused(draw: Draw) -> None:
    with pytest.raises(BenchError, match=r"cat-1\.png could be image 0 of 'cat-1' and image 1 of 'cat'"):
        keys(draw("cat-1.png"), ["cat", "cat-1", "dog"])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Cannot read the folder"):
        keys(tmp_path / "nowhere")


def test_letters_in_parts_are_the_same_letters(draw: Draw) -> None:
    assert keys(draw("cafe\u0301.png"), ["caf\u00e9", "b"]) == {("caf\u00e9", 0)}
