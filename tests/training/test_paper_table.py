"""The tables of ``docs/train.md`` hold every setting of the full-size recipes, and the values that the recipes have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from training.recipes import config_path, load_config

PAGE = (Path(__file__).parents[2] / "docs" / "train.md").read_text(encoding="utf-8")
TRACKS = ("sd15", "sdxl")
WHOLE = ("sources", "kinds", "plainer", "centers", "widths", "scheduler")
"""Settings that are a row as they are, whatever is in them."""
IN_WORDS = re.compile(
    r"(title|summary|sources|device|dtype|batch|shard|(quality|cost)\..*|(judge|rewriter)\.(?!model).*|data|encoder|base|editor\.pipeline"
    r"|monitor|monitor_every|checkpoint_every|tracker)"
)
"""Settings whose value the table may tell in words: where models are, how an endpoint is asked, how it runs."""


def settings(values: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of a configuration by its dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping) and name not in WHOLE:
            yield from settings(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", value


def table(recipe: str) -> dict[str, tuple[str, str]]:
    """The cells for both tracks of each setting in the recipe's table."""
    section = re.split(r"^##", PAGE.split(f"\n### {recipe}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line.startswith("| `")]
    return {name: (row[2], row[2] if row[3].strip() == "same" else row[3]) for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


@pytest.mark.parametrize("recipe", ["libraalign", "scm", "t2i-spo"])
def test_every_setting_stands_in_the_table_with_its_value(recipe: str) -> None:
    said = table(recipe)
    for place, track in enumerate(TRACKS):
        has = dict(settings(load_config(recipe, config_path(recipe, track), {}).model_dump(mode="json")))
        assert said.keys() == has.keys()
        values = {name: cells[place].strip("`") for name, cells in said.items() if cells[place].startswith("`") and cells[place].endswith("`")}
        assert not [name for name in said.keys() - values.keys() if not IN_WORDS.fullmatch(name)]
        assert {name: yaml.safe_load(value) for name, value in values.items()} == {name: has[name] for name in values}
