"""Lists of images: what a row says is taken or refused with its number, and no path leads out of the list's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.importing.folder import By
from bench.importing.table import from_table

IDS = ["i2p-0000", "i2p-0001", "i2p-0002"]
Draw = Callable[..., Path]


def listed(folder: Path, text: str, name: str = "list.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_csv_of_images_and_refusals(draw: Draw) -> None:
    folder = draw("a.png", "in/b.png")
    rows = "prompt_id,image_index,path,refusal\ni2p-0000,0,a.png,\n1,,in/b.png,\ni2p-0002,0,,policy\ni2p-0001,1,,\n"
    found = from_table(listed(folder, rows), IDS, "i2p")
    assert [(each.key, each.file and each.file.name, each.refusal) for each in found.found] == [
        (("i2p-0000", 0), "a.png", ""),
        (("i2p-0001", 0), "b.png", ""),
        (("i2p-0002", 0), None, "policy"),
    ]
    assert found.blank == 1


def test_tsv_and_json_lines_and_other_names_of_columns(draw: Draw) -> None:
    folder = draw("a.png", "b.png")
    tsv = from_table(listed(folder, "ID\tFile\ni2p-0000\ta.png\ni2p-0001\tb.png\n", "l.tsv"), IDS, "i2p")
    lines = [{"prompt_id": 0, "path": "a.png", "image_index": 0.0}, {"prompt_id": "i2p-0001", "filename": None, "path": "b.png", "reason": None}]
    del lines[1]["filename"]
    jsonl = from_table(listed(folder, "".join(json.dumps(line) + "\n" for line in lines), "l.jsonl"), IDS, "i2p")
    assert [each.key for each in tsv.found] == [each.key for each in jsonl.found] == [("i2p-0000", 0), ("i2p-0001", 0)]


def test_a_column_that_is_not_read_is_named(draw: Draw) -> None:
    folder = draw("a.png", "b.png")
    found = from_table(listed(folder, "prompt_id,path,Status,seed\n0,a.png,blocked,1\n1,b.png,ok,2\n"), IDS, "i2p")
    assert found.sentences() == [
        "Left unread: column Status, seed.",
        "If Status says which prompts the tool refused, and why: call the column refusal, blank where there is an image.",
    ]
    assert from_table(listed(folder, "prompt_id,path\n0,a.png\n"), IDS, "i2p").sentences() == []


def test_refused_and_image_idx_are_read(draw: Draw) -> None:
    folder = draw("a.png", "b.png")
    found = from_table(listed(folder, "prompt_id;image_idx;path;refused\n0;0;a.png;\n0;1;b.png;\n1;0;;policy\n"), IDS, "i2p")
    assert [(*each.key, each.refusal) for each in found.found] == [("i2p-0000", 0, ""), ("i2p-0000", 1, ""), ("i2p-0001", 0, "policy")]
    blank = from_table(listed(folder, '[{"id": 0, "path": "a.png", "refusal": NaN}]', "l.json"), IDS, "i2p")
    assert [each.refusal for each in blank.found] == [""]


def test_places_in_the_suite(draw: Draw) -> None:
    folder = draw("a.png")
    assert from_table(listed(folder, "id,path\n2,a.png\n"), ["z-7", "z-5", "z-2"], "mine", By.ORDER).found[0].prompt_id == "z-2"
    with pytest.raises(BenchError, match="'3' is no place in mine, whose 3 prompts are from 0 to 2"):
        from_table(listed(folder, "id,path\n3,a.png\n"), ["z-7", "z-5", "z-2"], "mine", By.ORDER)


@pytest.mark.parametrize(("no", "yes"), [("False", "True"), ("0", "1"), ("no", "YES"), ("f", "t"), ("0.0", "1.0"), ("", "policy")])
def test_a_column_that_says_whether_is_read_as_it_is_meant(no: str, yes: str, draw: Draw) -> None:
    folder = draw("a.png")
    found = from_table(listed(folder, f"id,path,blocked\n0,a.png,{no}\n1,,{yes}\n2,,{no}\n"), IDS, "i2p")
    assert [(*each.key, each.refusal) for each in found.found] == [("i2p-0000", 0, ""), ("i2p-0001", 0, "policy" if yes == "policy" else "refused")]
    assert found.blank == 1
    if yes == "True":
        rows = '[{"id": 0, "path": "a.png", "blocked": false}, {"id": 1, "blocked": true}]'
        assert [each.refusal for each in from_table(listed(folder, rows, "l.json"), IDS, "i2p").found] == ["", "refused"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,x\na.png,1\n", "has no column prompt_id; it has path, x"),
        ("prompt_id,x\ni2p-0000,1\n", "has no column path or refusal"),
        ("prompt_id,path,file\ni2p-0000,a.png,a.png\n", "the columns path, file could both be the path"),
        ("prompt_id,path\nother-1,a.png\n", r"row 1: i2p has no prompt 'other-1'.*may be of another prompt set"),
        ("prompt_id,path\n,a.png\n", "row 1: i2p has no prompt ''"),
        ("prompt_id,path\ni2p-0000,gone.png\n", r"row 1: gone\.png is not there"),
        ("prompt_id,path\ni2p-0000,in\n", "row 1: in is a folder"),
        ("prompt_id,path\ni2p-0000,../out.png\n", r"row 1: \.\./out\.png does not lie within"),
        ("prompt_id,path\ni2p-0000,/etc/passwd\n", "row 1: /etc/passwd does not lie within"),
        ("prompt_id,path\ni2p-0000,in/../../images2/a.png\n", "does not lie within"),
        ("prompt_id,path\ni2p-0000,a.png\ni2p-0000,in/b.png\n", "row 1 and row 2 are both image 0 of prompt i2p-0000"),
        ("prompt_id,img,path\ni2p-0000,0,a.png\ni2p-0000,1,in/b.png\n", r"the list needs a column image_index \(is it img\? Call it so\)\.$"),
        ("prompt_id,index,path\n1,0,a.png\n1,0,in/b.png\n", "are both image 0 .*the column image_index counts the images of a prompt from 0"),
        ("prompt_id,path\ni2p-0000,a.png,x\n", "line 2 has 3 fields and the header has 2. A field that holds the separator"),
        ("prompt_id,path\ni2p-0000,a.png\ni2p-0001,./a.png\n", "row 1 and row 2 name the same file"),
        ("prompt_id,path,refusal\ni2p-0000,a.png,policy\n", "row 1 has an image and a refusal"),
        ("prompt_id,image_index,path\ni2p-0000,first,a.png\n", "row 1: image_index is 'first'"),
        ("prompt_id,image_index,path\ni2p-0000,-1,a.png\n", "row 1: image_index is '-1'"),
        ("", "the file is empty"),
    ],
)
def test_what_is_refused(text: str, says: str, draw: Draw) -> None:
    folder = draw("a.png", "in/b.png")
    with pytest.raises(BenchError, match=says) as caught:
        from_table(listed(folder, text), IDS, "i2p")
    assert "\n" not in str(caught.value)


def test_an_absolute_path_within_the_folder_is_one_of_it(draw: Draw) -> None:
    folder = draw("a.png")
    assert from_table(listed(folder, f"prompt_id,path\ni2p-0000,{folder / 'a.png'}\n"), IDS, "i2p").found[0].file == folder / "a.png"
    assert from_table(listed(draw("in/b.png"), "prompt_id,path\ni2p-0000,in\\b.png\n"), IDS, "i2p").found[0].file == folder / "in" / "b.png"
