"""The judge and the rewriter against a server that misbehaves: order, faults, the journal, the budget, secrets, Ctrl-C."""

from __future__ import annotations

import builtins
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bench.errors import BenchError, NotAvailable
from training.libraalign.endpoint import EndpointJudge, EndpointRewriter, EndpointSettings
from training.libraalign.judging import JudgedPicture, Judgement, Skipped

SILENT, NONSENSE, REFUSED = (
    Skipped("the judge did not answer"),
    Skipped("the judge's answer was no verdict"),
    Skipped("the judge refused"),
)


def settings(server: Any, **changes: Any) -> EndpointSettings:
    return EndpointSettings(
        **{"base_url": server.base_url, "model": "tiny-vision", "api_key_env": "TESTS_KEY", "timeout": 5, "retries": 0, "parallel": 1} | changes
    )


def picture(brightness: int) -> JudgedPicture:
    return JudgedPicture(np.full((8, 6, 3), brightness, np.uint8), "a hill", "benign", "toy", 0)


def pairs(count: int) -> list[tuple[JudgedPicture, JudgedPicture]]:
    return [(picture(10 * index), picture(255 - 10 * index)) for index in range(count)]


def right(count: int) -> list[Judgement]:
    """What the server's rule says of ``pairs(count)``."""
    values = [(10 * index, 255 - 10 * index) for index in range(count)]
    return [Judgement((first // 64, second // 64), 0 if first > second else 1) for first, second in values]


def lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "new" / "journal.jsonl"


def test_answers_keep_their_order_in_parallel(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["slow"] * 3
    judge = EndpointJudge(settings(speaking_server, parallel=4), journal)
    assert judge.judge(pairs(25)) == right(25)
    assert judge.name == "tiny-vision"
    assert len(speaking_server.requests) == len(lines(journal)) == 25
    assert judge.judge([]) == []


def test_equal_questions_are_put_once_and_an_order_is_a_question_of_its_own(speaking_server: Any, journal: Path) -> None:
    pair = pairs(1)[0]
    first, same, swapped = EndpointJudge(settings(speaking_server), journal).judge([pair, pair, pair[::-1]])
    assert first == same == Judgement((0, 3), 1)
    assert swapped == Judgement((3, 0), 0)
    assert len(speaking_server.requests) == 2


@pytest.mark.parametrize("fault", ["429", "500", "closed"])
def test_the_client_repeats_what_failed(speaking_server: Any, journal: Path, fault: str) -> None:
    speaking_server.faults = [fault]
    assert EndpointJudge(settings(speaking_server, retries=1), journal).judge(pairs(1)) == right(1)
    assert len(speaking_server.requests) == 2


@pytest.mark.parametrize("fault", ["no json", "wrong fields", "out of range", "contradiction", "length"])
def test_nonsense_is_asked_again_then_skipped(speaking_server: Any, journal: Path, fault: str) -> None:
    speaking_server.faults = [fault, fault, "good"] + [fault] * 3
    judge = EndpointJudge(settings(speaking_server), journal)
    assert judge.judge(pairs(2)) == [*right(1), NONSENSE]
    assert len(speaking_server.requests) == judge.usage.requests == 6
    assert judge.usage.tokens_in == 600
    assert EndpointJudge(settings(speaking_server), journal).judge(pairs(2)) == [*right(1), NONSENSE]
    assert len(speaking_server.requests) == 6


@pytest.mark.parametrize("fault", ["refusal", "filter", "400 content_filter"])
def test_a_refusal_is_skipped_at_once_and_for_good(speaking_server: Any, journal: Path, fault: str) -> None:
    speaking_server.faults = [fault]
    for _ in range(2):
        assert EndpointJudge(settings(speaking_server), journal).judge(pairs(2)) == [REFUSED, right(2)[1]]
    assert len(speaking_server.requests) == 2


@pytest.mark.parametrize("fault", ["429", "503", "sleep", "closed", "no completion"])
def test_silence_is_skipped_and_asked_again_by_a_later_run(speaking_server: Any, journal: Path, fault: str) -> None:
    speaking_server.faults = [fault]
    judge = EndpointJudge(settings(speaking_server, timeout=0.3), journal)
    assert judge.judge(pairs(2)) == [SILENT, right(2)[1]]
    assert judge.usage.skipped == {SILENT.reason: 1}
    assert len(lines(journal)) == 1
    assert EndpointJudge(settings(speaking_server), journal).judge(pairs(2)) == right(2)
    assert len(speaking_server.requests) == 3


def test_what_silence_cost_is_not_forgotten(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["no json", "500"]
    assert EndpointJudge(settings(speaking_server), journal).judge(pairs(1)) == [SILENT]
    judge = EndpointJudge(settings(speaking_server), journal)
    assert judge.judge(pairs(1)) == right(1)
    assert judge.usage.tokens_in == 200


@pytest.mark.parametrize(("rows", "asked"), [(7, None), (8, 8), (12, 12), (40, 16)])
def test_an_endpoint_that_is_down_stops_the_run(speaking_server: Any, journal: Path, rows: int, asked: int | None) -> None:
    speaking_server.otherwise = "500"
    questions = [(picture(index), picture(200)) for index in range(rows)]
    judge = EndpointJudge(settings(speaking_server, parallel=8), journal)
    if asked is None:
        assert judge.judge(questions) == [SILENT] * rows
        return
    with pytest.raises(BenchError, match=rf"The last {asked} questions to 127\.0\.0\.1 got no answer"):
        judge.judge(questions)


def test_an_outage_after_a_few_answers_stops_the_run_and_keeps_them(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["good"] * 5 + ["500"] * 20
    with pytest.raises(BenchError, match="got no answer"):
        EndpointJudge(settings(speaking_server), journal).judge(pairs(25))
    assert len(lines(journal)) == 5
    speaking_server.faults.clear()
    judge = EndpointJudge(settings(speaking_server, parallel=4), journal)
    assert judge.judge(pairs(25)) == right(25)
    assert (judge.usage.from_journal, judge.usage.requests) == (5, 20)


@pytest.mark.parametrize(("fault", "mend"), [("401", "TESTS_KEY"), ("403", "TESTS_KEY"), ("404", "/v1"), ("400", r"Trouble with Bearer \*\*\* here")])
def test_what_every_question_would_meet_is_one_clear_line_without_the_key(speaking_server: Any, journal: Path, fault: str, mend: str) -> None:
    speaking_server.otherwise = fault
    judge = EndpointJudge(settings(speaking_server), journal)
    with pytest.raises(BenchError, match=rf"HTTP {fault}; .*{mend}.*run the same command again") as caught:
        judge.judge(pairs(3))
    assert len(str(caught.value).splitlines()) == 1
    assert os.environ["TESTS_KEY"] not in "".join(traceback.format_exception(caught.value))
    assert len(speaking_server.requests) == 1


def test_a_refused_connection_is_one_clear_line(speaking_server: Any, journal: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    judge = EndpointJudge(settings(speaking_server, base_url=f"http://name:word@127.0.0.1:{port}/v1"), journal)
    with pytest.raises(BenchError, match=r"Cannot connect to 127\.0\.0\.1") as caught:
        judge.judge(pairs(1))
    assert "word" not in str(caught.value)


def test_a_known_answer_costs_no_request_and_another_model_is_another_question(speaking_server: Any, journal: Path) -> None:
    EndpointJudge(settings(speaking_server), journal).judge(pairs(3))
    again = EndpointJudge(settings(speaking_server), journal)
    assert again.judge(pairs(3)) == right(3)
    assert len(speaking_server.requests) == 3
    usage = again.usage
    assert (usage.requests, usage.answered, usage.from_journal, usage.skipped) == (0, 3, 3, {})
    other = EndpointJudge(settings(speaking_server, model="other", budget=0, price_in=1), journal)
    with pytest.raises(BenchError, match="budget"):
        other.judge(pairs(1))


def test_a_torn_last_line_is_cut_off(speaking_server: Any, journal: Path) -> None:
    EndpointJudge(settings(speaking_server), journal).judge(pairs(3))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    judge = EndpointJudge(settings(speaking_server), journal)
    assert judge.judge(pairs(3)) == right(3)
    assert (judge.usage.from_journal, judge.usage.requests) == (2, 1)
    assert journal.read_bytes() == whole


def test_a_damaged_line_or_an_answer_that_is_none_any_more_is_asked_again(speaking_server: Any, journal: Path) -> None:
    EndpointJudge(settings(speaking_server), journal).judge(pairs(3))
    first, second, third = journal.read_text().splitlines(keepends=True)
    journal.write_text(first[:30] + "\n" + second.replace('"second"', '"third"') + third)
    judge = EndpointJudge(settings(speaking_server), journal)
    assert judge.judge(pairs(3)) == right(3)
    assert (judge.usage.from_journal, judge.usage.requests) == (1, 2)


def test_a_budget_stops_and_can_be_raised(speaking_server: Any, journal: Path) -> None:
    prices = {"price_in": 1000, "price_out": 10_000}  # an answer costs 100 x 0.001 + 10 x 0.01 = 0.2
    with pytest.raises(BenchError, match=r"budget of 0\.5 .* is spent: 0\.6 so far.*raise `budget`"):
        EndpointJudge(settings(speaking_server, budget=0.5, **prices), journal).judge(pairs(6))
    assert len(lines(journal)) == 3
    with pytest.raises(BenchError, match=r"budget of 0\.6 "):
        EndpointJudge(settings(speaking_server, budget=0.6, **prices), journal).judge(pairs(6))
    assert len(speaking_server.requests) == 3
    judge = EndpointJudge(settings(speaking_server, budget=2, **prices), journal)
    assert judge.judge(pairs(6)) == right(6)
    assert judge.usage.cost == pytest.approx(1.2)


def test_a_budget_awaits_what_is_in_flight(speaking_server: Any, journal: Path) -> None:
    speaking_server.otherwise = "slow"
    with pytest.raises(BenchError, match="budget"):
        EndpointJudge(settings(speaking_server, budget=0.1, price_in=1000, parallel=4), journal).judge(pairs(9))
    assert len(lines(journal)) == len(speaking_server.requests) == 4


def test_usage(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["good", "no json", "good", "refusal", "500"]
    judge = EndpointJudge(settings(speaking_server, price_in=2, price_out=8), journal)
    judge.judge(pairs(5))
    usage = judge.usage
    assert (usage.requests, usage.answered, usage.from_journal) == (6, 3, 0)
    assert usage.skipped == {REFUSED.reason: 1, SILENT.reason: 1}
    assert (usage.tokens_in, usage.tokens_out) == (500, 50)
    assert usage.cost == pytest.approx((500 * 2 + 50 * 8) / 1e6)
    judge.judge(pairs(1))
    assert (judge.usage.from_journal, judge.usage.requests, judge.usage.answered) == (1, 6, 4)


def test_the_journal_holds_no_key_and_no_prompt(speaking_server: Any, journal: Path) -> None:
    EndpointRewriter(settings(speaking_server), journal).rewrite(["a stormy hill"])
    EndpointJudge(settings(speaking_server), journal.with_name("other.jsonl")).judge(pairs(1))
    assert set(lines(journal)[0]) == {"key", "answer", "tokens_in", "tokens_out"}
    for path in journal.parent.iterdir():
        assert os.environ["TESTS_KEY"] not in path.read_text()


def test_rewrites(speaking_server: Any, journal: Path) -> None:
    prompts = [f"a stormy hill, view {index}" for index in range(10)]
    speaking_server.faults = ["slow"] * 2
    for _ in range(2):
        rewriter = EndpointRewriter(settings(speaking_server, parallel=4), journal)
        assert rewriter.rewrite(prompts) == [f"{prompt} in soft light" for prompt in prompts]
    assert len(speaking_server.requests) == rewriter.usage.from_journal == 10


@pytest.mark.parametrize("fault", ["empty", "two lines", "unchanged", "no json"])
def test_a_rewrite_that_is_none_is_skipped(speaking_server: Any, journal: Path, fault: str) -> None:
    speaking_server.faults = [fault] * 3
    rewriter = EndpointRewriter(settings(speaking_server), journal)
    assert rewriter.rewrite(["a stormy hill", "a wall"]) == [Skipped("the rewriter's answer was no safe prompt"), "a wall in soft light"]


def test_the_rewriter_refuses_or_is_silent(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["refusal", "500"]
    rewriter = EndpointRewriter(settings(speaking_server), journal)
    assert rewriter.rewrite(["a hill", "a wall"]) == [Skipped("the rewriter refused"), Skipped("the rewriter did not answer")]


def test_a_rewrite_passes_the_screen_or_is_written_nowhere(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["screened"]
    taken = Skipped("the safe prompt was taken by the child-safety screen")
    for _ in range(2):
        assert EndpointRewriter(settings(speaking_server), journal).rewrite(["a stormy hill"]) == [taken]
    assert len(speaking_server.requests) == 1
    assert "school" not in journal.read_text()


def test_a_remembered_rewrite_is_screened_again(speaking_server: Any, journal: Path) -> None:
    EndpointRewriter(settings(speaking_server), journal).rewrite(["a hill"])
    journal.write_text(journal.read_text().replace("a hill in soft light", "a school in soft light"))
    (answer,) = EndpointRewriter(settings(speaking_server), journal).rewrite(["a hill"])
    assert answer == Skipped("the safe prompt was taken by the child-safety screen")


def test_settings(monkeypatch: pytest.MonkeyPatch, journal: Path) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(BenchError, match="NO_SUCH_KEY is not set"):
        EndpointJudge(EndpointSettings(base_url=None, model="m", api_key_env="NO_SUCH_KEY"), journal)
    EndpointJudge(EndpointSettings(base_url="http://127.0.0.1:9/v1", model="m", api_key_env="NO_SUCH_KEY"), journal)
    with pytest.raises(ValidationError) as caught:
        EndpointSettings(model="m", api_key_env="sk-a-pasted-key")
    assert "pasted" not in str(caught.value)
    with pytest.raises(ValidationError, match="base_url"):
        EndpointSettings(model="m", base_url="localhost:8000/v1")
    with pytest.raises(ValidationError, match="price"):
        EndpointSettings(model="m", budget=1)


def test_without_the_client(monkeypatch: pytest.MonkeyPatch, journal: Path) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "openai":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotAvailable, match=r"pip install -c constraints.txt -e '\.\[train\]'"):
        EndpointJudge(EndpointSettings(model="m"), journal)


def test_ctrl_c_ends_at_once_and_loses_nothing(speaking_server: Any, journal: Path) -> None:
    speaking_server.faults = ["good"] * 3
    speaking_server.otherwise = "sleep"
    code = f"""
import sys
from pathlib import Path
import numpy as np
from training.libraalign.endpoint import EndpointJudge, EndpointSettings
from training.libraalign.judging import JudgedPicture
assert "openai" not in sys.modules and "torch" not in sys.modules
def picture(value):
    return JudgedPicture(np.full((8, 6, 3), value, np.uint8), "a hill", "benign", "toy", 0)
settings = EndpointSettings(base_url={speaking_server.base_url!r}, model="tiny-vision", api_key_env="TESTS_KEY", parallel=2)
EndpointJudge(settings, Path({str(journal)!r})).judge([(picture(10 * i), picture(255 - 10 * i)) for i in range(6)])
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while (len(speaking_server.requests) < 5 or len(lines(journal)) < 3) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=10)
    assert time.monotonic() - begun < 3
    assert "KeyboardInterrupt" in error
    assert len(lines(journal)) == 3
    speaking_server.otherwise = "good"
    judge = EndpointJudge(settings(speaking_server), journal)
    assert judge.judge(pairs(6)) == right(6)
    assert judge.usage.requests == 3
