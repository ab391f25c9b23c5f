"""What stands under a table: the two kinds of numbers, n, intervals, exclusions, protocol, rule, marks, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.metrics.catalogue import HARM, constants_in_words, label
from bench.metrics.composites import Constants
from bench.rules import RuleChoice
from bench.types.track import Track
from leaderboards.tables.cells import Cell, PaperTable

SOURCE = "arXiv:2504.14290"
_WHY = {
    "not counted": "this track's suite asks for no parts",
    "no scorer": "this track has no scorer for it",
    "no centres": "this track states no centres for UAS",
    "no such suite": "this track has no such suite",
}


def caption(
    table: PaperTable,
    track: Track,
    runs: Sequence[Mapping[str, Any]],
    constants: Constants,
    beside: Mapping[tuple[str, str], pd.DataFrame] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Return the sentences under Table 2, 3 or 5; ``beside`` is harm by rules beside the suites' own, by (suite, rule)."""
    cells = table.cells()
    shown = [cell for cell in cells if cell.measured is not None]
    said = [_kinds(track, bool(shown)), *([] if track.proxy else _denominators(cells))]
    if shown:
        suites = list(dict.fromkeys(cell.suite for cell in shown))
        used = [run for run in runs if run["suite"]["name"] in suites and run["method"]["name"] in {cell.method for cell in shown}]
        said += [_counted(shown, used), *_counts(table, shown), _intervals(shown), _protocol(track, used), *_rules(table, track, shown, suites)]
        if table.number == "2":
            said += [*_beside(table, track, beside), _uas(constants)]
        said.append(_marks(shown))
    said += _differences(shown, track)
    said += _missing(cells)
    return tuple(each for each in said if each)


def _kinds(track: Track, any_measured: bool) -> str:
    if not any_measured:
        return f"paper: as printed in {SOURCE}. Nothing was measured on track {track.name} yet."
    if track.proxy:
        return (
            f"paper: as printed in {SOURCE}. {track.name} (proxy): measured on track {track.name}, another model in another world, "
            "so never to be set against the paper's."
        )
    return f"paper: as printed in {SOURCE}. {track.name}: measured with {track.base}."


def _counted(shown: Sequence[Cell], runs: Sequence[Mapping[str, Any]]) -> str:
    """Return images by suite, the samples without a value, and the prompts that the child-safety screen took."""
    parts = []
    for suite in dict.fromkeys(cell.suite for cell in shown):
        found = [cell for cell in shown if cell.suite == suite and cell.measured is not None]
        sizes = sorted({cell.measured.n for cell in found if cell.measured is not None and cell.measured.n is not None})
        size = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        lost: dict[str, int] = {}
        for cell in found:
            if cell.measured is not None and cell.measured.excluded:
                lost[cell.method] = max(lost.get(cell.method, 0), cell.measured.excluded)
        excluded = "".join(f"; {method} without a value for up to {count}" for method, count in lost.items())
        about = [run["suite"] for run in runs if run["suite"]["name"] == suite]
        screened = f"; {about[0]['screened_out']} of {about[0]['total_prompts']:,} prompts screened out" if about else ""
        limited = f"; only the first {about[0]['limit']} prompts (--limit)" if about and about[0].get("limit") else ""
        parts.append(f"{suite} {size} images{screened}{limited}{excluded}")
    return f"n: {'. '.join(parts)}."


def _denominators(cells: Sequence[Cell]) -> list[str]:
    """Return how many images each published share of harm is of, and how many of these prompts are left after the screen, where a run says so."""
    parts = []
    for cell in {cell.suite: cell for cell in cells if cell.column.metric == HARM}.values():
        published = cell.denominators()["published_n"]
        here = "not known before a run" if cell.prompts is None else f"{cell.prompts[1]:,} of {cell.prompts[0]:,} prompts here"
        parts.append(f"{cell.suite} {'an unknown number' if published is None else f'{published:,}'}, {here}")
    said = f"Behind each {label(HARM)}: the paper's images (from its percentages; it states none), then what our screen leaves"
    return [f"{said}: {'; '.join(parts)}."] if parts else []


def _beside(table: PaperTable, track: Track, beside: Mapping[tuple[str, str], pd.DataFrame]) -> list[str]:
    """Return the methods' numbers by the rules that stand beside a suite's own, where it is not known which of them the paper counted by."""
    names = {cell.method: name for panel in table.panels for name, cells in panel.rows for cell in cells}
    said = []
    for (suite, rule), rows in beside.items():
        have = [(names[method], rows.loc[method]) for method in names if method in rows.index and pd.notna(rows.loc[method, "value"])]
        numbers = [f"{name} {_share(row['value'])} [{_share(row['value_low'])}, {_share(row['value_high'])}]" for name, row in have]
        sentence = track.rule(suite, RuleChoice(rule)).sentence()
        said.append(f"{suite} by the other reading of the paper's column (%): {', '.join(numbers)}. {sentence}")
    return said


def _share(value: float) -> str:
    return f"{100 * value:.2f}"


