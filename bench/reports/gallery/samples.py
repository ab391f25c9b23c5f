"""What a gallery shows: one or several runs, aligned sample by sample, with each method's verdict and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import BenchError
from bench.formats import called
from bench.metrics.catalogue import HARM, PART
from bench.metrics.columns import columns
from bench.reports.gallery.choices import Choice, Only
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.runs import showing
from bench.runs.find import Run, describe
from bench.runs.folder import RunFolder
from bench.runs.labels import labels_of
from bench.runs.records import keyed

MOST_RUNS = 12
"""Runs side by side; more are no longer seen side by side."""
Key = tuple[str, int]
"""Prompt id and image index."""


@dataclass(frozen=True, slots=True)
class Made:
    """What one method made of one sample.

    Attributes:
        side: whose.
        status: ``generated``, ``blocked``, ``failed``, or ``missing`` where the run has no such sample.
        flagged: the counting rule's verdict; None where it has none.
        scores: by metric, those that are there; a flag is True or False.
        image: the picture's hash; None where there is none.
        blurred: whether the picture is blurred when it is made.
        guarded: whether it would be but for the user's flag.
    """

    side: Side
    status: str
    flagged: bool | None = None
    scores: Mapping[str, float | bool] | None = None
    image: str | None = None
    blurred: bool = False
    guarded: bool = False

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return {True: "flagged", False: "not flagged", None: "no verdict"}[self.flagged]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One run of a gallery.

    Attributes:
        label: what it is called; unique among the gallery's.
        run: on disk.
        rule: what the verdict counts.
        records: by sample, in the suite's order.
        flags: the rule's verdict by sample, NA where it has none.
        scores: by metric, a value a sample.
        hidden: by sample, whether the picture may not be shown without the user's flag.
        harmless: whether prompts and pictures hold no harm at all.
        unsafe: whether the suite's prompts ask for harm.
    """

    label: str
    run: Run
    rule: Rule
    records: pd.DataFrame
    flags: pd.Series
    scores: Mapping[str, pd.Series]
    hidden: pd.Series
    harmless: bool
    unsafe: bool

    @property
    def folder(self) -> RunFolder:
        """Return where the pictures are."""
        return RunFolder(self.run.path)

    def made(self, key: Key, *, clear: bool) -> Made:
        """Return what the method made of a sample; ``clear`` is the user's flag."""
        if key not in self.records.index:
            return Made(self, "missing")
        row = self.records.loc[key]
        there = {name: values.loc[key] for name, values in self.scores.items()}
        scores = {name: bool(value) if isinstance(value, bool | np.bool_) else float(value) for name, value in there.items() if not pd.isna(value)}
        flag = self.flags.loc[key]
        image = str(row["image"]) if row["status"] == "generated" and not pd.isna(row["image"]) else None
        hide = image is not None and bool(self.hidden.loc[key])
        return Made(self, str(row["status"]), None if pd.isna(flag) else bool(flag), scores, image, hide and not clear, hide and clear)


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Samples of one or several runs of one suite.

    Attributes:
        sides: the runs.
        keys: samples to show, in the order of the page, no more than were asked for.
        total: samples that some run has.
        matching: of these, those that ``only`` takes.
        only: which samples are taken.
        choice: in which order.
        clear: the user's flag.
        known: what was looked up of a sample before; page, form, sheet and counts ask for the same ones.
    """

    sides: tuple[Side, ...]
    keys: tuple[Key, ...]
    total: int
    matching: int
    only: Only
    choice: Choice
    clear: bool
    known: dict[Key, list[Made]] = field(default_factory=dict, repr=False)

    @property
    def first(self) -> Side:
        """Return the first run, for what all have in common."""
        return self.sides[0]

    def first_of(self, count: int) -> Gallery:
        """Return the gallery's first ``count`` samples."""
        return replace(self, keys=self.keys[:count])

    def row(self, key: Key) -> pd.Series:
        """Return the sample's record in the first run that has it: its prompt and category are the suite's."""
        return next(side.records.loc[key] for side in self.sides if key in side.records.index)

    def prompt(self, key: Key) -> str | None:
        """Return the sample's prompt where it may be shown: of benign suites and of proxies."""
        return str(self.row(key)["prompt"]) if all(side.harmless or not side.unsafe for side in self.sides) else None

    def made(self, key: Key) -> list[Made]:
        """Return what each method made of a sample."""
        if key not in self.known:
            self.known[key] = [side.made(key, clear=self.clear) for side in self.sides]
        return self.known[key]

    def title(self) -> str:
        """Return the methods, the suite and the track."""
        track = self.first.run.spec.loaded_track
        names = ", ".join(side.label for side in self.sides)
        return f"{names} on {self.first.run.spec.suite} ({track.name}{', proxy' if track.proxy else ''})"

    def counts(self) -> Iterator[dict[str, Any]]:
        """Yield, a method, how many of all samples were generated, blocked, failed, are missing, and are flagged."""
        for side in self.sides:
            status = side.records["status"].value_counts()
            known = side.flags.dropna()
            yield {
                "method": side.label,
                **{name: int(status.get(name, 0)) for name in ("generated", "blocked", "failed")},
                "missing": max(self.total, side.run.samples) - len(side.records),
                "flagged": f"{int(known.sum())} of {len(known)}" if len(known) else "–",
            }

    def sentence(self, shown: int | None = None) -> str:
        """Return what is shown of what, by which rule, and whether pictures are blurred.

        Args:
            shown: samples that are shown; all that were chosen where None.
        """
        count = len(self.keys) if shown is None else shown
        which = {
            Only.ALL: "",
            Only.DISAGREE: f", of the {self.matching} on which the methods' verdicts differ",
            Only.FLAGGED: f", of the {self.matching} that a method's verdict flags",
            Only.BLOCKED: f", of the {self.matching} that a method blocked",
        }[self.only]
        order = "evenly over categories, in the suite's order" if self.choice is Choice.EVENLY else "the first in the suite's order"
        chosen = f" ({order}; nobody picked)" if count < self.matching else ""
        said = f"{count} of {self.total} samples{which}{chosen}. Flagged: inappropriate by rule {self.first.rule.name}."
        track = self.first.run.spec.loaded_track
        if track.proxy:
            said += " A proxy: scores stand in for the real ones."
        made = [each for key in self.keys[:count] for each in self.made(key) if each.image is not None]
        blurred, guarded = sum(each.blurred for each in made), sum(each.guarded for each in made)
        if blurred:
            why = "the suite is unsafe" if self.first.unsafe else "a scorer takes them for harm, whatever that rule says, or none has looked at them"
            said += f" {blurred} of {len(made)} pictures are blurred: {why}."
        if guarded:
            said += f" {guarded} of {len(made)} pictures are shown clear by {showing.SHOW_CLEAR}: they may show harm."
        return said


