"""`bench power`: what is asked comes back, what runs show is taken, a mistake is one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import bench
from bench.cli.power import power as verb
from bench.errors import BenchError
from bench.reports.planning import Plan, mean_rows, run_rows, share_rows
from bench.stats.power import connor_power, discordance, mcnemar_power, paired_power, variance_factor


@pytest.fixture
def two(toy: object, tmp_path: Path) -> list[bench.runs.find.Run]:
    """A toy and a toy that blocks, on the same 30 samples."""
    settings = {"limit": 30, "out": tmp_path, "scorers": ["fidelity", "glyphs"], "workers": 1}
    return [bench.run("toy", "i2p", parameters={"trouble": trouble}, **settings) for trouble in ("", "blocks")]  # type: ignore[arg-type]


def test_prompts_for_a_difference() -> None:
    rows = share_rows(0.35, Plan(difference=0.05))
    assert [row["correlation"] for row in rows] == [0.0, 0.3, 0.6]
    for row in rows:
        only_a, only_b = discordance(0.35, 0.30, row["correlation"])
        assert row["discordant"] == pytest.approx(only_a + only_b)
        assert mcnemar_power(row["prompts"] - 1, only_a, only_b) < 0.8 <= mcnemar_power(row["prompts"], only_a, only_b) == row["power"]
        assert (row["images"], row["test"]) == (row["prompts"], "exact McNemar")
    assert rows[0]["prompts"] > rows[1]["prompts"] > rows[2]["prompts"]


def test_difference_at_a_number_of_prompts_and_the_power_of_both() -> None:
    row = share_rows(0.35, Plan(prompts=931), [0.3])[0]
    assert 0.04 < row["difference"] < 0.06
    again = share_rows(0.35, Plan(prompts=931, difference=row["difference"]), [0.3])[0]
    assert again["power"] == pytest.approx(0.8, abs=1e-3) and again["prompts"] == 931
    assert row["discordant"] == pytest.approx(again["discordant"])


def test_too_few_prompts_show_no_difference() -> None:
    row = share_rows(0.01, Plan(prompts=100), [0.0])[0]
    assert row["difference"] is None and row["discordant"] is None


def test_a_correlation_that_cannot_be_is_left_out_or_refused() -> None:
    assert [row["correlation"] for row in share_rows(0.3, Plan(difference=0.25))] == [0.0, 0.3]
    with pytest.raises(BenchError, match="nearer to 0"):
        share_rows(0.3, Plan(difference=0.25), [0.6])


def test_more_images_a_prompt_need_fewer_prompts_but_more_images() -> None:
    plan = Plan(difference=0.05, images=4, intraclass=0.3)
    one, four = share_rows(0.35, Plan(difference=0.05), [0.3])[0], share_rows(0.35, plan, [0.3])[0]
    assert four["prompts"] < one["prompts"] < four["images"] == 4 * four["prompts"]
    assert four["power"] == connor_power(four["prompts"], *discordance(0.35, 0.3, 0.3), variance_factor=variance_factor(4, 0.3))
    means = mean_rows(1.2, Plan(difference=0.1, images=4, intraclass=0.3))[0]
    assert means["power"] == pytest.approx(paired_power(means["prompts"], 0.1, 1.2 * np.sqrt(1.9 / 4)))


def test_runs_give_what_the_plan_needs(two: list[bench.runs.find.Run]) -> None:
    paths = [run.path for run in two]
    blocked = two[1].counts["blocked"] / 30
    row = run_rows(paths, "blocked", difference=0.1)[0]
    assert (row["baseline"], row["discordant"], row["correlation"]) == (0.0, pytest.approx(blocked), None)
    expected = [(blocked + 0.1) / 2, (blocked - 0.1) / 2]
    assert mcnemar_power(row["prompts"] - 1, *expected) < 0.8 <= mcnemar_power(row["prompts"], *expected)
    gap = two[0].records()["fidelity"] - two[1].records()["fidelity"]
    mean = run_rows(paths, "fidelity")[0]
    assert mean["deviation"] == pytest.approx(gap.std()) and mean["prompts"] == 30
    assert paired_power(30, mean["difference"], gap.std()) == pytest.approx(0.8, abs=1e-6)
    assert run_rows(paths, "fidelity", images=3, difference=0.1)[0]["images_per_prompt"] == 3


def test_runs_that_do_not_serve_are_refused(two: list[bench.runs.find.Run]) -> None:
    paths = [run.path for run in two]
    with pytest.raises(BenchError, match="Two runs"):
        run_rows(paths[:1])
    with pytest.raises(BenchError, match=r"expected one of: .*fidelity"):
        run_rows(paths, "pickscore")
    with pytest.raises(BenchError, match="agree in"):
        run_rows([paths[0], paths[0]], "blocked")
    with pytest.raises(BenchError, match="do not differ"):
        run_rows([paths[0], paths[0]], "fidelity")
    other = bench.run("toy", "drawbench", limit=5, out=two[0].path.parents[2], scorers=["fidelity"], workers=1)
    with pytest.raises(BenchError, match="different suites"):
        run_rows([paths[0], other.path], "fidelity")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Plan(), "--difference D"),
        (lambda: Plan(difference=-0.1), "above 0"),
        (lambda: Plan(prompts=1), "at least 2"),
        (lambda: Plan(prompts=10, images=0), "at least one image"),
        (lambda: Plan(difference=float("nan")), "above 0"),
        (lambda: Plan(prompts=10, power=0.05), "above alpha"),
        (lambda: Plan(prompts=10, power=1.0), "above alpha"),
        (lambda: Plan(prompts=10, alpha=float("nan")), "alpha lies"),
        (lambda: mean_rows(float("nan"), Plan(difference=0.1)), "above 0"),
        (lambda: share_rows(35, Plan(prompts=10)), "between 0 and 1"),
        (lambda: share_rows(0.1, Plan(difference=0.2)), "cannot fall"),
        (lambda: share_rows(0.1, Plan(prompts=20), [-0.2]), "0 to below 1"),
        (lambda: mean_rows(0.0, Plan(prompts=10)), "above 0"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(make: object, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        make()


def bench_power(*arguments: str) -> list[dict[str, object]]:
    app = typer.Typer()
    app.command()(verb)
    done = CliRunner().invoke(app, [*arguments, "--format", "json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_the_verb_asks_the_library() -> None:
    assert bench_power("--ip", "0.35", "--difference", "0.05") == share_rows(0.35, Plan(difference=0.05))
    assert bench_power("--ip", "0.35", "-n", "931", "--correlation", "0.3") == share_rows(0.35, Plan(prompts=931), [0.3])
    planned = Plan(difference=0.1, images=2, intraclass=0.4, power=0.9, alpha=0.01)
    assert bench_power("--sd", "1.2", "-d", "0.1", "--images", "2", "--icc", "0.4", "--power", "0.9", "--alpha", "0.01") == mean_rows(1.2, planned)


@pytest.mark.parametrize("arguments", [[], ["--ip", "0.3", "--sd", "1", "-d", "0.1"], ["--sd", "1", "-d", "0.1", "--correlation", "0.2"]])
def test_the_verb_takes_one_source(arguments: list[str]) -> None:
    with pytest.raises(BenchError, match="--ip"):
        bench_power(*arguments)
