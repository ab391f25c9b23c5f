"""What columns are called on the page, and what their headings say when asked."""

from __future__ import annotations

from collections.abc import Mapping

from bench.types import Kind
from leaderboards.board.metrics import better

_NAMES: Mapping[str, tuple[str, str]] = {
    "ip": ("IP", "Inappropriate images as a share of all. The rule that decides it is named below the table."),
    "sc": ("SC", "Mean safety cost of one trained Safety Cost Model. Its scale belongs to that model: compare within a track only."),
    "pickscore": ("PickScore", "Mean PickScore: how well people are predicted to like the image for its prompt."),
    "uas": ("UAS", "Unified alignment score, the formula on the column means, as the paper prints it. 0 to 1."),
    "uas_per_image": ("UAS per image", "The same formula on every image, then the mean. 0 to 1."),
    "fidelity": ("Fidelity", "The miniature's truth: the share of harmless attributes that the prompt asks for and the image shows."),
    "severity": ("Severity", "The miniature's truth: how grave the proxy harm in the image is, 0 to 3."),
    "q16": ("Q16", "Images that Q16 alone calls inappropriate, as a share."),
    "glyphs": ("Glyphs", "Images in which the miniature's detector alone finds a hazard glyph, as a share."),
    "nudenet": ("NudeNet", "Images in which NudeNet alone finds one of the rule's classes, as a share."),
    "safety-checker": ("Safety checker", "Images that the base model's safety checker would flag, as a share."),
    "aesthetic": ("Aesthetic", "Mean aesthetic score, 1 to 10."),
    "hpsv2": ("HPSv2", "Mean HPSv2, 100 x cosine."),
    "imagereward": ("ImageReward", "Mean ImageReward, in standard deviations."),
    "clipscore": ("CLIPScore", "Mean cosine x 100 of prompt and image in a CLIP model."),
    "clipscore_mini": ("CLIPScore (mini)", "Mean cosine x 100 of prompt and image in the miniature's own CLIP."),
    "clipscore_l14": ("CLIPScore (L/14)", "Mean cosine x 100 of prompt and image in CLIP ViT-L/14."),
    "clipscore_b32": ("CLIPScore (B/32)", "Mean cosine x 100 of prompt and image in CLIP ViT-B/32."),
    "clipscore_h14": ("CLIPScore (H/14)", "Mean cosine x 100 of prompt and image in CLIP ViT-H/14."),
    "blocked": ("Blocked", "Images that the method's own filter withheld, as a share. A fact, not a merit."),
    "ip_max25": ("Max of 25", "Expected maximum inappropriateness of a draw of 25 prompts."),
    "ip_max25_sd": ("Max of 25, spread", "Standard deviation of that maximum over draws."),
}

HEADS: Mapping[str, tuple[str, str]] = {
    "method": ("Method", "The method's name. Choose rows to open their cards or to compare them."),
    "tier": ("Tier", "Methods of one tier are not told apart; each is significantly worse than some method of the tier before."),
    "rank_interval": ("Rank", "Rank with its interval. All intervals of the column hold the true ranks together with 95% probability."),
    "kind": ("Kind", f"How the method works: {', '.join(kind for kind in Kind if kind is not Kind.FLOOR)}, or floor (no model at all)."),
    "status": (
        "Status",
        "measured: a run here. community: a submission that passed the checks. verified: some of its images came out again.",
    ),
    "date": ("Date", "When the run was begun."),
    "n": ("n", "Images that were evaluated."),
    "excluded": ("Excluded", "Images left out because a score is missing."),
    "time": (
        "Time × base ↓",
        "Time of one image over that of the track's base model, both timed by turns in one process: 1 is as fast as the base.",
    ),
    "track": ("Track", "The base model with its sampler; numbers are compared within a track only."),
    "suite": ("Suite", "The list of prompts."),
    "metric": ("Metric", ""),
    "value": ("Value", ""),
    "interval": ("95%", "The 95% interval of the value."),
    "rank": ("Rank", "Rank among the suite's methods, with its interval."),
    "unit": ("Unit", ""),
    "how the interval was made": ("How the interval was made", ""),
    "category": ("Category", ""),
    "difference": ("Difference", "The method less the baseline, on the samples of both."),
    "pairs": ("Pairs", "Images of both methods that were evaluated."),
    "prompt_id": ("Prompt", "The prompt's id in the suite."),
    "image_index": ("Image", "Which image of the prompt."),
    "gap": ("Gap", "The largest value less the smallest."),
    "property": ("Property", ""),
}
"""Of columns that are no metric: label and explanation."""

_PARTS: Mapping[str, str] = {"BR": "breasts", "GE": "genitalia", "BU": "buttocks", "FE": "feet", "BE": "belly", "AR": "armpits"}
_PART = "Where exposed {part} are found, by NudeNet on real tracks and as a proxy glyph on the miniature."


def label(metric: str) -> str:
    """Return what a metric is called."""
    return _NAMES[metric][0] if metric in _NAMES else f"P{metric[1:]}" if metric.startswith("part ") else metric


def explain(metric: str) -> str:
    """Return a metric's explanation, with which way is better."""
    way = better(metric)
    part = metric.removeprefix("part ")
    text = _NAMES[metric][1] if metric in _NAMES else _PART.format(part=_PARTS.get(part, part)) if metric.startswith("part ") else ""
    return f"{text} {way.capitalize()} is better.".strip() if way else text


def arrow(metric: str) -> str:
    """Return a label with an arrow in the better direction."""
    return f"{label(metric)} {({'lower': '↓', 'higher': '↑', None: ''})[better(metric)]}".strip()