def open_sides(paths: Sequence[Path], choice: RuleChoice = TRACKS_OWN) -> tuple[Side, ...]:
    """Return the runs in ``paths``, complete or not.

    Raises:
        BenchError: one is no run folder, stands there twice, has nothing finished, or is of another suite or track than the first.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise BenchError("A run stands there twice; give each run folder once.")
    if len(paths) > MOST_RUNS:
        raise BenchError(f"A gallery shows at most {MOST_RUNS} runs side by side; got {len(paths)}. Make several galleries.")
    runs = [describe(RunFolder.open(path)) for path in paths]
    manifests = [RunFolder(run.path).manifest() for run in runs]
    kinds = {f"{each['suite']['name']} {each['suite']['version']} on {run.spec.loaded_track.name}" for each, run in zip(manifests, runs, strict=True)}
    if len({each["suite"]["digest"] for each in manifests}) > 1 or len(kinds) > 1:
        raise BenchError(f"These runs are of different suites, versions or tracks ({', '.join(sorted(kinds))}); a gallery shows one of each.")
    named = called([{"label": label} for label in labels_of(runs)], runs[0].spec.loaded_track.names)
    return tuple(_side(each["label"], run, manifest, choice) for each, run, manifest in zip(named, runs, manifests, strict=True))


def _side(name: str, run: Run, manifest: Mapping[str, Any], choice: RuleChoice) -> Side:
    if not any(run.counts[status] for status in ("generated", "blocked", "failed")):
        raise BenchError(f"The run {run.path} has no finished sample yet. Go on with the `bench run` that began it.")
    track, rule = run.spec.loaded_track, run.rule(choice)
    unsafe = showing.is_unsafe(run.spec.suite, manifest["suite"].get("unsafe"))
    records = keyed(run.records().sort_values(["unit", "batch"], kind="stable"))
    found = {each.metric: each for each in columns(records, track, rule, unsafe=unsafe) if not each.further}
    flags = found[HARM].values if HARM in found else pd.Series(pd.NA, index=records.index, dtype="boolean")
    beside = {name: each.values for name, each in found.items() if name not in (HARM, "blocked") and not name.startswith(PART)}
    hidden = showing.hidden(records, manifest, track, [run.rule(), rule], unsafe=unsafe)
    return Side(name, run, rule, records, flags, beside, hidden, showing.is_harmless(manifest, track), unsafe)


def gather(sides: Sequence[Side], most: int, *, only: Only = Only.ALL, choice: Choice = Choice.EVENLY, clear: bool = False) -> Gallery:
    """Return a gallery of at most ``most`` samples.

    Args:
        sides: the runs, of one suite.
        most: samples.
        only: which samples are taken.
        choice: in which order, where not all can be shown.
        clear: True where the user's flag asks for clear pictures.

    Raises:
        BenchError: samples that differ are asked for of one run, or none is left.
    """
    if only is Only.DISAGREE and len(sides) < 2:
        raise BenchError("Verdicts differ between runs: --only disagree takes at least two.")
    # The longest run's order first: a smaller limit is the beginning of a larger one.
    order = list(dict.fromkeys(key for side in sorted(sides, key=lambda each: -len(each.records)) for key in side.records.index))
    matching = _matching(sides, order, only)
    if choice is Choice.EVENLY:
        known = pd.concat([side.records["category"] for side in sides])
        category = known[~known.index.duplicated()].reindex(matching).astype(str).reset_index(drop=True)
        turns = pd.DataFrame({"category": category, "turn": category.groupby(category).cumcount()})
        taken = [matching[place] for place in turns.sort_values(["turn", "category"], kind="stable").index]
    else:
        taken = matching
    return Gallery(tuple(sides), tuple(taken[:most]), len(order), len(matching), only, choice, clear)


def _matching(sides: Sequence[Side], order: list[Key], only: Only) -> list[Key]:
    """Return the samples of ``order`` that ``only`` takes.

    Raises:
        BenchError: there is none.
    """
    if only is Only.ALL:
        return order
    if only is Only.BLOCKED:
        marks = [(side.records["status"] == "blocked").reindex(order, fill_value=False).to_numpy(dtype=bool) for side in sides]
        mask = np.any(marks, axis=0)
    else:
        flags = [side.flags.astype("boolean").reindex(order) for side in sides]
        yes = np.any([each.fillna(False).to_numpy(dtype=bool) for each in flags], axis=0)
        no = np.any([(~each).fillna(False).to_numpy(dtype=bool) for each in flags], axis=0)
        mask = yes & no if only is Only.DISAGREE else yes
    if not mask.any():
        what = {Only.DISAGREE: "on which the methods' verdicts differ", Only.FLAGGED: "that a verdict flags", Only.BLOCKED: "that a method blocked"}
        raise BenchError(f"There is no sample {what[only]} among the {len(order)} of these runs; leave --only {only} out.")
    return [key for key, takes in zip(order, mask, strict=True) if takes]
