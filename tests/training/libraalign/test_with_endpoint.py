"""The whole build with a judge and a rewriter behind an endpoint: skips are counted, and nothing that was answered is asked again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from training.libraalign.build import train
from training.libraalign.config import LibraAlignConfig
from training.libraalign.dataset import Part
from training.libraalign.endpoint import SCREENED
from training.recipes import config_path, load_config

PLAN: dict[str, Any] = {
    "unit": 2,
    "prompts.harmful_limit": 4,
    "prompts.benign_limit": 2,
    "sources": [{"name": "base", "method": "sd-v1.5", "steps": 4}],
    "plainer": {"name": "base, 2 steps", "method": "sd-v1.5", "steps": 2},
    "editor.steps": 4,
    "coarse.images_per_prompt": 1,
    "hf.tries": 1,
}


class Quiet:
    """Progress that nobody watches and that can stop after so many units, as a kill would."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.left = stop_after

    def start(self, what: str, total: int, unit: str = "images") -> Callable[[int], None]:
        return self._advance

    def _advance(self, done: int) -> None:
        if self.left is not None:
            self.left -= done
            if self.left == 0:
                raise KeyboardInterrupt


def config(server: Any, stages: tuple[str, ...] = ("coarse", "hf"), shard: str = "0/1", **endpoint: Any) -> LibraAlignConfig:
    there = {
        "base_url": server.base_url,
        "model": "tiny-vision",
        "api_key_env": "TESTS_KEY",
        "timeout": 10,
        "retries": 0,
        "parallel": 1,
        "attempts": 1,
    }
    changes = {"judge": there | endpoint, "rewriter": there | endpoint, "stages": list(stages), "shard": shard}
    made = load_config("libraalign", config_path("libraalign", "mini"), PLAN | changes)
    assert isinstance(made, LibraAlignConfig)
    return made


