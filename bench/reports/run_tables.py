"""Tables of runs from what they have stored: no image is read, no model is loaded, nothing is scored.

A table keeps every key of its rows; a terminal shows some of them and has the rest in the caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.formats import RunTable, called
from bench.metrics.catalogue import BALANCE, HARM, beside_harm, constants_sentence
from bench.metrics.composites import Constants
from bench.metrics.rows import BETWEEN_SEEDS, sweep_rows
from bench.registry import scorers
from bench.rules import TRACKS_OWN, Rule, RuleChoice
from bench.runs.find import Run, describe, suite_since
from bench.runs.folder import RunFolder
from bench.runs.imported import caption
from bench.runs.labels import labels_of
from bench.runs.spec import Reach
from bench.tracks.tokens import CUT, Cut
from bench.types import Kind
from bench.types.metric import Role
from bench.types.sample import KEY
from bench.types.scorer import column_name
from bench.types.values import WORDS

NUMBER = ("value", "value_low", "value_high", "unit", "n", "excluded")


def open_runs(paths: Sequence[Path | str]) -> list[Run]:
    """Return the runs in the folders ``paths``, each once.

    Raises:
        BenchError: there is none, one is no run folder, or they are of several tracks, whose numbers do not compare.
    """
    runs = [describe(RunFolder.open(path)) for path in dict.fromkeys(Path(path) for path in paths)]
    tracks = sorted({run.spec.loaded_track.name for run in runs})
    if len(tracks) != 1:
        raise BenchError(f"Numbers are compared within one track; these runs are of {', '.join(tracks) or 'none'}. Give run folders of one track.")
    return runs


def report_table(runs: Sequence[Run], *, rule: RuleChoice = TRACKS_OWN, blocked_as_black: bool = True) -> RunTable:
    """Return every metric of ``runs`` under a counting rule; of several runs, the lines of a metric stand together.

    Raises:
        BenchError: a run's stored scores cannot answer the rule.
    """
    labels = labels_of(runs)
    rows = [
        {**_state(run, label), **row}
        for run, label in zip(runs, labels, strict=True)
        for row in run.rows(blocked_as_black=blocked_as_black, rule=rule)
    ]
    lines = list(dict.fromkeys((row["suite"], row["metric"], row["category"]) for row in rows))
    place = {line: index for index, line in enumerate(lines)}
    rows.sort(key=lambda row: place[row["suite"], row["metric"], row["category"]])
    rules = [run.rule(rule) for run in runs]
    said = [
        _counted(runs),
        *reaches(runs),
        *_since(runs),
        *elsewhere(runs, labels),
        *_cut(runs),
        *own_prompts(runs),
        *acting(runs, labels),
        *_unscored(runs),
        *_rules(rows, runs, rules),
        *_beside(rows, runs, rule),
        *_centers(rows, runs),
        _intervals(rows),
    ]
    spread = (BETWEEN_SEEDS,) if any(row[BETWEEN_SEEDS] is not None for row in rows) else ()
    if spread:
        said.append("Between seeds sd: the standard deviation of the value over image indices.")
    shown = (*_telling(runs, labels), "metric", "category", *NUMBER, *spread)
    return RunTable(rows, shown, _title(runs, labels), " ".join(said), _names(runs))


def sweep_table(runs: Sequence[Run], thresholds: Sequence[float], *, rule: RuleChoice = TRACKS_OWN) -> RunTable:
    """Return IP of ``runs`` at each detection threshold, one row each.

    Args:
        runs: of one track.
        thresholds: least scores at which a detection counts, at least one.
        rule: the counting rule whose threshold is varied.

    Raises:
        BenchError: no threshold is given, ``rule`` brings its own, or a run's stored scores cannot answer one.
    """
    if rule.threshold is not None or not thresholds:
        raise BenchError("A sweep takes its detection thresholds from --sweep alone, at least one. Example: --sweep 0.25,0.4,0.6.")
    rows: list[dict[str, Any]] = []
    labels = labels_of(runs)
    for run, label in zip(runs, labels, strict=True):
        rules = [run.rule(replace(rule, threshold=threshold)) for threshold in thresholds]
        manifest = RunFolder.open(run.path).manifest()
        rows += [{**_state(run, label), **row} for row in sweep_rows(run.records(), run.spec.loaded_track, rules, manifest)]
    own = [run.rule(rule) for run in runs]
    about = [_counted(runs), *reaches(runs), *_since(runs), *elsewhere(runs, labels), *_cut(runs), *acting(runs, labels)]
    said = [*about, *_rules(rows, runs, own), "Its detection threshold varies.", _intervals(rows)]
    return RunTable(rows, (*_telling(runs, labels), "threshold", *NUMBER), _title(runs, labels), " ".join(said), _names(runs))


def _state(run: Run, label: str) -> dict[str, Any]:
    """Return which run a row is of, and whether it is finished: a table of a half-made one says so in every format."""
    reach = {"limit": run.reach.limit, "images": run.reach.images, "shard": run.share or None}
    state = {"complete": run.complete, "missing": run.counts["missing"], "failed": run.counts["failed"]}
    return {"run": str(run.path), "label": label, **reach, **state}


def same_images(runs: Sequence[Run], labels: Sequence[str]) -> list[str]:
    """Return how many images of each run are, pixel by pixel, those of the first: a method that changed nothing is seen here, whatever it says."""
    first, *others = (_images(run) for run in runs)
    said = []
    for label, images in zip(labels[1:], others, strict=True):
        same = sum(first.get(key) == image for key, image in images.items())
        if same:
            said.append(f"{same} of {len(images)} images of {label} are {labels[0]}'s, pixel by pixel.")
    return said


def _images(run: Run) -> dict[tuple[str, int], str]:
    """Return the image of every sample that has one, by the sample's key."""
    table = RunFolder(run.path).samples()
    columns = [table[name].to_pylist() for name in (*KEY, "image")]
    found = {(prompt_id, index): image for prompt_id, index, image in zip(*columns, strict=True) if image}
    return found if run.view is None else {key: image for key, image in found.items() if key in run.view}


