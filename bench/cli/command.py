"""The command ``bench`` itself: the panels of its help, and how a verb, ours or another package's, is put into one."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import entry_points, version
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from bench.console import say

DISTRIBUTION = "t2i-safety-bench"

F = TypeVar("F", bound=Callable[..., Any])


class HelpPanel(StrEnum):
    """What verbs are for; ``bench --help`` shows them in this order."""

    RUN = "Run"
    READ = "Read results"
    BRING = "Bring your own"
    TRAIN = "Train"
    PUBLISH = "Publish"


class _Panels(TyperGroup):
    """Lists verbs panel by panel, in the order in which each panel's were added; verbs without a panel come last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs' names in the order of the help."""
        order = [str(each) for each in HelpPanel]

        def place(name: str) -> int:
            panel = getattr(self.commands[name], "rich_help_panel", None)
            return order.index(panel) if panel in order else len(order)

        return sorted(self.commands, key=place)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        raise typer.Exit()


def _bench(
    asked: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is, and end.")] = False,
) -> None:
    """What stands before every verb."""


app = typer.Typer(
    name="bench",
    callback=_bench,
    cls=_Panels,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Measure how safe and how good a text-to-image model still is after safety alignment.\n\n"
    "Example: [bold]bench run --method sd-v1.5 --suite i2p --limit 64[/bold]",
)


def in_panel(panel: HelpPanel) -> Callable[[F], F]:
    """Put the verb of an entry point (group ``bench.commands``) into a panel of the help; without it the verb stands below all panels."""

    def mark(verb: F) -> F:
        verb.panel = panel  # type: ignore[attr-defined]
        return verb

    return mark


def add(verb: Callable[..., Any], panel: HelpPanel | None, example: str = "", name: str | None = None) -> None:
    """Add a verb.

    Args:
        verb: its function.
        panel: of the help; the last where None.
        example: a command that works, shown under the verb's help.
        name: the verb's, where it is not the function's.
    """
    app.command(name, epilog=f"Example: {example}" if example else None, rich_help_panel=panel or "From plugins")(verb)


def add_entry_points() -> None:
    """Add the verbs of other packages (entry-point group ``bench.commands``); a broken one is a warning that names it."""
    for point in entry_points(group="bench.commands"):
        try:
            verb = point.load()
            add(verb, getattr(verb, "panel", None), name=point.name)
        except Exception as error:
            say(f"warning: the command {point.name!r} ({point.value}) does not load: {error!r}")