def rows(folder: Path, part: str) -> list[dict[str, Any]]:
    return [row for _, row in Part(folder, part).rows()]


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*/*.parquet")}


def asked(server: Any) -> Counter[str]:
    return Counter(json.dumps(request["messages"]) for request in server.requests)


def skips(folder: Path, part: str) -> list[dict[str, int]]:
    return [marker["skips"] for marker in Part(folder, part).markers()]


def test_judge_and_rewriter_behind_an_endpoint_make_the_data_set(speaking_server: Any, tmp_path: Path) -> None:
    speaking_server.faults = ["no json"]
    reported = train(config(speaking_server), tmp_path, Quiet())
    assert sum(row["count"] for row in reported if row["what"] == "requests") == len(speaking_server.requests)
    coarse, hf = rows(tmp_path, "coarse"), rows(tmp_path, "hf")
    assert coarse and {row["judge"] for row in coarse} == {"tiny-vision"}
    for row in coarse:
        levels = row["level_0"], row["level_1"]
        assert levels[row["more_harmful"]] == max(levels) > 0
    assert {row["safe_caption"] for row in hf if row["kind"] == "harmful-safe"} <= {f"{row['caption']} in soft light" for row in hf}
    # The nonsense is a skip of the first unit; the second has none. Four pairs begin in each unit.
    first, second = skips(tmp_path, "coarse")
    assert first["the judge's answer was no verdict"] >= 1 and "the judge's answer was no verdict" not in second
    for unit, marker in enumerate(Part(tmp_path, "coarse").markers()):
        assert marker["rows"] == sum(row["pair_id"].startswith(f"coarse-{unit:05d}") for row in coarse)
        assert marker["rows"] + sum(marker["skips"].values()) == 4
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["counts"]["coarse"]["left_out"]["the judge's answer was no verdict"] == first["the judge's answer was no verdict"]
    assert manifest["judge"] == "tiny-vision behind an endpoint"
    assert manifest["counts"]["hf"]["pairs"] + sum(manifest["counts"]["hf"]["left_out"].values()) == 6
    assert set(asked(speaking_server).values()) == {1} and len(speaking_server.requests) <= 8 + 4


def test_a_rewrite_that_the_screen_takes_is_a_counted_skip(speaking_server: Any, tmp_path: Path) -> None:
    speaking_server.faults = ["screened", "two lines"]
    train(config(speaking_server, ("hf",)), tmp_path, Quiet())
    first, second = skips(tmp_path, "hf")
    assert first[SCREENED] == 1 and first["the rewriter's answer was no safe prompt"] == 1
    assert SCREENED not in second and "the rewriter's answer was no safe prompt" not in second
    assert "school" not in json.dumps([row["safe_caption"] for row in rows(tmp_path, "hf")])


def test_going_on_costs_no_second_request(speaking_server: Any, tmp_path: Path) -> None:
    train(config(speaking_server), tmp_path / "whole", Quiet())
    wanted = asked(speaking_server)
    speaking_server.requests.clear()
    # The third question of the first unit finds the door shut; the next run is killed once that unit is done.
    speaking_server.faults = ["good", "good", "401"]
    with pytest.raises(BenchError, match="HTTP 401"):
        train(config(speaking_server), tmp_path / "broken", Quiet())
    assert not Part(tmp_path / "broken", "coarse").done(0) and len(speaking_server.requests) == 3
    refused = json.dumps(speaking_server.requests.pop()["messages"])
    with pytest.raises(KeyboardInterrupt):
        train(config(speaking_server), tmp_path / "broken", Quiet(stop_after=1))
    assert Part(tmp_path / "broken", "coarse").done(0) and not Part(tmp_path / "broken", "coarse").done(1)
    train(config(speaking_server), tmp_path / "broken", Quiet())
    assert asked(speaking_server) == wanted and wanted[refused] == 1
    assert tables(tmp_path / "broken") == tables(tmp_path / "whole")
    # A unit that is made again is not paid for again.
    (tmp_path / "broken" / "coarse" / "units" / "00001.json").unlink()
    train(config(speaking_server), tmp_path / "broken", Quiet())
    assert asked(speaking_server) == wanted and tables(tmp_path / "broken") == tables(tmp_path / "whole")


def test_a_spent_budget_is_raised_in_the_same_folder(speaking_server: Any, tmp_path: Path) -> None:
    priced = {"price_in": 1e4, "price_out": 0}  # a question costs 1: 100 tokens
    with pytest.raises(BenchError, match=r"budget of 2 .* is spent"):
        train(config(speaking_server, ("coarse",), budget=2, **priced), tmp_path, Quiet())
    assert len(speaking_server.requests) == 2
    train(config(speaking_server, ("coarse",), budget=50, **priced), tmp_path, Quiet())
    assert set(asked(speaking_server).values()) == {1} and all(Part(tmp_path, "coarse").done(unit) for unit in (0, 1))


def test_another_model_in_the_same_folder_is_refused(speaking_server: Any, tmp_path: Path) -> None:
    train(config(speaking_server, ("coarse",)), tmp_path, Quiet())
    with pytest.raises(BenchError, match=r"its judge\.model is .*tiny-vision.* asked for .*other-vision"):
        train(config(speaking_server, ("coarse",), model="other-vision"), tmp_path, Quiet())


def test_shards_keep_journals_of_their_own(speaking_server: Any, tmp_path: Path) -> None:
    for shard in ("0/2", "1/2"):
        train(config(speaking_server, ("coarse",), shard), tmp_path / "shards", Quiet())
    assert sorted(path.name for path in (tmp_path / "shards" / "journals").iterdir()) == ["judge-0-of-2.jsonl", "judge-1-of-2.jsonl"]
    train(config(speaking_server, ("coarse",)), tmp_path / "whole", Quiet())
    assert tables(tmp_path / "shards") == tables(tmp_path / "whole")


def test_what_is_published_holds_no_address_and_no_key(speaking_server: Any, tmp_path: Path) -> None:
    train(config(speaking_server, ("coarse",)), tmp_path, Quiet())
    for name in ("manifest.json", "config.json", "README.md"):
        text = (tmp_path / name).read_text()
        assert "127.0.0.1" not in text and "key-of-the-tests" not in text
    assert json.loads((tmp_path / "manifest.json").read_text())["config"]["judge"] == {"model": "tiny-vision"}
