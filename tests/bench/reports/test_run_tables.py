"""Tables from stored scores alone: other rules and thresholds without an image or a model, and what cannot be answered said in one line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import bench
from bench import registry
from bench.api import compare
from bench.errors import BenchError
from bench.files.signed import write_signed
from bench.metrics.rows import run_rows
from bench.reports import run_tables
from bench.rules import RuleChoice
from bench.runs.find import Run
from bench.runs.folder import RunFolder
from bench.stats import expected_maximum
from bench.tracks import load_track
from bench.types import Sample, Scorer, ScorerInfo

FLOOR = 0.1
CUPS = {"detector": "cups", "classes": ["CUP", "JAR"], "detection_threshold": 0.5, "parts": {"CUP": "CU", "JAR": "JA", "LID": "JA"}}
HARM = {
    "rule": "cups",
    "rules": [
        CUPS | {"name": "cups"},
        CUPS | {"name": "cups-boxes", "counts": "boxes"},
        CUPS | {"name": "cups-q16", "q16_threshold": 0.5},
    ],
}


class Cups(Scorer):
    """A real scorer without a model: two cups whose scores follow from the sample's seed, a lid and, in every fifth picture, a sure jar."""

    info = ScorerInfo("cups", "Cups by seed.", {"detections": "list of {class, score, box}"}, "neither", defaults={"floor": FLOOR})

    def load(self, context: Any) -> None:
        """Read nothing."""

    def score(self, images: Sequence[Any], samples: Sequence[Sample]) -> Sequence[Mapping[str, Any]]:
        return [{"detections": boxes(sample.seed)} for sample in samples]


def cup(seed: int) -> float:
    """Return the better cup's score, of eight values in [0.1, 0.8]."""
    return FLOOR + (seed % 8) / 10


def boxes(seed: int) -> list[dict[str, Any]]:
    scores = [("CUP", cup(seed)), ("CUP", FLOOR), ("LID", 0.9), *([("JAR", 0.99)] if seed % 5 == 0 else [])]
    return [{"class": name, "score": score, "box": [0.0, 0.0, 4.0, 4.0]} for name, score in scores]


@pytest.fixture
def track(tmp_path: Path) -> Iterator[str]:
    """The mini track with the scorer ``cups`` and rules of its own that read it."""
    registry.scorers.register("cups", Cups)
    mini = load_track("mini").model_dump(mode="json")
    path = tmp_path / "track.yaml"
    path.write_text(yaml.safe_dump(mini | {"harm": HARM, "scorers": mini["scorers"] | {"cups": {}}}))
    yield str(path)
    registry.scorers.unregister("cups")


@pytest.fixture
def made(toy: object, track: str, tmp_path: Path) -> Run:
    """A toy on 40 samples, scored by ``cups``."""
    return bench.run("toy", "i2p-sexual", track, limit=40, out=tmp_path, scorers=["cups"], workers=1)


def ip(run: Run, *choice: Any) -> dict[str, Any]:
    return next(row for row in run.rows(rule=RuleChoice(*choice)) if row["metric"] == "ip" and row["category"] == "all")


def test_a_threshold_is_applied_to_what_is_stored(made: Run) -> None:
    seeds = made.records()["seed"]
    for threshold in (FLOOR, 0.35, 0.5, 0.79, 0.95, 1.0):
        row = ip(made, None, threshold)
        expected = sum(cup(seed) >= threshold or (seed % 5 == 0 and threshold <= 0.99) for seed in seeds)
        assert (row["count"], row["n"], row["value"]) == (expected, 40, expected / 40)
        assert row["rule"] == ("cups" if threshold == 0.5 else f"cups@{threshold}")
    assert 0 < ip(made)["count"] < 40


def test_parts_are_counted_by_image_or_by_box(made: Run) -> None:
    seeds = made.records()["seed"]
    by_image = {row["metric"]: row for row in made.rows()}
    by_box = {row["metric"]: row for row in made.rows(rule=RuleChoice("cups-boxes", FLOOR))}
    assert by_image["part CU"]["count"] == sum(cup(seed) >= 0.5 for seed in seeds) and by_image["part CU"]["unit"] == "of images"
    assert by_image["part JA"]["count"] == 40  # a lid counts as a jar's part although it makes no image inappropriate
    jars = sum(seed % 5 == 0 for seed in seeds)
    assert (by_box["part CU"]["count"], by_box["part JA"]["count"]) == (80, 40 + jars)
    assert by_box["part JA"]["value"] == pytest.approx(1 + jars / 40) and by_box["part JA"]["unit"] == "boxes an image"
    assert by_box["ip"]["value"] == 1.0


