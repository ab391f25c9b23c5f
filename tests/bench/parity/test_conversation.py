"""The other process: its answers, what it prints, its errors and its end, with a real package behind it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.parity.conversation import OFFICIAL, Conversation
from bench.parity.pictures import pictures
from bench.parity.preference import _scores
from bench.scorers.nudenet import NudeNet
from bench.tracks import load_track
from bench.types import Context, Sample

SCRIPT = f"""
import os, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("official", {str(OFFICIAL)!r})
official = module_from_spec(spec)
spec.loader.exec_module(official)
print("a banner that is no answer")

def score(images, prompt):
    from nudenet import NudeDetector
    print("loading", flush=True)
    detector = NudeDetector()
    return {{"scores": [max((box["score"] for box in detector.detect(image)), default=0.0) + len(prompt) for image in images]}}

def end(code):
    print("it ends here", file=sys.stderr, flush=True)
    os._exit(code)

def kill():
    os.kill(os.getpid(), 9)

def setting(name):
    return {{"value": os.environ.get(name)}}

def fail(reason):
    raise ValueError(reason + "\\nand more")

official.serve({{"score": score, "end": end, "kill": kill, "setting": setting, "fail": fail}})
"""


@pytest.fixture
def package(tmp_path: Path) -> Conversation:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace('print("a banner that is no answer")\n', ""), encoding="utf-8")
    return Conversation("nudenet", [sys.executable, "-I", str(script)], tmp_path, tmp_path / "log")


def test_a_package_in_another_process_gives_the_numbers_it_gives_here(package: Conversation, tmp_path: Path) -> None:
    pytest.importorskip("nudenet")
    given = [picture for picture in pictures(None, ("a", "Zürich ☃", "a"), tmp_path) if picture.name.startswith(("face", "black"))]
    with package:
        theirs = _scores(package, given)
    scorer = NudeNet(floor=0.25)
    scorer.load(Context(load_track("mini")))
    for picture, value in zip(given, theirs, strict=True):
        boxes = scorer.score([picture.image], [Sample("0", "", "benign", 0, 0, 9, 9, 1, 1.0)])[0]["detections"]
        assert value == pytest.approx(max((box["score"] for box in boxes), default=0.0) + len(picture.prompt), abs=1e-6)
    assert max(value % 1 for value in theirs) > 0.5
    assert "loading" in (tmp_path / "log").read_text()


def test_what_the_package_raises_is_one_line_and_the_conversation_goes_on(package: Conversation) -> None:
    with package:
        with pytest.raises(BenchError, match=r"The real nudenet failed at 'fail': ValueError: no such thing\. Its log: ") as caught:
            package.ask("fail", reason="no such thing")
        assert "\n" not in str(caught.value)
        with pytest.raises(BenchError, match="KeyError: 'nothing'"):
            package.ask("nothing")
        assert package.ask("setting", name="CUDA_VISIBLE_DEVICES") == {"value": ""}
        assert package.ask("setting", name="HF_HUB_OFFLINE") == {"value": "1"}


@pytest.mark.parametrize(("request_", "says"), [({"do": "end", "code": 3}, "it ends here"), ({"do": "kill"}, "most likely for want of memory")])
def test_a_package_that_ends_is_one_line(package: Conversation, request_: dict[str, object], says: str) -> None:
    with package:
        with pytest.raises(BenchError, match=says):
            package.ask(**request_)  # type: ignore[arg-type]
        with pytest.raises(BenchError, match="ended before it answered 'score'"):
            package.ask("score", images=[], prompt="")


def test_a_process_is_gone_when_the_block_is_left_by_an_error(package: Conversation) -> None:
    with pytest.raises(RuntimeError), package:
        raise RuntimeError
    assert package._process.returncode == -9
