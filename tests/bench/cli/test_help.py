"""Every verb's help is readable at 80 columns: no line is wider, and every option and verb stands there whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bench.cli import app
from bench.cli.command import add_entry_points


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


def test_every_help_is_readable_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
    add_entry_points()
    found = dict(commands(typer.main.get_command(app)))
    assert {("run",), ("summary",), ("compare",), ("board",), ("train",), ("data", "add")} <= set(found)
    for path, command in found.items():
        said = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).output
        names = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
        for name in (*names, *getattr(command, "commands", {})):
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w…-])", said), f"{' '.join(path)}: {name} is not whole"
        assert max(map(len, said.splitlines())) <= 80, path
