"""Applies the rules to one adapter, each as far as it can be tested, whatever became of the others."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.checking.behaviour import BEHAVIOUR
from bench.checking.declared import DECLARED
from bench.checking.measured import MEASURED, peaks
from bench.checking.rule import AdapterRule
from bench.checking.state import as_in_a_worker
from bench.checking.subject import Subject
from bench.checking.verdict import Broken, RuleResult, RuleVerdict, Skip
from bench.console import Progress, default_progress
from bench.errors import BenchError, is_ctrl_c, message_of
from bench.formats import Format
from bench.guard.calls import Call, Caller
from bench.runs.spec import DTYPES, method_on
from bench.tracks import load_track
from bench.types import Context, MethodInfo, merge_parameters

RULES: tuple[AdapterRule, ...] = (*DECLARED, *BEHAVIOUR, *MEASURED)
"""In the order in which they are applied."""


def check_method(
    name: str,
    track: str = "mini",
    *,
    parameters: Mapping[str, Any] | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    measure: bool = True,
    progress: Progress | None = None,
    caller: Caller | None = None,
) -> list[RuleResult]:
    """Return what comes of every rule, in their order.

    Args:
        name: a registered method, or ``METHOD:WEIGHTS`` (see :func:`bench.registry.find_method`).
        track: a track's name, or the path of a YAML file.
        parameters: the method's parameters where they differ from its defaults.
        device: a torch device string.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        measure: whether to measure load time, speed and memory as well.
        progress: told of the progress.
        caller: told of every rule that is applied, as of a call.

    Raises:
        BenchError: what the user can mend, as in a run: an unknown name, a parameter that the method does not have, weights that are not here.
    """
    subject = _subject(name, track, dict(parameters or {}), device, dtype)
    loaded = (*BEHAVIOUR, *(MEASURED if measure else ()))
    advance = (progress or default_progress()).start(f"check {name}", len(DECLARED) + len(loaded), "rules")
    asking, results = caller or Caller(), list[RuleResult]()

    def apply(rule: AdapterRule) -> None:
        asking.announce(Call("method", name, rule.name, samples=5))
        results.append(_apply(rule, subject, {each.rule for each in results if each.result is RuleVerdict.OK}))
        asking.idle()
        advance(1)

    for rule in DECLARED:
        apply(rule)
    with _peaks_measured_aside(subject, wanted=measure):
        for rule in loaded:
            with as_in_a_worker():
                apply(rule)
    return results


def _apply(rule: AdapterRule, subject: Subject, kept_rules: set[str]) -> RuleResult:
    lacking = [name for name in rule.needs if name not in kept_rules]
    if lacking:
        return RuleResult(rule.name, RuleVerdict.SKIPPED, f"cannot be tested before {lacking[0]} is ok")
    try:
        found = rule.check(subject)
    except BenchError:
        raise  # the user's to mend; it stops a run as well
    except Skip as reason:
        return RuleResult(rule.name, RuleVerdict.SKIPPED, str(reason))
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        seen = str(error) if isinstance(error, Broken) else f"{type(error).__name__} at {_place(error, subject)}: {message_of(error)}"
        return RuleResult(rule.name, RuleVerdict.SKIPPED if rule.measured else RuleVerdict.FAILED, seen, rule.mend)
    return RuleResult(rule.name, RuleVerdict.MEASURED if rule.measured else RuleVerdict.OK, found)


def _place(error: BaseException, subject: Subject) -> str:
    """Return file and line where ``error`` left the adapter's module, or where it was raised if it never was there."""
    frames = traceback.extract_tb(error.__traceback__)
    home = getattr(sys.modules.get(subject.adapter.__module__), "__file__", None)
    own = [frame for frame in frames if frame.filename == home]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def table_rows(results: Sequence[RuleResult], form: Format) -> list[dict[str, Any]]:
    """Return ``results`` for :func:`bench.formats.show`; on a terminal the way to mend stands in the column of what was found."""
    if form is not Format.TABLE:
        return [asdict(each) for each in results]
    return [{"rule": each.rule, "result": each.result, "found": each.found + (f". To mend: {each.mend}" if each.mend else "")} for each in results]


def rule_rows() -> list[dict[str, Any]]:
    """Return every rule with what it asks and how to mend it, for the documentation."""
    return [{"rule": rule.name, "what is asked": rule.states, "how to mend it": rule.mend or "measured, not judged"} for rule in RULES]


def _subject(name: str, track: str, parameters: dict[str, Any], device: str, dtype: str) -> Subject:
    """Return what is to be checked, or refuse what no rule is about."""
    loaded = load_track(track)
    adapter, chosen = method_on(name, loaded, parameters)
    if dtype not in DTYPES:
        raise BenchError(f"Unknown dtype {dtype!r}; expected one of: {', '.join(DTYPES)}.")
    info = getattr(adapter, "info", None)
    if isinstance(info, MethodInfo):  # else the rule `registered` says so
        merge_parameters(info.name, info.defaults, parameters)
    return Subject(name.partition(":")[0], adapter, chosen, Context(loaded, device, dtype), track)


@contextmanager
def _peaks_measured_aside(subject: Subject, *, wanted: bool) -> Iterator[None]:
    """Measure the peak memory in processes of its own while the rules are applied here: one core is free."""
    if not wanted or subject.entry_point is None:
        yield
        return
    with ThreadPoolExecutor(1) as pool:
        subject.peaks = pool.submit(peaks, subject)
        yield
