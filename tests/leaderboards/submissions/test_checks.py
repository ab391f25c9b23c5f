"""Every check passes a good bundle and fails the one lie that it is there to find, with every hash made to fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import bench
from bench.errors import BenchError
from bench.runs.spec import Reach
from leaderboards.submissions import validate
from leaderboards.submissions.archive import pack, unpack
from leaderboards.submissions.bundle import Bundle
from leaderboards.submissions.pack import bundle
from leaderboards.submissions.run_checks import RUN_CHECKS
from leaderboards.submissions.tree import misplaced
from leaderboards.submissions.verdicts import CheckResult, CheckVerdict
from tests.leaderboards.submissions.conftest import LIMIT, Made, failed, member, rehashed, with_json, with_table

Checked = Callable[[bytes], list[CheckResult]]


def test_a_good_bundle_passes_every_check(made: Made, checked: Checked) -> None:
    results = checked(made.raw)
    verdicts = {each.name: each.verdict for each in results}
    assert verdicts.pop("place") is CheckVerdict.NOT_CHECKED
    assert set(verdicts.values()) == {CheckVerdict.PASSED} and len(verdicts) == 3 + len(RUN_CHECKS)
    assert all(each.reason and "\n" not in each.reason for each in results)


def test_the_process_of_its_own_says_the_same(made: Made, checked: Checked, tmp_path: Path) -> None:
    expected = checked(made.raw)
    assert validate(tmp_path / "bundle.zip") == expected


def test_a_bundle_is_the_same_bytes_each_time_and_holds_no_prompt_and_no_path(made: Made) -> None:
    assert bundle([made.run], name="A. Tester", contact="tester@example.org") == made.raw
    whole = b"".join(unpack(made.raw).values())
    table = Bundle(made.raw).runs[0].table
    texts = {str(each) for each in bench.load_run(made.run).records()["prompt"]}
    assert not any(text.encode() in whole for text in texts)
    assert not texts & {value for name in table.schema.names if table.schema.field(name).type == pa.string() for value in table[name].to_pylist()}
    assert str(made.run.parents[2]).encode() not in whole
    assert not any(content.startswith(b"\x89PNG") for content in unpack(made.raw).values())


def test_the_records_of_a_bundle_are_those_of_the_run(made: Made) -> None:
    ours, theirs = bench.load_run(made.run).records(), Bundle(made.raw).runs[0].records
    shared = [name for name in theirs.columns if name not in ("prompt", "metadata")]
    assert set(ours.columns) - set(theirs.columns) == {"reason", "image_bytes"}
    pd.testing.assert_frame_equal(ours[shared], theirs[shared])
    assert theirs["status"].value_counts()["blocked"] > 0
    numbers = {(row["metric"], row["category"]): row["value"] for row in bench.runs.find.describe(bench.runs.folder.RunFolder(made.run)).rows()}
    for row in Bundle(made.raw).runs[0].results.rows:
        assert row.value == pytest.approx(numbers[row.metric, row.category], rel=1e-9)


def set_in(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *inside, last = path
        for key in inside:
            document = document[key]
        document[last] = to

    return change


def test_numbers_are_compared_to_the_last_digit(made: Made, checked: Checked) -> None:
    rows = json.loads(unpack(made.raw)[member(made.raw, "results.json")])["rows"]
    at = next(index for index, row in enumerate(rows) if row["metric"] == "pickscore")
    digits = f"{rows[at]['value']:.10g}"
    last = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    reasons = failed(checked(with_json(made.raw, "results.json", set_in("rows", at, "value", to=float(last)))))
    assert set(reasons) == {"numbers"} and "pickscore all: value is" in reasons["numbers"]


def test_a_number_that_contradicts_itself_cannot_be(made: Made, checked: Checked) -> None:
    reasons = failed(checked(with_json(made.raw, "results.json", set_in("rows", 0, "value", to=1.5))))
    assert "a share is from 0 to 1" in reasons["values"] and "numbers" in reasons


@pytest.mark.parametrize(
    ("ending", "path", "to", "check", "reason"),
    [
        ("manifest.json", ("samples",), LIMIT + 1, "counts", "the manifest says 17 samples and the table holds 16"),
        ("manifest.json", ("method", "parameters", "shift"), 7, "identity", "run id is not the hash"),
        ("manifest.json", ("settings", "dtype"), "float16", "identity", "run id is not the hash"),
        ("manifest.json", ("spec", "dtype"), "float16", "identity", "the spec asks for other settings"),
        ("manifest.json", ("spec", "parameters"), {"trouble": "x"}, "identity", "the spec asks for other parameters"),
        ("manifest.json", ("spec", "parameters"), {"more": 1}, "identity", "the spec asks for other parameters"),
        ("manifest.json", ("spec", "scheduler"), "pndm", "identity", "the spec asks for another sampler"),
        ("manifest.json", ("spec", "scheduler"), "best", "identity", "best"),
        ("manifest.json", ("proxy",), False, "identity", "whether its numbers are proxies"),
        ("manifest.json", ("scorers", "sc", "version"), "9", "identity", "fingerprint of the scorer sc"),
        ("manifest.json", ("suite", "unsafe"), False, "suite", "the manifest says that the suite is safe"),
        ("manifest.json", ("created",), "2999-01-01T00:00:00+00:00", "values", "yet to come"),
        ("manifest.json", ("created",), "2999-99-01T00:00:00+00:00", "values", "there is no such date: '2999-99-01T00:00:00+00:00'"),
        ("manifest.json", ("schema_version",), True, "schema", "schema_version"),
        ("manifest.json", ("schema_version",), 1.0, "schema", "schema_version"),
        ("manifest.json", ("spec", "numerics"), {"more": 1}, "identity", "the spec has the setting 'more', which bench does not know"),
        ("manifest.json", ("spec", "numerics"), {"attention": "best"}, "identity", "Unknown attention"),
        (
            "manifest.json",
            ("suite", "screened_out"),
            3,
            "suite",
            "says that the suite has 300 prompts of which the screen took 3; here it has 300, and it took 0",
        ),
        ("manifest.json", ("suite", "total_prompts"), 5, "suite", "says that the suite has 5 prompts"),
        ("manifest.json", ("scorers", "sc", "columns"), ["sc", "sc"], "table", "names one column of the scorers twice"),
        ("manifest.json", ("track", "name"), "sd15", "schema", "the track is 'sd15' in one place"),
        ("manifest.json", ("versions", "torch"), "/opt/torch", "schema", "versions.torch"),
        ("manifest.json", ("versions", "torch"), "the newest", "schema", "versions.torch"),
        ("manifest.json", ("numerics",), {"attention": -1}, "schema", "attention is no setting, or -1 is none of its values"),
        ("manifest.json", ("numerics",), {"attention": "best"}, "schema", "Unknown attention"),
        ("manifest.json", ("numerics",), {"more": True}, "schema", "more is no setting"),
        ("manifest.json", ("machine",), {"system": "a long word of thanks"}, "schema", "machine.system"),
        ("manifest.json", ("spec", "dtype"), "float8", "schema", "spec.dtype"),
        ("method.json", ("summary",), "Weights from /srv/someone/weights, tuned.", "places", "a place of one machine"),
        ("method.json", ("summary",), "Read (~/weights/x) first.", "places", "a place of one machine"),
        ("method.json", ("licence",), "", "card", "lacks licence"),
        ("method.json", ("summary",), " \u00a0", "card", "lacks summary"),
        ("method.json", ("version",), "2", "identity", "method card and the manifest"),
        ("method.json", ("summary",), "<script>alert(1)</script>", "schema", "which HTML is made of"),
        ("method.json", ("kind",), "best", "schema", "kind"),
        ("bundle.json", ("name",), "a<b", "schema", "which HTML is made of"),
        ("bundle.json", ("name",), "a\u202eb", "schema", "control or invisible character"),
        ("bundle.json", ("schema_version",), 2, "schema", "schema_version"),
        ("bundle.json", ("extra",), 1, "schema", "extra"),
        ("bundle.json", ("runs",), [], "schema", "runs"),
        ("results.json", ("rule",), "glyphs", "numbers", "by the rule 'glyphs'"),
    ],
)
def test_a_changed_document_fails_its_check(
    made: Made, checked: Checked, ending: str, path: tuple[Any, ...], to: Any, check: str, reason: str
) -> None:
    reasons = failed(checked(with_json(made.raw, ending, set_in(*path, to=to))))
    assert reason in reasons[check], reasons


def test_data_without_a_name_is_no_data(made: Made, checked: Checked) -> None:
    named = with_json(made.raw, "method.json", lambda card: card.update(kind="fine-tune", trained_on=["", " "]))
    assert "trained_on" in failed(checked(named))["card"]


def test_a_track_that_is_not_here_is_no_track(made: Made, checked: Checked) -> None:
    def renamed(manifest: dict[str, Any]) -> None:
        manifest["track"]["name"] = manifest["spec"]["track"] = "mine"

    other = with_json(made.raw, "manifest.json", renamed, identity=True)
    other = with_json(other, "bundle.json", lambda index: index["runs"][0].update(track="mine"))
    assert "there is no track mine; bundles are of the tracks that all share: mini" in failed(checked(other))["schema"]


def test_another_scorer_is_found_even_where_its_fingerprint_fits(made: Made, checked: Checked) -> None:
    from bench.runs.spec import digest

    def change(manifest: dict[str, Any]) -> None:
        state = manifest["scorers"]["q16"]
        state["weights"] = dict.fromkeys(state["weights"], "0" * 64)
        state["fingerprint"] = digest({"scorer": "q16", **{key: state[key] for key in ("version", "parameters", "weights")}})

    reasons = failed(checked(with_json(made.raw, "manifest.json", change)))
    assert set(reasons) == {"scorers"} and "the scorer q16 ran with other weights" in reasons["scorers"]


def test_a_track_of_ones_own_is_found_even_where_the_run_id_fits(made: Made, checked: Checked) -> None:
    base = set_in("track", "base", "unet/config.json", to="0" * 64)
    assert "another base model" in failed(checked(with_json(made.raw, "manifest.json", base, identity=True)))["identity"]
    scheduler = set_in("track", "scheduler", "class", to="PNDMScheduler")
    assert "another sampler" in failed(checked(with_json(made.raw, "manifest.json", scheduler, identity=True)))["identity"]
    older = set_in("suite", "digest", to="0" * 64)
    assert "hash 000000000000; here is" in failed(checked(with_json(made.raw, "manifest.json", older, identity=True)))["suite"]


def replaced(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    field = table.schema.field(name)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))


def at_first(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    return lambda table: replaced(table, name, [value, *table[name].to_pylist()[1:]])


DETECTION = {"class": "AR", "score": 0.5, "box": [1.0, 1.0, 2.0, 2.0]}


@pytest.mark.parametrize(
    ("change", "check", "reason"),
    [
        (lambda table: table.slice(1), "suite", "1 sample(s) of the suite are not there"),
        (lambda table: pa.concat_tables([table.slice(1), table.slice(1, 1)]), "counts", "stands twice; 1 such row"),
        (at_first("prompt_id", "i2p-sexual-9999"), "suite", "1 sample(s) of the suite are not there and 1 are not of it"),
        (at_first("prompt_sha256", "0" * 64), "suite", "prompt_sha256 is"),
        (at_first("steps", 50), "suite", "steps is 50; the suite has 20"),
        (at_first("guidance", 7.5), "suite", "guidance is 7.5; the suite has 4.0"),
        (at_first("category", "benign"), "suite", "category is 'benign'"),
        (at_first("seed", 1), "seeds", "1 seed(s) are not those that the suite derives"),
        (at_first("seed", -1), "values", "seed holds -1"),
        (at_first("q16_inappropriate", 1.01), "values", "q16_inappropriate holds 1.01; possible is"),
        (at_first("sc", float("nan")), "values", "sc holds nan"),
        (at_first("sc", float("inf")), "values", "sc holds inf"),
        (at_first("pickscore", None), "values", "pickscore lacks 1 value(s)"),
        (at_first("severity", 3.5), "values", "severity holds 3.5"),
        (at_first("glyphs_detections", [{**DETECTION, "score": 1.5}]), "values", "glyphs_detections: score holds 1.5"),
        (at_first("glyphs_detections", [{**DETECTION, "box": [1.0, 1.0, 2.0]}]), "values", "four numbers of a box"),
        (at_first("glyphs_detections", [{**DETECTION, "box": [1.0, 1.0, -2.0, 2.0]}]), "values", "size of a box holds -2.0"),
        (at_first("glyphs_detections", [{**DETECTION, "class": "<b>"}]), "table", "holds < or >"),
        (at_first("glyphs_detections", [DETECTION] * 1001), "table", "more than 1000 detections"),
        (at_first("status", "failed"), "values", "a sample is 'failed'"),
        (at_first("status", None), "table", "the column status of samples.parquet lacks 1 values"),
        (at_first("image", "../../etc"), "values", "has no hash of its image"),
        (at_first("prompt_id", "a\nb"), "table", "control character"),
        (at_first("prompt_id", "x" * 201), "table", "a text that is long"),
        (lambda table: table.drop_columns(["sc"]), "table", "the manifest's scorers and the table's columns differ; first: 'sc'"),
        (lambda table: table.append_column("more", table["sc"]), "table", "differ; first: 'more'"),
        (lambda table: table.append_column("more", table["prompt_id"]), "table", "scores are numbers, flags or detections"),
        (lambda table: table.append_column("sc", table["sc"]), "table", "two columns of one name"),
        (lambda table: table.append_column("SC", table["sc"]), "table", "two columns of one name"),
        (lambda table: table.set_column(6, "seed", pc.cast(table["steps"], pa.float64())), "table", "the column seed of samples.parquet is 'double'"),
        (lambda table: table.slice(0, 0), "table", "it has 0 rows"),
        (
            lambda table: table.replace_schema_metadata({"bundle_schema": "1", "pandas": "{"}),
            "table",
            "more in its footer than `bench submit` writes: 'pandas'",
        ),
        (lambda table: table.replace_schema_metadata({"bundle_schema": "1", "<b>": "1"}), "table", "more in its footer"),
    ],
)
def test_a_changed_table_fails_its_check(made: Made, checked: Checked, change: Callable[[pa.Table], pa.Table], check: str, reason: str) -> None:
    reasons = failed(checked(with_table(made.raw, change)))
    assert reason in reasons[check], reasons


def test_a_better_score_is_found_by_the_numbers_and_fitting_numbers_are_left_to_verification(made: Made, checked: Checked) -> None:
    better = with_table(made.raw, lambda table: replaced(table, "sc", [value - 1 for value in table["sc"].to_pylist()]))
    assert set(failed(checked(better))) == {"numbers"}


def test_every_scorer_of_the_track_must_have_run(made: Made, checked: Checked) -> None:
    without = with_table(made.raw, lambda table: table.drop_columns(["sc"]))
    without = with_json(without, "manifest.json", lambda manifest: manifest["scorers"].pop("sc"))
    assert "scores lack of: sc" in failed(checked(without))["scorers"]


def test_hashes_and_members_must_fit(made: Made, checked: Checked) -> None:
    members = unpack(made.raw)
    name = member(made.raw, "method.json")
    assert "is not the file that bundle.json names" in failed(checked(pack({**members, name: members[name] + b" "})))["hashes"]
    assert "method.json is missing" in failed(checked(pack({key: value for key, value in members.items() if key != name})))["schema"]
    stray = {**members, "runs/other/method.json": members[name]}
    assert "is of no run that bundle.json lists" in failed(checked(rehashed(stray)))["schema"]
    twice = with_json(made.raw, "bundle.json", lambda index: index["runs"].append(index["runs"][0]))
    assert "lists one folder twice" in failed(checked(twice))["schema"]


def test_after_a_failed_archive_nothing_else_is_looked_at(checked: Checked) -> None:
    results = checked(b"no zip")
    assert [each.verdict for each in results] == [CheckVerdict.FAILED] + [CheckVerdict.NOT_CHECKED] * (3 + len(RUN_CHECKS))


def test_in_the_repository_the_place_says_what_a_bundle_is(tmp_path: Path) -> None:
    folder = tmp_path / "leaderboards" / "bundles" / "mini"
    assert misplaced(tmp_path / "a.zip", [("mini", "uce", Reach())]) is None
    assert misplaced(folder / "uce" / "a.zip", [("mini", "uce", Reach())]) == ""
    assert misplaced(folder / "unet-OWNER-NAME" / "a.zip", [("mini", "unet:OWNER/NAME", Reach())]) == ""
    assert "belongs in leaderboards/bundles/sd15/uce" in str(misplaced(folder / "uce" / "a.zip", [("sd15", "uce", Reach())]))
    assert "first 16 prompts" in str(misplaced(folder / "uce" / "a.zip", [("mini", "uce", Reach(16))]))


def test_what_makes_no_bundle_is_one_clear_line(made: Made, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is not a run folder"):
        bundle([tmp_path])
    with pytest.raises(BenchError, match="Two of these runs are of toy on i2p-sexual"):
        bundle([made.run, made.run])
    with pytest.raises(BenchError, match=r"no valid bundle: bundle\.json: 'name'"):
        bundle([made.run], name="<b>")
    few = bench.run("toy", "i2p-sexual", limit=2, out=tmp_path, workers=1, scorers=["q16"])
    with pytest.raises(BenchError, match=r"lacks scores of .*glyphs.*Run `bench score"):
        bundle([few.path])


def test_a_place_of_this_machine_is_refused_when_a_bundle_is_made(tmp_path: Path) -> None:
    done = bench.run("toy", "i2p-sexual", limit=2, parameters={"trouble": str(tmp_path / "weights")}, out=tmp_path, workers=1)
    with pytest.raises(BenchError, match="names a place of this machine"):
        bundle([done.path])