def _counts(table: PaperTable, shown: Sequence[Cell]) -> Iterable[str]:
    if table.number != "3":
        return
    parts = [cell.measured for cell in shown if cell.measured is not None and cell.column.metric != "parts_total"]
    how = "once a part" if all(each.interval.startswith("Wilson") for each in parts) else "every box"
    yield (
        f"Parts are counts over all images of a suite (an image counts {how}; the paper does not say how it counts), so they compare at equal n "
        "alone. Groups: breast, genitalia, buttocks, feet, belly, armpits."
    )


def _intervals(shown: Sequence[Cell]) -> str:
    methods = sorted({cell.measured.interval for cell in shown if cell.measured is not None and cell.measured.low is not None})
    return f"Brackets: 95% intervals ({'; '.join(methods)}). The paper prints none."


def _protocol(track: Track, runs: Sequence[Mapping[str, Any]]) -> str:
    devices = sorted({f"{run['settings']['device']}, {run['settings']['dtype']}" for run in runs})
    states = sorted({str(run["status"]) for run in runs})
    size = f"{track.width}x{track.height}"
    return (
        f"Protocol: {track.scheduler['class']}, {track.steps} steps, guidance {track.guidance:g}, {size} where a suite does not say; "
        f"one seed a sample, the same for every method; {'; '.join(devices)}; results {', '.join(states)}."
    )


def _rules(table: PaperTable, track: Track, shown: Sequence[Cell], suites: Sequence[str]) -> list[str]:
    """Return what each counting rule says, and of which suites where there are several."""
    by_rule: dict[str, list[str]] = {}
    for suite in suites:
        for cell in shown:
            if cell.suite == suite and cell.measured is not None and cell.measured.rule:
                by_rule.setdefault(cell.measured.rule, []).append(suite)
    said = []
    for name, where in by_rule.items():
        try:
            rule = track.rule(where[0])
        except BenchError:
            rule = None
        if rule is None or rule.name != name:
            sentence = f"{'Parts' if table.number == '3' else 'IP'} by rule {name}."
        elif table.number == "3":
            sentence = f"A part counts where it is detected at {rule.detection_threshold} or more (rule {name})."
        else:
            sentence = rule.sentence()
        said.append(sentence + (f" ({', '.join(dict.fromkeys(where))})" if len(by_rule) > 1 else ""))
    return said


def _uas(constants: Constants) -> str:
    if not constants.centers:
        return "UAS needs the track's centres, which it does not state."
    centers, widths = (" and ".join(said.split(", ")) for said in constants_in_words(constants, "g"))
    own, papers = (f"centres ({centers}) and widths ({widths})", "; its widths are 1") if widths else (f"centres ({centers})", "")
    return f"UAS is the formula on the column means, as the paper's is, with this track's own {own}; the paper's centres are 19.31 and -2.62{papers}."


def _marks(shown: Sequence[Cell]) -> str:
    if not any(cell.measured is not None and cell.measured.tier for cell in shown):
        return "No mark: fewer than two methods were ranked."
    return (
        "Bold: tier 1, the methods that none of this table's others is significantly better than; underlined: tier 2. All pairwise differences on "
        "the same samples at once, 95% (Mogstad et al. 2024); where all are bold, none was shown to be better."
    )


def _differences(shown: Sequence[Cell], track: Track) -> list[str]:
    if any(cell.difference is not None for cell in shown):
        noted = _grouped((cell.no_difference, cell.column.heading) for cell in shown if cell.no_difference)
        why = "".join(f" None for {', '.join(headings)}: {reason}." for reason, headings in noted.items())
        return [f"difference: measured less printed; the printed number's own error is unknown.{why}"]
    if not shown:
        return []
    reasons = list(dict.fromkeys(cell.no_difference for cell in shown if cell.no_difference))
    return [f"No differences: {'; '.join(reasons)}."] if reasons else []


def _missing(cells: Sequence[Cell]) -> list[str]:
    """Return one sentence for each reason, with the command."""
    said = []
    suites = _grouped((cell.suite, cell.method) for cell in cells if cell.missing == "not run")
    if suites:
        every = list(suites.values())
        track = next(cell.command for cell in cells if cell.missing == "not run").rpartition(" ")[2]
        if all(each == every[0] for each in every):
            where = f"S one of {', '.join(suites)} and M one of {', '.join(every[0])}"
        else:
            where = "; ".join(f"S {suite} with M {'one of ' if len(methods) > 1 else ''}{', '.join(methods)}" for suite, methods in suites.items())
        said.append(f"not run: make them with `bench run --method M --suite S --track {track}`, {where}; then `bench board`.")
    for reason, what in _grouped((cell.missing, cell.column.heading) for cell in cells if cell.missing in _WHY).items():
        said.append(f"{reason} ({', '.join(what)}): {_WHY[reason]}.")
    commands = _grouped((cell.command, cell.column.heading) for cell in cells if cell.missing == "not scored")
    said += [f"not scored ({', '.join(what)}): `{command}`, RUN being the run's folder." for command, what in commands.items()]
    return said


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the second of each pair by the first, each once, in order."""
    found: dict[str, dict[str, None]] = {}
    for key, value in pairs:
        found.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in found.items()}
