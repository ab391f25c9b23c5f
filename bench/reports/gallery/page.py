"""The gallery as one HTML file: no request to any host, no script but its own, readable without it.

Every text of others is escaped and isolated, so that no name, prompt or category becomes markup or turns the line around.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Sequence
from importlib.resources import files

from PIL import Image as PILImage

from bench.metrics.catalogue import label
from bench.reports.gallery.pictures import LOSSLESS, encoded, picture, word
from bench.reports.gallery.samples import Gallery, Key, Made

MOST_BYTES = 48 * 2**20
"""Of the page; what does not fit is left out, and the page says how much."""
PROMPT = 600
"""Characters of a prompt; a longer one is cut and ends in an ellipsis."""
NAME = 120
"""Characters of a name, an id or a category."""
SMALLEST = 128
"""A picture smaller than this is shown in whole multiples of its own size that reach it."""
_GAP = 13


def text(value: object, most: int = NAME) -> str:
    """Return text of others for HTML: escaped, cut, isolated from the direction of what is around it, without what cannot be printed."""
    return f"<bdi>{attribute(value, most)}</bdi>"


def attribute(value: object, most: int = NAME) -> str:
    """Return text of others for an attribute, or where no markup may stand."""
    plain = "".join(each if each.isprintable() else " " for each in str(value))
    return html.escape(plain if len(plain) <= most else f"{plain[: most - 1]}…")


def page(gallery: Gallery) -> tuple[str, int]:
    """Return the page, and how many samples it shows: fewer than the gallery's where they would not fit."""
    items: list[str] = []
    widths: set[int] = set()
    size = 0
    for key in gallery.keys:
        item = _sample(gallery, key, widths)
        size += len(item)
        if items and size > MOST_BYTES:
            break
        items.append(item)
    note = gallery.sentence(len(items))
    if len(items) < gallery.matching:
        note += f" {gallery.matching - len(items)} left out."
    title = gallery.title()
    parts = [f"<h1>{text(title, 400)}</h1>", f"<p class='note'>{text(note, 2000)}</p>", _counts(gallery), _form(gallery)]
    shown = f"<ol>{''.join(items)}</ol>"
    guarded = sum(each.guarded for key in gallery.keys[: len(items)] for each in gallery.made(key))
    if guarded:  # the flag, and a click each time that the page is opened
        said = f"Show {len(items)} samples; {guarded} of their pictures are clear and may show harm"
        shown = f"<details><summary>{said}</summary>{shown}</details>"
    width = max(widths, default=SMALLEST)
    return _document(title, "".join(parts) + f"<main>{shown}</main>", width, len(gallery.sides)), len(items)


def _document(title: str, body: str, width: int, sides: int) -> str:
    here = files(__package__)
    # A figure may shrink to what a phone holds; a sample is as wide as its pictures side by side.
    figure = min(width, 256)
    variables = f":root{{--figure:{figure}px;--none:{width}px;--sample:{sides * (figure + _GAP) + 8}px}}\n"
    style = variables + here.joinpath("page.css").read_text(encoding="utf-8")
    script = here.joinpath("page.js").read_text(encoding="utf-8")
    policy = f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    head = (
        f"<meta charset='utf-8'><meta http-equiv='Content-Security-Policy' content=\"{policy}\">"
        "<meta name='viewport' content='width=device-width, initial-scale=1'><meta name='referrer' content='no-referrer'>"
        f"<title>{attribute(title, 200)}</title><style>{style}</style>"
    )
    return f"<!doctype html>\n<html lang='en'><head>{head}</head><body>{body}<script>{script}</script></body></html>\n"


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _counts(gallery: Gallery) -> str:
    rows = list(gallery.counts())
    head = "".join(f"<th scope='col'>{name}</th>" for name in rows[0])
    lines = []
    for row in rows:
        cells = [f"<th scope='row'>{text(row['method'])}</th>", *(f"<td>{value}</td>" for name, value in row.items() if name != "method")]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<div class='wide' tabindex='0' role='region' aria-label='Counts of all samples'>{table}</div>"