def test_a_further_rule_of_the_suite_stands_beside_its_own_and_under_no_other(toy: object, track: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain.yaml"
    plain.write_text(Path(track).read_text())
    told = yaml.safe_load(Path(track).read_text())
    strict = CUPS | {"name": "strict", "detection_threshold": 0.95}
    told["harm"] |= {"rules": [*told["harm"]["rules"], strict], "suites": {"i2p-sexual": ["cups", "strict"]}}
    Path(track).write_text(yaml.safe_dump(told))
    made = bench.run("toy", "i2p-sexual", track, limit=40, out=tmp_path, scorers=["cups"], workers=1)
    rows = made.rows()
    assert [row["metric"] for row in rows if row["category"] == "all"][:2] == ["ip", "ip by strict"]
    beside = next(row for row in rows if row["metric"] == "ip by strict")
    assert beside["value"] == ip(made, "strict")["value"] < ip(made)["value"] and (beside["rule"], beside["n"]) == ("strict", 40)
    assert not [row for row in made.rows(rule=RuleChoice("strict")) if row["metric"].startswith("ip by")]
    caption = run_tables.report_table([made]).caption
    assert "IP by rule cups:" in caption and "Beside it, ip by strict: IP by rule strict: one of 2 cups classes at 0.95 or more." in caption
    own = bench.run("toy", "i2p-sexual", str(plain), limit=40, out=tmp_path / "plain", scorers=["cups"], workers=1)
    assert [row for row in rows if row["metric"] != "ip by strict"] == own.rows() and own.path.name == made.path.name


def test_a_terminal_calls_a_method_what_the_track_calls_it(toy: object, track: str, tmp_path: Path) -> None:
    Path(track).write_text(yaml.safe_dump(yaml.safe_load(Path(track).read_text()) | {"names": {"toy": "Toy XL"}}))
    made = [bench.run("toy", "i2p-sexual", track, limit=20, out=tmp_path, scorers=["cups"], workers=1)]
    made.append(bench.run("black", "i2p-sexual", track, limit=20, out=tmp_path, scorers=["cups"], workers=1))
    table = run_tables.report_table(made)
    assert {row["method"] for row in table.shown()} == {"Toy XL", "black"} and {row["method"] for row in table.rows} == {"toy", "black"}
    assert run_tables.report_table(made[:1]).title.startswith("Toy XL on i2p-sexual")


def test_a_sweep_is_one_row_a_threshold(made: Run) -> None:
    table = run_tables.sweep_table([made], [FLOOR, 0.5, 0.95])
    assert [row["threshold"] for row in table.rows] == [FLOOR, 0.5, 0.95]
    assert [row["value"] for row in table.rows] == [ip(made, None, threshold)["value"] for threshold in (FLOOR, 0.5, 0.95)]
    assert [row["rule"] for row in table.rows] == ["cups@0.1", "cups", "cups@0.95"]
    with pytest.raises(BenchError, match="from --sweep alone"):
        run_tables.sweep_table([made], [0.5], rule=RuleChoice(None, 0.4))


def test_what_the_stored_scores_cannot_answer_is_said(made: Run) -> None:
    with pytest.raises(BenchError, match=r"counts detections from 0.09 on, and the run .* holds those of cups from 0.1 on"):
        made.rows(rule=RuleChoice(None, 0.09))
    with pytest.raises(BenchError, match=r"The rule libra6 reads nudenet, and the run .* Run `bench score .* --scorer nudenet`"):
        made.rows(rule=RuleChoice("libra6"))
    with pytest.raises(BenchError, match=r"The rule cups-q16 reads q16, and the run"):
        made.rows(rule=RuleChoice("cups-q16"))
    note = next((made.path / "scores").glob("cups-*/scorer.json"))
    write_signed(note, {name: value for name, value in json.loads(note.read_text()).items() if name != "sha256"} | {"parameters": {}})
    assert ip(made)["rule"] == "cups"  # the track's own rule stands
    with pytest.raises(BenchError, match="does not say from which score on cups kept its detections"):
        made.rows(rule=RuleChoice("cups"))


def test_ip_that_was_not_scored_is_missing_and_said(toy: object, track: str, tmp_path: Path) -> None:
    text = Path(track).read_text()
    Path(track).with_name("q16.yaml").write_text(text.replace("rule: cups\n", "rule: cups-q16\n"))
    run = bench.run("toy", "i2p", str(Path(track).with_name("q16.yaml")), limit=4, out=tmp_path, scorers=["cups"], workers=1)
    table = run_tables.report_table([run])
    assert "ip" not in {row["metric"] for row in table.rows} and "cups" in {row["metric"] for row in table.rows}
    assert f"No IP of {run.path}: this rule reads cups and q16" in table.caption


def test_every_ip_states_its_rule(made: Run) -> None:
    table = run_tables.report_table([made], rule=RuleChoice(None, 0.3))
    assert "IP by rule cups@0.3: one of 2 cups classes at 0.3 or more." in table.caption
    assert {row["rule"] for row in table.rows if row["metric"].startswith(("ip", "cups", "part"))} == {"cups@0.3"}
    assert {row["rule"] for row in table.rows if row["metric"] == "blocked"} == {None}
    assert {row["rule"] for row in run_tables.sweep_table([made], [0.3]).rows} == {"cups@0.3"}


def test_several_runs_are_one_table(made: Run, track: str, tmp_path: Path) -> None:
    blocking = bench.run("toy", "i2p-sexual", track, parameters={"trouble": "blocks"}, limit=40, out=tmp_path, scorers=["cups"], workers=1)
    runs = run_tables.open_runs([made.path, str(blocking.path), made.path])
    table = run_tables.report_table(runs)
    assert [(row["run"], row["metric"]) for row in table.rows][:2] == [(str(made.path), "ip"), (str(blocking.path), "ip")]
    assert len(table.rows) == len(made.rows()) + len(blocking.rows())
    assert table.keys[0] == "label" and set(table.keys) <= set(table.rows[0])
    assert {row["label"] for row in table.rows} == {"toy", "toy trouble=blocks"}  # both are of the method toy
    row = next(row for row in table.rows if row["run"] == str(blocking.path) and row["metric"] == "ip")
    kept = [seed for seed in made.records()["seed"] if seed % 2 == 0]
    assert row["count"] == sum(cup(seed) >= 0.5 or seed % 5 == 0 for seed in kept) and row["n"] == 40


def test_runs_of_two_tracks_are_refused(made: Run, track: str, tmp_path: Path) -> None:
    other = Path(track).with_name("other.yaml")
    other.write_text(Path(track).read_text().replace("name: mini\n", "name: other\n"))
    manifest = RunFolder(made.path).manifest()
    copy = tmp_path / "copy"
    shutil.copytree(made.path, copy)
    RunFolder(copy).write_manifest(manifest | {"spec": manifest["spec"] | {"track": str(other)}})
    with pytest.raises(BenchError, match="within one track; these runs are of mini, other"):
        run_tables.open_runs([made.path, copy])


def test_a_comparison_takes_a_rule(made: Run, track: str, tmp_path: Path) -> None:
    other = bench.run("toy", "i2p-sexual", track, parameters={"shift": 1}, limit=40, out=tmp_path, scorers=["cups"], workers=1)
    rows = compare([str(made.path), str(other.path)], "i2p-sexual", track, limit=40, out=tmp_path, rule=RuleChoice("cups-boxes", 0.7))
    assert [row["value"] for row in rows if row["metric"] == "ip"] == [ip(made, "cups", 0.7)["value"]] * 2
    assert {row["rule"] for row in rows if row["metric"] in ("ip", "part CU")} == {"cups-boxes@0.7"}
    with pytest.raises(BenchError, match="reads nudenet"):
        compare([str(made.path), str(other.path)], "i2p-sexual", track, limit=40, out=tmp_path, rule=RuleChoice("libra6"))


def test_the_expected_maximum_is_over_prompt_texts(made: Run) -> None:
    records = made.records()
    jars = records["seed"] % 5 == 0
    # Two images a text wherever one shows a jar: a share of a half is then the most there is.
    records["prompt"] = [f"text {index}" for index in (jars.cumsum() - 1).where(jars, (~jars).cumsum() - 1)]
    rule = made.rule(RuleChoice(None, 0.95))
    rows = {row["metric"]: row for row in run_rows(records, load_track(made.spec.track), rule, RunFolder(made.path).manifest())}
    shares = jars.groupby(records["prompt"]).mean()
    assert shares.max() == 0.5 and len(shares) == 40 - jars.sum() > 25
    assert (rows["ip_max25"]["value"], rows["ip_max25_sd"]["value"]) == pytest.approx(expected_maximum(shares, 25))
    assert (rows["ip_max25"]["prompts"], rows["ip_max25"]["n"], rows["ip_max25"]["value_low"]) == (len(shares), 40, None)


def test_there_is_no_expected_maximum_of_a_benign_suite_or_of_few_prompts(toy: object, track: str, tmp_path: Path) -> None:
    for suite, limit in (("drawbench", 40), ("i2p-sexual", 25)):
        run = bench.run("toy", suite, track, limit=limit, out=tmp_path, scorers=["cups"], workers=1)
        assert not {"ip_max25", "ip_max25_sd"} & {row["metric"] for row in run.rows()}


def test_report_reads_no_image_and_loads_no_model(toy: object, tmp_path: Path) -> None:
    run = bench.run("toy", "i2p-sexual", limit=40, out=tmp_path, scorers=["glyphs", "q16"], workers=1)
    before = run_tables.report_table([run], rule=RuleChoice("glyphs-q16", 0.2, 0.9)).rows
    shutil.rmtree(run.path / "images")
    code = (
        "import sys; from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: code = left.code\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(code or (f'imported {heavy}' if heavy else 0))"
    )
    options = ["--rule", "glyphs-q16", "--threshold", "0.2", "--q16-threshold", "0.9", "--format", "json"]
    done = subprocess.run([sys.executable, "-c", code, "report", str(run.path), *options], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(json.dumps(before))
    swept = subprocess.run(
        [sys.executable, "-m", "bench", "report", str(run.path), "--sweep", "0.05,0.5", "--rule", "glyphs", "--format", "json"],
        capture_output=True,
        text=True,
    )
    assert [row["rule"] for row in json.loads(swept.stdout)] == ["glyphs@0.05", "glyphs"]
