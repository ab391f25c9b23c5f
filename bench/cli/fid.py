"""The verb ``bench fid``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import FormatOption
from bench.console import Bars
from bench.formats import Format, show_table


def fid(
    run: Annotated[Path, typer.Argument(help="A run folder, scored by a network that keeps features: on coco30k every run is.")],
    against: Annotated[Path, typer.Option(help="A run folder, a folder of images, or an .npz file with mu and sigma.")],
    scorer: Annotated[str | None, typer.Option(help="The scorer whose features are compared; the track's where not given.")] = None,
    frechet: Annotated[bool, typer.Option("--fid/--no-fid", help="The Frechet distance.")] = True,
    kid: Annotated[bool | None, typer.Option("--kid/--no-kid", help="The kernel distance; on where the reference has images.")] = None,
    blocked_as_black: Annotated[bool, typer.Option("--blocked-as-black/--delivered-only", help="Blocked images as black ones, or left out.")] = True,
    device: Annotated[str, typer.Option(help="Where a folder's features are computed: cpu, cuda, cuda:1.")] = "cpu",
    form: FormatOption = Format.TABLE,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """FID and KID of a run by clean-fid's rules: how far its images are, as a set, from reference images or another run's.

    Refused where images are too few. On the miniature both are proxies under other names. Explained in docs/fid.md.
    """
    from bench.fid.table import fid_table

    with Bars(quiet=quiet) as bars:
        table = fid_table(run, against, scorer=scorer, fid=frechet, kid=kid, blocked_as_black=blocked_as_black, device=device, progress=bars)
    show_table(table, form)
