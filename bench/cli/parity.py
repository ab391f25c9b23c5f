"""The verb ``bench parity``."""

from __future__ import annotations

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import FormatOption
from bench.console import say
from bench.errors import BenchError
from bench.formats import Format, show


class Parity(StrEnum):
    """What can be compared."""

    HPSV2 = "hpsv2"
    IMAGE_REWARD = "image-reward"
    NUDENET = "nudenet"
    CLIPSCORE = "clipscore"
    FID = "fid"
    GENERATION = "generation"
    CLOSED_FORMS = "closed-forms"
    ALL = "all"


def parity(
    what: Annotated[Parity, typer.Argument(help="The scorer, what generation gives, or all of them.")],
    images: Annotated[Path | None, typer.Option(help="A folder of images; drawings of our own where not given.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="A prompt for the images in turn; may be repeated.")] = None,
    weights: Annotated[Path | None, typer.Option(help="The authors' weights; the track's, where they are here, if not given.")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="A folder with bert-base-uncased's tokenizer, for image-reward.")] = None,
    track: Annotated[str, typer.Option("--track", "-t", help="Gives the weights; see `bench ls tracks`.")] = "sd15",
    random_weights: Annotated[bool, typer.Option("--random-weights", help="Random weights, even where the real ones are here.")] = False,
    full_size: Annotated[bool, typer.Option("--full-size", help="Random weights for hpsv2 in its full size: 4 GB and minutes.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the package's environment again.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Compare a scorer with the package that its authors published, image by image, or generation with diffusers; exit code 1 where they differ.

    hpsv2 and image-reward cannot be installed beside this project: each gets an environment of its own (about 1.6 GB, made once).
    Where no weights are here, both sides get the same random ones. Explained in docs/parity.md.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # weights that are here are used; nothing large is fetched for a comparison
    from bench.files.atomic import mendable
    from bench.parity.comparison import Options, verdict
    from bench.parity.environment import environments_folder
    from bench.parity.pictures import pictures
    from bench.parity.run import compare
    from bench.tracks import load_track

    if what is Parity.ALL and (weights or tokenizer):
        raise BenchError("--weights and --tokenizer belong to one scorer: name it instead of `all`.")
    if weights and random_weights:
        raise BenchError("--weights and --random-weights exclude each other. Leave one out.")
    given = {"--images": images, "--weights": weights, "--tokenizer": tokenizer, "--random-weights": random_weights, "--full-size": full_size}
    if what in (Parity.GENERATION, Parity.CLOSED_FORMS) and (idle := [name for name, value in given.items() if value]):
        raise BenchError(f"{idle[0]} cannot act: {what} compares with the track's base, which --track names. Leave it out.")
    options = Options(load_track(track), images, prompt or [], weights, tokenizer, random_weights, full_size, rebuild, say)
    names = [each for each in Parity if each is not Parity.ALL] if what is Parity.ALL else [what]
    with mendable(environments_folder()):
        environments_folder().mkdir(parents=True, exist_ok=True)
    lines = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="run-", dir=environments_folder()) as folder:
            lines += compare(name, pictures(images, options.prompts, Path(folder)), Path(folder), options)
    rows, sentences = [line.row() for line in lines], verdict(lines)
    if form is Format.TABLE:  # what is the same in every row stands below
        keys = ("scorer", "what", "image", "ours", "package", "difference", "tolerance", "agrees")[len(names) == 1 :]
        rows = [{key: row[key] for key in keys} for row in rows]
    else:
        for sentence in sentences:
            say(sentence)
    show(rows, form, title=f"{what}: ours beside the published package", caption="\n".join(sentences))
    if not all(line.agrees for line in lines):
        raise typer.Exit(1)
