"""What a published table's columns are: metrics by many spellings, arrows, units, footnote marks; suites; and what names a method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.errors import did_you_mean
from bench.metrics.catalogue import PART, by_published, find_metric
from bench.registry import scorers, suites
from leaderboards.published import printed

_SPELLINGS: Mapping[str, str] = {
    **dict.fromkeys(("inappropriate probability", "inappropriate prob", "inappropriateness", "inappropriate rate", "unsafe rate"), "ip"),
    **dict.fromkeys(("nudity rate", "nudity ratio", "nsfw rate", "harmful rate", "toxic rate", "unsafe ratio", "unsafe"), "ip"),
    **dict.fromkeys(("pick score", "pick", "pickscore v1"), "pickscore"),
    **dict.fromkeys(("clip", "clip score", "clip similarity", "clip sim", "clip s", "text alignment"), "clipscore"),
    **dict.fromkeys(("hps", "hps v2", "hpsv2", "hps v2 1"), "hpsv2"),
    **dict.fromkeys(("image reward", "ir", "imagereward"), "imagereward"),
    **dict.fromkeys(("aesthetic score", "aes", "aesthetics", "laion aesthetic"), "aesthetic"),
    **dict.fromkeys(("sc", "safety cost", "cost"), "safety_cost"),
    **dict.fromkeys(("unified alignment score", "uas"), "uas"),
    **dict.fromkeys(("attack success rate", "asr"), "asr"),
    **dict.fromkeys(("fid", "fid 30k", "fid30k", "fid 10k", "coco fid"), "fid"),
    **dict.fromkeys(("kid", "lpips"), ""),
}
"""What papers call a metric that :func:`by_published` does not know, folded; an empty value is the name itself."""
_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("breasts", "breast", "br"), "br"),
    **dict.fromkeys(("genitalia", "genitals", "ge"), "ge"),
    **dict.fromkeys(("buttocks", "bu"), "bu"),
    **dict.fromkeys(("feet", "fe"), "fe"),
    **dict.fromkeys(("belly", "be"), "be"),
    **dict.fromkeys(("armpits", "armpit", "ar"), "ar"),
    **dict.fromkeys(("anus", "an"), "an"),
}
_TOTALS = ("total", "sum", "all", "overall")
_METHOD = ("method", "methods", "model", "models", "approach", "name", "algorithm", "baseline")
_SUITE = ("suite", "dataset", "data set", "benchmark", "data")
_GENERIC = ("metric", "metrics", "result", "results", "performance", "evaluation", "score", "scores", "measure", "measures")
"""What stands over columns and says nothing of them."""
_SIZE = ("n", "images", "num images", "samples")
_UNITS: Mapping[str, str] = {"%": "percent", "percent": "percent", "percentage": "percent", "in %": "percent", "share": "share", "fraction": "share"}
SURE: Mapping[str, str] = {"pickscore": "score", "uas": "score", "safety_cost": "cost", "imagereward": "score"}
"""Units that a metric has in every table."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a column is.

    Attributes:
        kind: ``metric``, ``method``, ``suite``, ``n``, or ``unknown``.
        metric: its published name.
        suite: what stands over it.
        unit: as the heading says; empty where it does not.
        printed: the heading as it is printed.
    """

    kind: str
    metric: str = ""
    suite: str = ""
    unit: str = ""
    printed: str = ""


def fold(text: str) -> tuple[str, str]:
    """Return a heading in small letters without arrows, marks and punctuation, and the unit that stands in it."""
    unit = ""
    for match in re.finditer(r"[(\[]\s*([^()\[\]]*?)\s*[)\]]|(%)", text):
        said = (match[1] or match[2] or "").lower().strip(" .")
        unit = unit or _UNITS.get(said, said if said in _known_units() else "")
    inner = re.sub(r"[(\[]\s*([^()\[\]]*?)\s*[)\]]", lambda match: "" if _is_unit(match[1]) else f" {match[1]} ", text)
    return " ".join(re.sub(r"[^\w]+|_", " ", re.sub(r"[↑↓⬆⬇%†‡§¶*¹²³]", " ", inner)).lower().split()), unit


def _is_unit(said: str) -> bool:
    plain = said.lower().strip(" .↑↓")
    return not plain or plain in _UNITS or plain in _known_units() or plain in ("lower is better", "higher is better")


@lru_cache(maxsize=1)
def _known_units() -> frozenset[str]:
    from leaderboards.lint.checks import RANGES

    return frozenset(RANGES)


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    """Return what published tables call metrics, by folded name: the catalogue's names and labels, and the spellings above."""
    found = {}
    for name in ("ip", "uas", "clipscore", *scorers.names()):
        metric = find_metric(name)
        for said in (name, metric.label, *metric.published):
            found[fold(said)[0]] = metric.print_name
    found |= {said: value or said for said, value in _SPELLINGS.items()}
    return found


