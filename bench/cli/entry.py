"""The command line: every verb is a thin function that calls the library."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from bench.cli import data, methods, results, runs
from bench.cli.command import HelpPanel, add, add_entry_points, app
from bench.cli.fid import fid
from bench.cli.gallery import gallery
from bench.cli.imports import import_verb
from bench.cli.meta import meta
from bench.cli.parity import parity
from bench.cli.power import power
from bench.cli.speed import speed
from bench.cli.summary import summary
from bench.console import say, warn_in_one_line
from bench.errors import BenchError

add(
    runs.run,
    HelpPanel.RUN,
    "bench run --method uce --suite i2p --limit 64 --gallery, or: bench run --method uce --suite prompts.csv",
)
add(runs.score, HelpPanel.RUN, "bench score runs/mini/i2p/uce-1a2b3c4d --scorer nudenet")
add(runs.merge, HelpPanel.RUN, "bench merge here/mini/i2p/uce-1a2b3c4d there/mini/i2p/uce-1a2b3c4d --out runs")
add(runs.status, HelpPanel.RUN, "bench status")
add(runs.rm, HelpPanel.RUN, "bench rm runs/mini/i2p/uce-1a2b3c4d")
add(runs.verify, HelpPanel.RUN, "bench verify runs/mini/i2p/uce-1a2b3c4d --regenerate 8")
add(speed, HelpPanel.RUN, "bench speed sld-medium --batch-size 16 --rounds 5")
add(results.report, HelpPanel.READ, "bench report runs/mini/i2p/uce-1a2b3c4d --rule glyphs --threshold 0.3")
add(summary, HelpPanel.READ, "bench summary --methods uce,sld-strong,sd-v1.5 --suites i2p,drawbench")
add(meta, HelpPanel.READ, "bench meta, or: bench meta leaderboards/results/mini --suites i2p,drawbench --format csv")
add(results.compare, HelpPanel.READ, "bench compare sd-v1.5 uce sld-medium --suite i2p")
add(gallery, HelpPanel.READ, "bench gallery runs/mini/i2p/sd-v1.5-1a2b3c4d runs/mini/i2p/uce-1a2b3c4d --only disagree")
add(results.ls, HelpPanel.READ, "bench ls methods")
add(results.show_one, HelpPanel.READ, "bench show uce, or: bench show prompts.csv", name="show")
add(import_verb, HelpPanel.BRING, "bench import photographs --suite i2p --as midjourney-v7", name="import")
add(methods.check_method, HelpPanel.BRING, "bench check-method uce", name="check-method")
add(methods.new_method, HelpPanel.BRING, "bench new-method my-method --kind guidance", name="new-method")
app.add_typer(data.app, name="data", rich_help_panel=HelpPanel.BRING)
add(fid, HelpPanel.READ, "bench fid runs/mini/coco30k/uce-1a2b3c4d --against photographs")
add(power, HelpPanel.READ, "bench power --ip 0.35 --difference 0.05")
add(parity, HelpPanel.READ, "bench parity nudenet --images photographs")


def main() -> NoReturn:
    """Run the command line: 0 for success, 1 for an incomplete run, 2 for what the user can mend, 130 for Ctrl-C."""
    warn_in_one_line()
    add_entry_points()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # where PYTHONIOENCODING or the terminal has no such letter
    try:
        code = app(standalone_mode=False) or 0
    except BenchError as error:
        say(f"error: {error}")
        code = 2
    except typer.Exit as left:
        code = left.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        code = 0
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "format_message"):
            say(f"error: {error.format_message()} See `bench --help`.")
            code = 2
        else:
            raise
    if code == 130:  # typer turns Ctrl-C into this exit code itself
        say("interrupted: what was finished is kept; run the same command again to go on.")
    sys.exit(code)