def _form(gallery: Gallery) -> str:
    made = [each for key in gallery.keys for each in gallery.made(key)]
    categories = sorted({name for key in gallery.keys for name in _categories(gallery, key)})
    verdicts = [name for name in ("flagged", "not flagged", "no verdict") if name in {each.verdict for each in made}]
    extra = [("differ", "methods differ")] if len(gallery.sides) > 1 else []
    statuses = [name for name in ("generated", "blocked", "failed", "missing") if name in {each.status for each in made}]
    sorts = []
    for index, side in enumerate(gallery.sides):
        options = "".join(f"<option value='{index}:{attribute(name, 10**6)}'>{attribute(label(name))}</option>" for name in side.scores)
        sorts.append(f"<optgroup label='{attribute(side.label)}'>{options}</optgroup>" if len(gallery.sides) > 1 else options)
    boxes = [
        _select("category", "Category", "all", [(name, name) for name in categories]),
        _select("verdict", "Verdict", "all", [(name, name) for name in verdicts] + extra),
        _select("status", "Status", "all", [(name, name) for name in statuses]),
        f"<label>Sort by<select name='sort'><option value=''>the page's order</option>{''.join(sorts)}</select></label>",
        "<label>Order<select name='order'><option value='down'>largest first</option><option value='up'>smallest first</option></select></label>",
        "<button type='reset'>Reset</button>",
    ]
    return f"<form hidden aria-label='Filter and sort' autocomplete='off'>{''.join(boxes)}<output role='status'></output></form>"


def _select(name: str, said: str, none: str, options: Sequence[tuple[str, str]]) -> str:
    listed = "".join(f"<option value='{attribute(value, 10**6)}'>{attribute(shown)}</option>" for value, shown in options)
    return f"<label>{said}<select name='{name}'><option value=''>{none}</option>{listed}</select></label>"


def _categories(gallery: Gallery, key: Key) -> list[str]:
    """Return a sample's categories as the page's script compares them: as they are printed."""
    found = str(gallery.row(key)["category"] or "").split(",")
    return ["".join(each if each.isprintable() else " " for each in name.strip()) for name in found if name.strip()]


def _sample(gallery: Gallery, key: Key, widths: set[int]) -> str:
    made = gallery.made(key)
    categories = _categories(gallery, key)
    finite = [{name: value for name, value in (each.scores or {}).items() if math.isfinite(value)} for each in made]
    sides = [{"status": each.status, "verdict": each.verdict, "scores": scores} for each, scores in zip(made, finite, strict=True)]
    data = html.escape(json.dumps({"categories": categories, "sides": sides}))
    head = f"<div class='head'><h2>{text(f'{key[0]} #{key[1]}')}</h2><span>{text(', '.join(categories))}</span></div>"
    prompt = gallery.prompt(key)
    said = "" if prompt is None else f"<p class='prompt' dir='auto'>{text(prompt, PROMPT)}</p>"
    figures = "".join(_figure(gallery, key, each, widths) for each in made)
    return f"<li class='sample' data-sample='{data}'>{head}{said}<div class='sides'>{figures}</div></li>"


def _figure(gallery: Gallery, key: Key, made: Made, widths: set[int]) -> str:
    shown = picture(made)
    top = f"<div class='none'>{word(made, shown)}</div>" if shown is None else _image(shown, key, made, widths)
    method = f"<span class='method'>{text(made.side.label)}</span>" if len(gallery.sides) > 1 else ""
    marks = []
    if made.status != "missing":
        kind = {True: "flagged", False: "fine", None: ""}[made.flagged]
        marks.append(f"<span class='mark {kind}'>{made.verdict}</span>")
    marks += ["<span class='mark'>blurred</span>"] if made.blurred and shown is not None else []
    scores = "".join(f"<dt>{text(label(name))}</dt><dd>{_number(value)}</dd>" for name, value in (made.scores or {}).items())
    return f"<figure>{top}<figcaption>{method}{''.join(marks)}{f'<dl>{scores}</dl>' if scores else ''}</figcaption></figure>"


def _image(shown: PILImage.Image, key: Key, made: Made, widths: set[int]) -> str:
    kind, content = encoded(shown)
    factor = -(-SMALLEST // max(shown.size)) if max(shown.size) < SMALLEST else 1
    width, height = shown.width * factor, shown.height * factor
    widths.add(width)
    # Never the prompt: an alternative text is read aloud and copied along.
    alt = attribute(f"sample {key[0]} #{key[1]}, {made.side.label}, {'blurred' if made.blurred else 'clear'}", 3 * NAME)
    small = " class='small'" if max(shown.size) <= LOSSLESS and not made.blurred else ""
    data = base64.b64encode(content).decode()
    return f"<img{small} loading='lazy' width='{width}' height='{height}' alt='{alt}' src='data:{kind};base64,{data}'>"


def _number(value: float | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
