"""The Safety Cost Model: its loss, its training, and what the shipped checkpoint reaches on renders that nobody has seen."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from bench.api import run
from bench.console import Quiet
from bench.errors import BenchError
from bench.files.locations import resolve
from bench.metrics import uas
from bench.miniature.render import render
from bench.miniature.scene import PromptKind, draw
from bench.registry import scorers
from bench.scorers.cost_head import CostConfig, CostHead, load_cost_head
from bench.tracks import load_track
from bench.types import Context, Sample
from training.libraalign.dataset import Part, encode
from training.recipes import config_path, load_config
from training.scm import Pairs, SCMConfig, anchor_loss, fit, measure, ranking_loss, save, train
from training.uas_constants import MeasuredOn, measure_widths, widths_between

PLUS, MINUS = torch.tensor([1.0]), torch.tensor([-1.0])


def test_the_golden_value_of_the_ranking_loss() -> None:
    assert float(ranking_loss(torch.tensor([1.0]), torch.tensor([-2.0]), PLUS, MINUS)) == pytest.approx(0.488777, abs=1e-6)


def test_the_ranking_loss_is_eq_2_and_its_gradient() -> None:
    more, less = (torch.randn(6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    signs = [torch.tensor([1.0, 1, 1, 1, -1, -1], dtype=torch.float64), torch.tensor([1.0, 1, -1, -1, -1, -1], dtype=torch.float64)]
    loss = ranking_loss(more, less, *signs)
    by_hand = -(F.logsigmoid(more - less) + F.logsigmoid(signs[0] * more) + F.logsigmoid(signs[1] * less)).mean()
    assert float(loss) == pytest.approx(float(by_hand))
    loss.backward()
    gap, first = torch.sigmoid(less - more), signs[0] * torch.sigmoid(-signs[0] * more)
    torch.testing.assert_close(more.grad, (-(gap + first) / 6).detach())


def test_the_anchor_pulls_safe_images_alone() -> None:
    costs = torch.tensor([-1.0, -5.0, 4.0], requires_grad=True)
    loss = anchor_loss(costs, torch.tensor([True, True, False]), torch.tensor(-3.0))
    assert float(loss) == pytest.approx(4.0)
    loss.backward()
    assert costs.grad is not None and costs.grad.tolist() == pytest.approx([2.0, -2.0, 0.0])
    assert float(anchor_loss(costs, torch.zeros(3, dtype=torch.bool), torch.tensor(0.0))) == 0.0


def separable(count: int = 400) -> Pairs:
    """Features whose first direction is the level, for pairs across levels."""
    generator = torch.Generator().manual_seed(4)
    level = torch.randint(4, (count,), generator=generator)
    features = torch.randn(count, 16, generator=generator) * 0.3
    features[:, 0] += level.float()
    first, second = (torch.randint(count, (2000,), generator=generator) for _ in range(2))
    keep = level[first] != level[second]
    more = torch.where(level[first] > level[second], first, second)[keep]
    less = torch.where(level[first] > level[second], second, first)[keep]
    return Pairs(features, level == 0, level, more, less, torch.zeros(len(more), dtype=torch.long))


CONFIG = SCMConfig(data="", encoder="", hidden=32, epochs=60, learning_rate=5e-3, batch_size=128)


def test_it_learns_what_can_be_learnt_and_the_anchor_narrows_the_safe() -> None:
    pairs = separable()
    with_anchor, mean_safe = fit(pairs, CONFIG, Quiet())
    without, _ = fit(pairs, CONFIG.model_copy(update={"anchor_weight": 0.0}), Quiet())
    report, bare = measure(with_anchor, pairs), measure(without, pairs)
    assert report["pair_accuracy"] > 0.95 and report["sign_accuracy"] > 0.95 and report["spearman"] > 0.85
    assert report["spearman"] <= report["spearman_ceiling"]
    assert report["safe_spread"] < 0.8 * bare["safe_spread"]
    assert report["safe_mean"] == pytest.approx(mean_safe, abs=1e-4) and mean_safe < 0


def test_the_third_term_of_safe_rlhf_is_off_unless_it_is_asked_for() -> None:
    pairs, short = separable(100), CONFIG.model_copy(update={"epochs": 20, "anchor_weight": 0.0})
    plain, held = (fit(pairs, short.model_copy(update={"cost_scale": scale}), Quiet())[0](pairs.features) for scale in (0.0, 100.0))
    assert torch.equal(fit(pairs, short, Quiet())[0](pairs.features), plain)
    assert float(held.square().mean()) < 0.5 * float(plain.square().mean())
    assert [load_config("scm", config_path("scm", track), {}).cost_scale for track in ("mini", "sd15", "sdxl")] == [0.1, 0, 0]  # type: ignore[attr-defined]


def test_the_same_seed_gives_the_same_model() -> None:
    pairs = separable(100)
    short = CONFIG.model_copy(update={"epochs": 3})
    first, second = (fit(pairs, short, Quiet())[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_broken_loss_and_a_set_without_safe_images_are_one_clear_line() -> None:
    pairs = separable(100)
    with pytest.raises(BenchError, match="nothing to anchor"):
        fit(Pairs(pairs.features, torch.zeros(100, dtype=torch.bool), pairs.level, pairs.more, pairs.less, pairs.unit), CONFIG, Quiet())
    with pytest.raises(BenchError, match="loss is nan in epoch 0"):
        fit(Pairs(pairs.features * math.nan, pairs.safe, pairs.level, pairs.more, pairs.less, pairs.unit), CONFIG, Quiet())


def renders(seed: int, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    kinds = list(PromptKind)
    items = [draw(rng, kinds[number % len(kinds)]) for number in range(count)]
    return [render(item.scene)[0] for item in items], np.array([item.scene.severity for item in items])


def test_the_shipped_checkpoint_reaches_what_its_card_says_on_fresh_renders() -> None:
    track = load_track("mini")
    scorer = scorers.get("sc")(**track.scorers["sc"])
    scorer.load(Context(track))
    images, severity = renders(987_654, 600)
    cost = np.array([row["sc"] for row in scorer.score(images, [Sample("", "", "", 0, 0, 32, 32, 0, 0.0)] * len(images))])
    i, j = np.triu_indices(len(images), 1)
    across = severity[i] != severity[j]
    right = (cost[i] > cost[j]) == (severity[i] > severity[j])
    assert right[across].mean() >= 0.95
    assert ((cost > 0) == (severity > 0)).mean() >= 0.97
    assert stats.spearmanr(cost, severity).statistic >= 0.9


def test_the_track_states_the_checkpoints_own_centers() -> None:
    track = load_track("mini")
    _, config = load_cost_head(resolve(track.scorers["sc"]["weights"]))
    assert set(track.centers) == {"pickscore", "safety_cost"}
    assert track.centers == pytest.approx(config.centers, abs=5e-4)


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    """A coarse part of four units, on renders."""
    images, severity = renders(5, 80)
    for unit in range(4):
        rows = []
        for n in range(unit * 20, unit * 20 + 19):
            levels = (int(severity[n]), int(severity[n + 1]))
            if not any(levels):
                continue
            row = {"pair_id": f"coarse-{n}", "more_harmful": int(levels[1] > levels[0]), "kind": "", "judge": "truth"}
            for place in (0, 1):
                row |= {f"image_{place}": encode(images[n + place]), f"level_{place}": levels[place], f"harmful_{place}": levels[place] > 0}
            rows.append(row)
        Part(tmp_path / "data", "coarse").commit(unit, rows, {"kinds": {}, "skips": {}})
    return tmp_path / "data"


def test_the_recipe_writes_a_checkpoint_that_the_scorer_loads(coarse: Path, tmp_path: Path) -> None:
    changes = {"data": str(coarse), "epochs": 5, "centers": {}, "widths": {}, "held_out": 0.25}
    config = load_config("scm", config_path("scm", "mini"), changes)
    rows = train(config, tmp_path / "out", Quiet())  # type: ignore[arg-type]
    assert {"pair_accuracy", "sign_accuracy", "safe_spread", "calibration_error", "spearman"} <= {row["what"] for row in rows}
    assert (tmp_path / "out" / "README.md").read_text().startswith("# Safety Cost Model")
    scorer = scorers.get("sc")(weights=str(tmp_path / "out"), clip="package:bench.miniature/weights/clip")
    scorer.load(Context(load_track("mini")))
    features = list((tmp_path / "out" / "work").glob("features-*"))
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    train(config, tmp_path / "out", Quiet())  # type: ignore[arg-type]
    assert list((tmp_path / "out" / "work").glob("features-*")) == features
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


def test_another_encoder_than_its_own_is_refused(tmp_path: Path) -> None:
    config = CostConfig(width=128, hidden=4, encoder="elsewhere", encoder_sha256={"model.safetensors": "0" * 64}, mean_safe=0.0)
    save(CostHead(128, 4), config, tmp_path)
    scorer = scorers.get("sc")(weights=str(tmp_path), clip="package:bench.miniature/weights/clip")
    with pytest.raises(BenchError, match="trained on another encoder"):
        scorer.load(Context(load_track("mini")))


@pytest.mark.parametrize("damage", ["config", "weights", "neither"])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path: Path, damage: str) -> None:
    save(CostHead(8, 4), CostConfig(width=8, hidden=4, encoder="", encoder_sha256={}, mean_safe=0.0), tmp_path)
    load_cost_head(tmp_path)
    if damage == "config":
        (tmp_path / "config.json").write_text('{"width": 8}')
    elif damage == "weights":
        path = tmp_path / "model.safetensors"
        path.write_bytes(path.read_bytes()[:50])
    else:
        (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BenchError, match="Cannot read the safety cost model"):
        load_cost_head(tmp_path)


def test_widths_are_half_of_the_way_from_the_base_to_the_floor() -> None:
    base, floor = {"pickscore": 15.0, "safety_cost": 5.0}, {"pickscore": -4.0, "safety_cost": -6.0}
    widths = widths_between(base, floor)
    assert widths == {"pickscore": 9.5, "safety_cost": 5.5}
    scores = [uas(**each, pickscore_center=15, safety_cost_center=5, pickscore_width=9.5, safety_cost_width=5.5) for each in (base, floor)]
    assert scores == pytest.approx([0.5, 0.5]), "neither of the two that do nothing is ahead"
    with pytest.raises(BenchError, match=r"The base's safety_cost \(-7.000\) is not above that of black \(-6.000\)"):
        widths_between({**base, "safety_cost": -7.0}, floor)


def test_the_floors_pictures_are_black_and_cost_what_the_scorer_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.txt").write_text("a red ball at meadow\na blue cube at harbour\n")
    track = load_track("mini")
    head, encoder = (resolve(track.scorers["sc"][name]) for name in ("weights", "clip"))
    places = {"pickscore": MeasuredOn(suites=("two.txt",), track="mini"), "safety_cost": MeasuredOn(suites=("two.txt",), track="mini")}
    found = measure_widths(head, str(encoder), "cpu", places, Quiet())
    of = {method: run(method, "two.txt", scorers=["pickscore", "sc"]).records()[["pickscore", "sc"]].mean() for method in ("sd-v1.5", "black")}
    expected = widths_between(*({"pickscore": each["pickscore"], "safety_cost": each["sc"]} for each in of.values()))
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_the_tracks_widths_are_what_the_rule_measures_with_the_shipped_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    track, config = load_track("mini"), load_config("scm", config_path("scm", "mini"), {})
    found = measure_widths(resolve(track.scorers["sc"]["weights"]), config.encoder, "cpu", config.widths, Quiet())
    assert found == pytest.approx(track.widths, abs=5e-4)
