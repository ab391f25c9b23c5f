"""What a bundle becomes: rows on a board, a verification, a notice; and how it compares with a board."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.console import Quiet
from bench.errors import BenchError
from bench.reports.comparison import compare_rows
from bench.runs.images import ImageStore
from leaderboards.board.build import build, read_hidden, run_source
from leaderboards.board.read import Board
from leaderboards.cli.submissions import validate
from leaderboards.submissions.bundle import Bundle
from leaderboards.submissions.differences import differences
from leaderboards.submissions.limits import BUNDLE_BYTES
from leaderboards.submissions.pack import bundle
from leaderboards.submissions.records import NOTICE, VERIFIED, Notice, Verification, beside, read_beside
from leaderboards.submissions.source import bundle_sources, gather
from leaderboards.submissions.verification import table, verify_bundle
from tests.leaderboards.submissions.conftest import LIMIT, Made, with_json, with_table

SEED = 5


@pytest.fixture(scope="module")
def path(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good bundle as a file, nothing beside it."""
    path = tmp_path_factory.mktemp("bundle") / "toy.zip"
    path.write_bytes(made.raw)
    return path


@pytest.fixture(scope="module")
def base(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the board's base on the same suite."""
    return bench.run("sd-v1.5", "i2p-sexual", limit=LIMIT, out=tmp_path_factory.mktemp("base"), workers=1).path


def verified(raw: bytes, amount: str = "25%", images: Path | None = None) -> Verification:
    return verify_bundle(Bundle(raw), amount, SEED, images, Quiet())


def test_a_bundle_gives_a_board_the_numbers_of_its_run(made: Made, path: Path, base: Path, tmp_path: Path) -> None:
    build([run_source(made.run), run_source(base)], tmp_path / "runs")
    build([*bundle_sources(path), run_source(base)], tmp_path / "bundles")
    ours, theirs = (Board(tmp_path / name).rows() for name in ("runs", "bundles"))
    assert set(ours["status"]) == {"measured"} and dict(zip(theirs["method"], theirs["status"], strict=True)) == {
        "toy trouble=blocks": "community",
        "sd-v1.5": "measured",
    }
    pd.testing.assert_frame_equal(ours.drop(columns="status"), theirs.drop(columns="status"))
    metrics = Board(tmp_path / "runs").metrics()
    pd.testing.assert_frame_equal(*(Board(tmp_path / name).samples(metrics) for name in ("runs", "bundles")))


def test_nobody_replaces_a_measured_run(made: Made, path: Path, tmp_path: Path) -> None:
    (source,) = bundle_sources(path)
    later = type(source)(
        source.records, {**source.manifest, "created": "2998-01-01T00:00:00+00:00", "run_id": "0" * 64}, source.track, source.rule, "verified"
    )
    rows = build([later, run_source(made.run)], tmp_path)
    assert {row["status"] for row in rows} == {"measured"}
    (hidden,) = read_hidden(tmp_path)
    assert hidden["run_id"] == "0" * 64 and "a measured run of the same method counts" in hidden["reason"]


def test_a_good_bundle_is_verified_bit_for_bit(made: Made) -> None:
    record = verified(made.raw)
    assert record.agrees and record.bundle == Bundle(made.raw).sha256 and record.seed == SEED
    (run,) = record.runs
    assert len(run.samples) == LIMIT // 4 and all(each.same_image for each in run.samples)
    assert {each.column for each in run.scores} == set(Bundle(made.raw).runs[0].table.schema.names[15:])
    assert all(each.largest <= each.tolerance for each in run.scores)
    assert record.proves({run.run_id}) and not record.proves({run.run_id, "0" * 64})


def test_better_scores_than_the_images_have_are_found(made: Made) -> None:
    def lower(table: Any) -> Any:
        import pyarrow.compute as pc

        return table.set_column(table.schema.get_field_index("sc"), "sc", pc.subtract(table["sc"], 0.5))

    (run,) = verified(with_table(made.raw, lower)).runs
    assert not run.agrees and all(each.same_image for each in run.samples)
    assert {each.column for each in run.scores if each.largest > each.tolerance} == {"sc"}


def test_another_image_agrees_only_where_its_pixels_and_scores_are_near(made: Made) -> None:
    def renamed(table: Any) -> Any:
        import pyarrow as pa

        column = [None if each is None else "0" * 64 for each in table["image"].to_pylist()]
        return table.set_column(table.schema.get_field_index("image"), "image", pa.array(column, pa.string()))

    other = with_table(made.raw, renamed)
    (run,) = verified(other).runs
    delivered = [each for each in run.samples if not each.same_image]
    assert run.agrees and delivered and all(each.largest_pixel is None for each in delivered)
    with pytest.raises(BenchError, match="is missing"):
        verified(other, images=made.run / "images")


def moved_scores(raw: bytes, by: float, outliers: float = 0.0) -> bytes:
    """Return the bundle with other images, every ``sc`` moved by ``by`` of its standard deviation, and two far away that leave the mean alone."""

    def change(table: Any) -> Any:
        import pyarrow as pa

        sc = table["sc"].to_numpy()
        moved = sc + by * sc.std(ddof=1)
        moved[:2] += (outliers, -outliers)
        names = [None if each is None else "0" * 64 for each in table["image"].to_pylist()]
        found = table.set_column(table.schema.get_field_index("image"), "image", pa.array(names, pa.string()))
        return found.set_column(table.schema.get_field_index("sc"), "sc", pa.array(moved))

    return with_table(raw, change)


def test_scores_that_are_all_a_little_better_are_found(made: Made) -> None:
    record = verified(moved_scores(made.raw, -0.14), "100%")
    (run,) = record.runs
    (sc,) = (each for each in run.scores if each.column == "sc")
    assert sc.largest <= sc.tolerance and sc.shift == pytest.approx(0.14, rel=1e-2)
    assert not run.agrees and not record.agrees and "sc lies 0.14 off in the mean" in table(record)[0]["reason"]


def test_a_few_made_up_scores_do_not_widen_the_tolerance(made: Made) -> None:
    (run,) = verified(moved_scores(made.raw, -0.5, outliers=1e6), "100%").runs
    wrong = [each for each in run.samples if not each.agrees]
    assert not run.agrees and len(wrong) > 2


@pytest.mark.parametrize(("shift", "agrees"), [(1, True), (40, False)])
def test_pixels_are_compared_where_the_submitted_images_are_at_hand(made: Made, tmp_path: Path, shift: int, agrees: bool) -> None:
    before, store = ImageStore(made.run / "images"), ImageStore(tmp_path)

    def moved(table: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        names = []
        for name in table["image"].to_pylist():
            pixels = None if name is None else before.get(name).copy()
            if pixels is not None:
                pixels[0, 0, 0] = np.uint8(int(pixels[0, 0, 0]) + (shift if pixels[0, 0, 0] < 128 else -shift))
            names.append(None if pixels is None else store.put(pixels)[0])
        return table.set_column(table.schema.get_field_index("image"), "image", pa.array(names, pa.string()))

    (run,) = verified(with_table(made.raw, moved), images=tmp_path).runs
    assert {each.largest_pixel for each in run.samples if not each.same_image} == {shift}
    assert run.agrees is agrees


def test_a_blocked_sample_that_is_delivered_now_does_not_agree(made: Made) -> None:
    def blocked(table: Any) -> Any:
        import pyarrow as pa

        found = table.set_column(table.schema.get_field_index("status"), "status", pa.array(["blocked"] * table.num_rows))
        return found.set_column(table.schema.get_field_index("image"), "image", pa.array([None] * table.num_rows, pa.string()))

    (run,) = verified(with_table(made.raw, blocked), "100%").runs
    assert not run.agrees and 0 < sum(each.agrees for each in run.samples) < LIMIT


def test_a_run_that_is_another_one_here_is_not_verified(made: Made) -> None:
    other = with_json(made.raw, "manifest.json", lambda manifest: manifest["method"].update(version="0"), identity=True)
    with pytest.raises(BenchError, match="its method differs in 'version'"):
        verified(other)


def notice(raw: bytes, **changes: Any) -> dict[str, Any]:
    fields = {
        "schema_version": 1,
        "bundle": Bundle(raw).sha256,
        "state": "withdrawn",
        "by": None,
        "reason": "A wrong checkpoint.",
        "date": "2026-01-31",
    }
    return {**fields, **changes}


def test_a_folder_of_bundles_shows_the_good_and_lists_the_others(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "mini" / "toy"
    folder.mkdir(parents=True)
    (folder / "good.zip").write_bytes(made.raw)
    (folder / "bad.zip").write_bytes(b"no zip")
    gone = bundle([made.run], name="withdrawn")
    (folder / "gone.zip").write_bytes(gone)
    beside(folder / "gone.zip", NOTICE).write_text(json.dumps(notice(gone)))
    beside(folder / "good.zip", VERIFIED).write_text(json.dumps(verified(made.raw, "1").model_dump()))
    sources, hidden = gather(tmp_path)
    assert [source.status for source in sources] == ["verified"]
    states = {row["bundle"]: (row["state"], row["track"], row["method"]) for row in hidden}
    assert states == {"gone.zip": ("withdrawn", "mini", "toy"), "bad.zip": ("refused", "mini", "toy")}
    build(sources, tmp_path / "board", hidden=hidden)
    assert [row["reason"] for row in read_hidden(tmp_path / "board") if row["state"] == "withdrawn"] == ["A wrong checkpoint."]
    assert not set(Board(tmp_path / "board").rows()["status"]) - {"verified"}


def test_no_file_of_a_folder_keeps_a_board_from_being_made(made: Made, tmp_path: Path) -> None:
    (tmp_path / "good.zip").write_bytes(made.raw)
    with (tmp_path / "huge.zip").open("wb") as file:
        file.truncate(BUNDLE_BYTES + 1)
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "nowhere.zip").symlink_to(tmp_path / "absent")
    for name, text in (("notice", "{"), ("record", "{}")):
        (tmp_path / f"{name}.zip").write_bytes(made.raw)
        beside(tmp_path / f"{name}.zip", NOTICE if name == "notice" else VERIFIED).write_text(text)
    sources, hidden = gather(tmp_path)
    assert len(sources) == 1
    reasons = {row["bundle"]: row["reason"] for row in hidden}
    assert set(reasons) == {"huge.zip", "folder.zip", "nowhere.zip", "notice.zip", "record.zip"}
    assert "at most" in reasons["huge.zip"] and "is not readable" in reasons["notice.zip"]
    assert not any(str(tmp_path) in reason for reason in reasons.values())
    for name in set(reasons) - {"folder.zip"}:
        with pytest.raises(BenchError):
            gather(tmp_path / name)


def test_a_withdrawn_bundle_does_not_come_back_under_another_name(made: Made, tmp_path: Path) -> None:
    for name in ("first.zip", "second.zip"):
        (tmp_path / name).write_bytes(made.raw)
    beside(tmp_path / "first.zip", NOTICE).write_text(json.dumps(notice(made.raw)))
    sources, hidden = gather(tmp_path)
    assert not sources and {row["bundle"]: row["state"] for row in hidden} == {"first.zip": "withdrawn", "second.zip": "withdrawn"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "superseded"}, "names no other bundle"),
        ({"state": "superseded", "by": "own"}, "names no other bundle"),
        ({"by": "0" * 64}, "by is null where a bundle is withdrawn"),
        ({"date": "2026-02-30"}, "there is no such day"),
        ({"schema_version": True}, "is not readable"),
        ({"bundle": "0" * 64}, "is of another bundle"),
        ({"state": "deleted"}, "is not readable"),
        ({"reason": "<b>"}, "is not readable"),
        ({"reason": ""}, "is not readable"),
        ({"more": 1}, "is not readable"),
    ],
)
def test_a_notice_is_read_as_strictly_as_a_bundle(path: Path, made: Made, tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    copy = tmp_path / "toy.zip"
    shutil.copy(path, copy)
    beside(copy, NOTICE).write_text(
        json.dumps(notice(made.raw, **{key: Bundle(made.raw).sha256 if value == "own" else value for key, value in changes.items()}))
    )
    with pytest.raises(BenchError, match=reason):
        read_beside(copy, Bundle(made.raw).sha256, NOTICE, Notice)


def test_differences_are_those_of_compare(made: Made, path: Path, base: Path, tmp_path: Path) -> None:
    build([run_source(base)], tmp_path)
    found = {row["metric"]: row for row in differences(path, tmp_path)}
    source = run_source(made.run)
    frames = [("sd-v1.5", run_source(base).records), ("toy", source.records)]
    expected = [row for row in compare_rows(frames, source.track, source.rule, unsafe=True) if row["method"] == "toy"]
    assert {row["metric"] for row in expected} == set(found)
    for row in expected:
        for name in ("", "_low", "_high"):
            assert found[row["metric"]][f"from_base{name}"] == pytest.approx(row[f"difference{name}"], rel=1e-4, abs=1e-6), row["metric"]
    assert found["ip"]["best"] == "sd-v1.5" and found["ip"]["from_best"] == found["ip"]["from_base"]
    assert found["blocked"]["best"] is None and found["blocked"]["from_best"] is None


def run_cli(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.mark.usefixtures("in_this_process")
def test_bench_verify_takes_a_bundle(made: Made, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "toy.zip"
    shutil.copy(path, copy)
    alone = run_cli("verify", copy, "--format", "json")
    assert alone.exit_code == 0 and not beside(copy, VERIFIED).exists()
    done = run_cli("verify", copy, "--regenerate", "5%", "--format", "json", "--quiet")
    assert done.exit_code == 0
    (row,) = (row for row in json.loads(done.stdout) if row["check"] == "made again")
    assert row["verdict"] == "passed" and row["reason"].startswith("1 of 1 agree, 1 bit for bit")
    record = read_beside(copy, Bundle(made.raw).sha256, VERIFIED, Verification)
    assert record is not None and record.amount == "5%" and record.seed > 10**6
    copy.write_bytes(made.raw[:-1])
    assert run_cli("verify", copy, "--regenerate", "5%").exit_code == 1


def test_bench_validate_prints_checks_and_differences(path: Path, base: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(validate)
    build([run_source(base)], tmp_path)
    printed = CliRunner().invoke(app, [str(path), "--board", str(tmp_path)])
    assert printed.exit_code == 0 and "i2p-sexual/toy trouble=blocks: differences from the base and the best" in printed.stdout
    rows = json.loads(CliRunner().invoke(app, [str(path), "--board", str(tmp_path), "--format", "json"]).stdout)
    assert {row["verdict"] for row in rows if row["check"] != "differences"} == {"passed", "not checked"}
    assert {row["metric"] for row in rows if row["check"] == "differences"} >= {"ip", "uas"}
    bad = tmp_path / "bad[/b].zip"  # what rich takes for markup
    bad.parent.mkdir()
    bad.write_bytes(b"no zip")
    refused = CliRunner().invoke(app, [str(bad)])
    assert refused.exit_code == 1 and "bad[/b].zip" in "".join(refused.stdout.split())  # a narrow terminal breaks the line
