"""What columns that are no metric are called on the page, and what their headings say when asked; metrics say it themselves."""

from __future__ import annotations

from collections.abc import Mapping

from bench.types import Kind

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