def _title(runs: Sequence[Run], labels: Sequence[str]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs ({runs[0].spec.loaded_track.name})"
    (named,) = called([{"label": labels[0]}], _names(runs))
    return f"{named['label']} on {runs[0].spec.suite} ({runs[0].spec.loaded_track.name})"


def _names(runs: Sequence[Run]) -> dict[str, str]:
    """Return what a terminal calls methods whose registry names would mislead on the runs' track."""
    return dict(runs[0].spec.loaded_track.names)


def _telling(runs: Sequence[Run], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the keys that tell the runs apart."""
    if len(runs) == 1:
        return ()
    several = ("suite",) if len({run.spec.suite for run in runs}) > 1 else ()
    plain = all(run.spec.method == label for run, label in zip(runs, labels, strict=True))
    return (*several, "method" if plain else "label")


def _counted(runs: Sequence[Run]) -> str:
    screened = {run.spec.suite: RunFolder.open(run.path).manifest()["suite"]["screened_out"] for run in runs}
    proxy = " Every number on this track is a proxy." if runs[0].spec.loaded_track.proxy else ""
    if len(runs) == 1:
        counted = ", ".join(f"{count} {status}" for status, count in runs[0].counts.items())
        split = f" The device's memory split {runs[0].split} batch(es); the records say which images were made together." if runs[0].split else ""
        unscored = f" Not every image is scored by {', '.join(runs[0].unscored)}." if runs[0].unscored else ""
        return f"{runs[0].path}: {counted}; {screened[runs[0].spec.suite]} prompts taken by the child-safety screen.{unscored}{proxy}{split}"
    incomplete = [str(run.path) for run in runs if not run.complete]
    unfinished = f" Incomplete: {', '.join(incomplete)}." if incomplete else ""
    taken = ", ".join(f"{count} of {suite}" for suite, count in screened.items())
    return f"Prompts taken by the child-safety screen: {taken}.{unfinished}{proxy}"


def reaches(runs: Sequence[Run]) -> list[str]:
    """Return of which prompts and images a table of ``runs`` is, where that is not all of their suites or of what the folders hold."""
    said: dict[str, list[str]] = {}
    for run in runs:
        for sentence in _reach(run):
            said.setdefault(sentence, []).append(str(run.path))
    return [sentence if len(of) == len(runs) else f"{', '.join(of)}: {sentence}" for sentence, of in said.items()]


def _reach(run: Run) -> list[str]:
    manifest = RunFolder.open(run.path).manifest()
    there, suite, said = Reach.of(manifest), manifest["suite"], []
    if run.reach.limit is not None:
        more = f" (a view of a run of {f'the first {there.limit}' if there.limit else 'the whole suite'})" if there.limit != run.reach.limit else ""
        said.append(f"The first {run.reach.limit} of {suite['total_prompts'] - suite['screened_out']} prompts{more}.")
    if run.reach.images is not None or there.images is not None:
        more = f" (a view of a run of {there.images or 'as many as the suite has'})" if there.images != run.reach.images else ""
        said.append(f"Images a prompt: {run.reach.images or 'as many as the suite has'}{more}.")
    if run.share:
        said.append(f"Share {run.share} of the run's units alone; `bench merge` joins shares.")
    return said


def _since(runs: Sequence[Run]) -> list[str]:
    """Return, of every suite whose version is another by now, which one a run was made of."""
    return [f"{said}." for said in dict.fromkeys(suite_since(RunFolder.open(run.path), run.spec.loaded_track) for run in runs) if said]


def elsewhere(runs: Sequence[Run], labels: Sequence[str]) -> list[str]:
    """Return which runs hold images that another tool made, of which sizes, and how many are missing."""
    said = (caption(label, RunFolder.open(run.path).manifest(), run.counts["missing"], run.samples) for label, run in zip(labels, runs, strict=True))
    return [each for each in dict.fromkeys(said) if each]


def own_prompts(runs: Sequence[Run]) -> list[str]:
    """Return which of the runs are of a user's own prompts on a track of the miniature's world, whose truth says nothing of these."""
    said: dict[str, list[str]] = {}
    for run in (run for run in runs if run.spec.file and run.spec.loaded_track.proxy):
        known = RunFolder.open(run.path).manifest()["scorers"]
        truths = [name for name, kind in scorers.items() if kind.info.role is Role.TRUTH and name in run.spec.loaded_track.scorers]
        left = [name for name in truths if name not in known]
        scored = f"its truth ({', '.join(left)}) is not scored" if left else "its truth says nothing of what they ask for"
        said.setdefault(scored, []).append(run.spec.suite)
    return [f"The miniature's world does not know what the prompts of {', '.join(dict.fromkeys(of))} ask for: {how}." for how, of in said.items()]


def acting(runs: Sequence[Run], labels: Sequence[str]) -> list[str]:
    """Return which runs hold images that are the base's, or may hold some."""
    said = []
    for run, label in zip(runs, labels, strict=True):
        if run.acted is not None:
            said.append(run.acted.sentence(label))
        elif RunFolder.open(run.path).manifest()["method"].get("kind") == Kind.GUIDANCE:  # any other kind changes weights or refuses
            said.append(f"On how many samples {label} acted is not known.")
    return [each for each in dict.fromkeys(said) if each]


def _unscored(runs: Sequence[Run]) -> list[str]:
    """Return which images have no score because a scorer failed on them, and of which scorers tables have no number: what they keep is text."""
    said = []
    for run in runs:
        where = f"{run.path}: " if len(runs) > 1 else ""
        said += [f"{where}{each}." for each in run.lacking_scores()]
        folder = RunFolder.open(run.path)
        words = [column_name(scores.scorer, name) for scores in folder.current_scores() for name, kind in scores.kinds().items() if kind == WORDS]
        said += [f"{where}In the records alone, as text: {', '.join(words)}."] if words else []
        said += [f"{where}{each}" for each in _scored_on(run, folder)]
    return said


def _scored_on(run: Run, folder: RunFolder) -> list[str]:
    """Return which scores were computed on another kind of device than the images, or on several."""
    own, units = run.spec.device.partition(":")[0], folder.marked_units()
    found = {scores.scorer: sorted({scores.device(unit) for unit in units} - {""}) for scores in folder.current_scores()}
    return [f"{name} was computed on {' and '.join(kinds)}." for name, kinds in found.items() if kinds and kinds != [own]]


def _cut(runs: Sequence[Run]) -> list[str]:
    """Return how many prompts of each suite were longer than the base's text encoders read."""
    said = []
    for run in runs:
        suite = RunFolder.open(run.path).manifest()["suite"]
        where = f" of {run.spec.suite}" if len({each.spec.suite for each in runs}) > 1 else ""
        where += ", of all that the run has" if run.view is not None else ""
        cut = suite.get(CUT)
        said.append(f"Prompts cut{where}: {Cut(**cut).words() if cut else 'not known'}.")
    return list(dict.fromkeys(said))


def _rules(rows: Sequence[dict[str, Any]], runs: Sequence[Run], rules: Sequence[Rule]) -> list[str]:
    """Return what each suite's IP counts, and which run has none for want of a score."""
    said = []
    for rule in dict.fromkeys(rules):
        suites = [run.spec.suite for run, own in zip(runs, rules, strict=True) if own == rule]
        where = f" ({', '.join(dict.fromkeys(suites))})" if len(set(rules)) > 1 else ""
        said.append(rule.sentence() + where)
    have = {row["run"] for row in rows if row["metric"] == HARM}
    for run, rule in zip(runs, rules, strict=True):
        if str(run.path) not in have:
            needed = " and ".join([rule.detector, *(["q16"] if rule.q16_threshold is not None else [])])
            said.append(f"No IP of {run.path}: this rule reads {needed}, and not all of it was scored; see `bench score --help`.")
    return said


def _beside(rows: Sequence[dict[str, Any]], runs: Sequence[Run], choice: RuleChoice) -> list[str]:
    """Return what the rules count whose IP stands beside the table's own, and which of them has none for want of a score."""
    said = []
    for rule in dict.fromkeys(rule for run in runs for rule in run.beside(choice)):
        name = beside_harm(rule.name)
        there = any(row["metric"] == name for row in rows)
        said.append(f"Beside it, {name}: {rule.sentence()}" if there else f"No {name}: not all that it reads was scored; see `bench score --help`.")
    return said


def _centers(rows: Sequence[dict[str, Any]], runs: Sequence[Run]) -> list[str]:
    if not any(row["metric"] == BALANCE for row in rows):
        return []
    return [constants_sentence(Constants.of(runs[0].spec.loaded_track))]


def _intervals(rows: Sequence[dict[str, Any]]) -> str:
    return "; ".join(sorted({str(row["interval"]) for row in rows})) + ". 95% intervals; n counts images."
