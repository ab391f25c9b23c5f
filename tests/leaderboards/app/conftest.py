"""A small board from synthetic runs of a proxy track and of a real one, with the pictures of two of them, and the page on it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from bench.runs.folder import RunFolder
from bench.tracks import load_track
from leaderboards.board.build import Source, build

MAIN = Path(__file__).parents[3] / "leaderboards" / "app" / "main.py"
PROMPTS = 12
HOSTILE = "<img src=x onerror=alert(1)>**bold**"
PROMPT = "a prompt of an unsafe suite that no page may show"
QUALITY = {"sd-v1.5": 0.8, "uce": 0.3, HOSTILE: 0.1}


def run_id(track: str, suite: str, method: str) -> str:
    return hashlib.sha256(f"{track}/{suite}/{method}".encode()).hexdigest()


def records(suite: str, harm: float, seed: int) -> pd.DataFrame:
    """What `bench.load_run` gives, with random scores."""
    generator = np.random.default_rng(seed)
    flagged = generator.random(PROMPTS) < harm
    return pd.DataFrame(
        {
            "prompt_id": [f"{suite}-{index:04d}" for index in range(PROMPTS)],
            "image_index": 0,
            "prompt": PROMPT,
            "category": np.resize(["violence", "hate,shocking"], PROMPTS),
            "metadata": [{"kind": "explicit"}] * PROMPTS,
            "status": ["blocked", *["generated"] * (PROMPTS - 1)],
            "glyphs_detections": [[{"class": "VORN", "score": 0.9, "box": [0.0, 0.0, 4.0, 4.0]}] if each else [] for each in flagged],
            "q16_inappropriate": np.where(flagged, 0.9, 0.1),
            "pickscore": generator.normal(20 + harm, 1, PROMPTS),
            "fidelity": generator.random(PROMPTS),
            "sc": generator.normal(4 * harm, 1, PROMPTS),
        }
    )


def source(track: str, suite: str, method: str) -> Source:
    harm, unsafe = QUALITY[method], suite == "i2p"
    counts = {"prompts": PROMPTS, "total_prompts": PROMPTS + 1, "screened_out": 1, "screened_out_sha256": ["ab" * 32], "limit": None}
    manifest = {
        "run_id": run_id(track, suite, method),
        "method": {"name": method, "kind": "edit" if method == "uce" else "base", "summary": "", "parameters": {}, "version": "1", "weights": {}},
        "spec": {"limit": None},
        "suite": {"name": suite, "version": "1", "digest": "0" * 64, "unsafe": unsafe, **counts},
        "created": "2026-01-02T00:00:00+00:00",
        "settings": {"batch_size": 64, "device": "cpu", "dtype": "float32"},
        "track": {"scheduler": {"class": "DDIMScheduler"}},
        "samples": PROMPTS,
    }
    loaded = load_track(track)
    # The mini rule on every track: what the detections above are.
    rule = load_track("mini").rule(suite)
    status = "community" if method == HOSTILE else "measured"
    return Source(records(suite, harm if unsafe else harm / 4, len(method)), manifest, loaded, rule, status)


def write_run(runs: Path, track: str, suite: str, method: str) -> RunFolder:
    """A finished run's folder with pictures of sharp stripes."""
    identity = run_id(track, suite, method)
    folder = RunFolder(runs / track / suite / f"{method}-{identity[:8]}")
    folder.path.mkdir(parents=True)
    asked = {
        "method": method,
        "suite": suite,
        "track": track,
        "parameters": {},
        "limit": None,
        "batch_size": None,
        "device": "cpu",
        "dtype": "float32",
    }
    whole = {"spec": asked, "units": 1, "proxy": track == "mini", "versions": {}}
    made_of = source(track, suite, method).manifest
    folder.write_manifest({**made_of, **whole, "track": {"name": track}, "scorers": {}})
    rows = []
    for index, row in enumerate(records(suite, QUALITY[method], len(method)).to_dict("records")):
        pixels = np.zeros((32, 32, 3), dtype=np.uint8)
        pixels[:, index % 4 :: 4] = 255
        pixels[0, 0] = index
        digest, size = folder.images.put(pixels) if row["status"] == "generated" else (None, None)
        made = {"seed": 1, "width": 32, "height": 32, "steps": 1, "guidance": 1.0, "unit": 0, "batch": 0, "reason": None}
        kept = {name: row[name] for name in ("prompt_id", "image_index", "prompt", "category", "status")}
        rows.append({**kept, **made, "metadata": json.dumps(row["metadata"]), "image": digest, "image_bytes": size})
    folder.commit_unit(0, rows, 1.0)
    return folder


@dataclass(frozen=True)
class Place:
    """Where the board and the runs of a test are."""

    board: Path
    runs: Path

    def page(self, name: str, *flags: str, board: Path | None = None, **parameters: str | list[str]) -> AppTest:
        """Run one page with the given arguments and URL."""
        arguments = ["main.py", "--board", str(board or self.board), "--runs", str(self.runs), *flags]
        app = AppTest.from_string(f"from leaderboards.app.navigation import shower\nshower({name!r})()", default_timeout=20)
        for key, value in parameters.items():
            app.query_params[key] = value
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            return app.run()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("page")
    sources = [source(track, suite, method) for track in ("mini", "sd15") for suite in ("i2p", "drawbench") for method in QUALITY]
    sources = [each for each in sources if (each.track.name, *each.place[1:], each.method) != ("mini", "drawbench", HOSTILE)]
    build(sources, root / "board", hidden=[{"track": "mini", "method": "withdrawn-one", "state": "withdrawn", "reason": "asked by its author"}])
    for track in ("mini", "sd15"):
        for suite in ("i2p", "drawbench"):
            for method in ("sd-v1.5", "uce"):
                write_run(root / "runs", track, suite, method)
    return Place(root / "board", root / "runs")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Run the whole site as Streamlit does, with the given arguments."""

    def run(*arguments: Any) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["main.py", *map(str, arguments)])
        return AppTest.from_file(str(MAIN), default_timeout=20).run()

    return run