def metric_of(text: str) -> str | None:
    """Return the published name of the metric that a heading names, or None."""
    name, _ = fold(text)
    if name in _names():
        return _names()[name]
    words = name.split()
    part = _PARTS.get(words[0]) if words else None
    if part and len(words) == 1:
        return f"parts_{part}"
    if part and len(words) == 2 and words[1] in ("f", "m", "female", "male"):
        return f"parts_{part}_{words[1][0]}"
    return None


def said_metric(said: str) -> str:
    """Return what a user says that a column is, by the metric's published name and with the unit as it is said; ``-`` as it is.

    Raises:
        BenchError: no published table and no scorer has such a metric.
    """
    plain, bracket, unit = said.partition("[")
    name = plain.strip()
    if name == "-":
        return said
    known = {*_names().values(), *(cell.metric for cell in printed())}
    own = by_published(name.lower().replace(" ", "_")).print_name
    part = metric_of(name.lower().removeprefix("parts_").replace("_", " ")) if name.lower().startswith("parts_") else None
    found = own if own in known else metric_of(name) or part
    if found is None:
        raise did_you_mean("metric of --column", name, known)
    return f"{found} {bracket}{unit}".strip()


def suite_of(text: str) -> str:
    """Return the suite that a heading names, by its registry name where it is one of ours."""
    name = "-".join(fold(text)[0].split())
    return next((each for each in suites.names() if each.replace("-", "") == name.replace("-", "")), name)


def headings(columns: Sequence[Sequence[str]], given: Mapping[str, str]) -> list[Heading]:
    """Return what each column is.

    Args:
        columns: of each column the texts of its header lines, from the top; one that spans several lines stands once.
        given: what the user says, ``{heading: metric}``; a metric of ``-`` leaves the column out.
    """
    found = [_heading(texts, given) for texts in columns]
    if sum(each.metric.startswith("parts_") for each in found) > 1:
        found = [_total(each, texts) if each.kind == "unknown" else each for each, texts in zip(found, columns, strict=True)]
    return found


def _total(heading: Heading, texts: Sequence[str]) -> Heading:
    if any(fold(text)[0] in _TOTALS for text in texts):
        return Heading("metric", "parts_total", heading.suite, "parts", heading.printed)
    return heading


def _heading(texts: Sequence[str], given: Mapping[str, str]) -> Heading:
    printed = " / ".join(texts)
    units = [unit for text in texts if (unit := fold(text)[1])]
    wanted = {fold(said)[0]: metric for said, metric in given.items()}
    names = [fold(text)[0] for text in texts]
    for said in (fold(printed)[0], " ".join(names), *reversed(names)):
        if said in wanted:
            at = names.index(said) if said in names else None
            over = [text for place, text in enumerate(texts) if place != at] if at is not None else []
            return _metric(wanted[said], over, units, printed)
    for place in reversed(range(len(texts))):
        metric = metric_of(texts[place])
        if metric is not None:
            return _metric(metric, [text for other, text in enumerate(texts) if other != place], units, printed)
    for kind, spellings in (("method", _METHOD), ("suite", _SUITE), ("n", _SIZE)):
        if any(name in spellings for name in names):
            return Heading(kind, printed=printed)
    return Heading("unknown", suite=suite_of(texts[0]) if len(texts) > 1 else "", printed=printed)


def _metric(metric: str, over: Sequence[str], units: Sequence[str], printed: str) -> Heading:
    if metric == "-":
        return Heading("unknown", printed=printed)
    said, _, own = metric.partition("[")
    metric, units = said.strip(), [*units, own.strip(" ]")] if own else units
    name = by_published(metric.lower().replace(" ", "_")).print_name
    unit = units[-1] if units else "parts" if name.startswith(("parts_", PART)) else SURE.get(name, "")
    return Heading("metric", name, "/".join(suite_of(text) for text in over if fold(text)[0] not in _GENERIC), unit, printed)
