"""Reads the tables of a LaTeX file: tabular and its kin, booktabs, multirow, multicolumn, the marks inside cells. Nothing is run or included."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.errors import BenchError
from leaderboards.lint.grid import PrintedCell, PrintedTable, fill

_BEGIN = re.compile(r"\\begin\s*\{(tabular\*?|tabularx|tabulary|tabularray|longtable|array|tblr)\}")
_TOKEN = re.compile(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline\b|\\(?:begin|end)\s*\{[^}]*\}|\\.|[{}&]", re.DOTALL)
_RULE = re.compile(r"\\(?:toprule|midrule|bottomrule|hline|Xhline|specialrule|hdashline|thickhline)\b(?:\s*\[[^\]]*\])?(?:\{[^}]*\})*")
_PARTIAL = re.compile(
    r"\\(?:cmidrule|cline|addlinespace|arrayrulecolor|noalign|rowcolor|cellcolor|rowcolors)\s*(?:\([^)]*\))?(?:\[[^\]]*\])*(?:\{[^{}]*\})*"
)
_LEADING = re.compile(rf"(?:\s|{_RULE.pattern}|{_PARTIAL.pattern})*")
_GONE = re.compile(
    r"\\(?:cite[a-z]*|ref|eqref|footnote|footnotemark|tnote|label|vspace|hspace|textsuperscript|color|phantom)\*?\s*(?:\[[^\]]*\])*(?:\{[^{}]*\})?"
)
_BOLD = re.compile(r"\\(?:textbf|mathbf|boldsymbol|bm|bfseries|bf)(?![A-Za-z])")
_SIGNS = {
    r"\pm": "±",
    r"\uparrow": "↑",
    r"\downarrow": "↓",
    r"\times": "×",
    r"\checkmark": "✓",
    r"\dagger": "†",
    r"\ddagger": "‡",
    r"\dag": "†",
    r"\textendash": "–",
    r"\textemdash": "—",
    r"\textpm": "±",
    r"\textuparrow": "↑",
    r"\textdownarrow": "↓",
    r"\textasciitilde": "~",
}
_SPANS = re.compile(r"\\multi(row|column)\s*(?:\[[^\]]*\]\s*)?\{\s*(-?[\d.]+)\s*\}\s*(?:\[[^\]]*\]\s*)?")
LARGEST = 2_000_000
"""Characters, also after macros of the file's own were put in their places."""


def latex_tables(source: str, place: str) -> list[PrintedTable]:
    r"""Return every table of a LaTeX file.

    Args:
        source: its text.
        place: what errors call the file.

    Raises:
        BenchError: there is none, one does not end, or it takes rows from another file by ``\input``, which is not followed.
    """
    text = _macros(_without_comments(source))
    found = list(_bodies(text, place))
    grids = []
    for name, body, line in found:
        other = re.search(r"\\(?:input|include|csvreader|pgfplotstabletypeset)\b\s*(?:\[[^\]]*\])?\{?([^}\s]*)", body)
        if other:
            where = line + body.count("\n", 0, other.start())
            raise BenchError(
                f"{place}, line {where}: the table takes rows from {other[1] or 'another file'}, which is not followed. Put the rows here."
            )
        grids.append(_grid(name, body, line))
    if not grids:
        raise BenchError(f"{place} holds no LaTeX table: expected \\begin{{tabular}} ... \\end{{tabular}}. Files that it includes are not followed.")
    return grids


def _without_comments(source: str) -> str:
    """Return the source without comments; lines stay where they are."""
    return re.sub(r"(?<!\\)((?:\\\\)*)%.*", r"\1", source)


def _macros(text: str) -> str:
    r"""Return the text with ``\newcommand`` and ``\def`` of at most one argument put in their places."""
    pattern = r"\\(?:re)?newcommand\*?\s*\{?\\([A-Za-z]+)\}?\s*(?:\[([01])\])?\s*(?=\{)|\\def\s*\\([A-Za-z]+)\s*(#1)?\s*(?=\{)"
    own: dict[str, tuple[bool, str]] = {}
    for match in re.finditer(pattern, text):
        body, _ = _group(text, match.end())
        own[match[1] or match[3]] = ("1" in (match[2] or match[4] or ""), body)
    for _ in range(3):  # macros of macros, and no bomb of them
        for name, (takes, body) in own.items():
            text = _put(text, name, takes, body)
    return text


def _put(text: str, name: str, takes: bool, body: str) -> str:
    parts, at, made = [], 0, 0
    for match in re.finditer(rf"\\{name}(?![A-Za-z])\s*", text):
        before = text[max(0, match.start() - 24) : match.start()]
        if match.start() < at or re.search(r"(newcommand\*?\s*\{?|\\def\s*)$", before):
            continue
        parts.append(text[at : match.start()])
        at = match.end()
        inner = ""
        if takes and text[at : at + 1] == "{":
            inner, at = _group(text, at)
        made += len(parts[-1]) + len(body) + len(inner) * body.count("#1")  # known before it is made
        if made > LARGEST:
            raise BenchError(f"The LaTeX macro \\{name} makes more than {LARGEST:,} characters; give a table without it.")
        parts.append(body.replace("#1", inner))
    return "".join(parts) + text[at:]


def _group(text: str, start: int) -> tuple[str, int]:
    """Return what stands in the braces that open at ``start``, and where the text goes on."""
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and match[0] == "}":
            return text[start + 1 : start + match.start()], start + match.end()
    return text[start + 1 :], len(text)


def _bodies(text: str, place: str) -> Iterator[tuple[str, str, int]]:
    """Yield name, body and first line of every outermost table."""
    at = 0
    while match := _BEGIN.search(text, at):
        line = 1 + text.count("\n", 0, match.start())
        depth, end = 1, None
        for each in re.finditer(r"\\(begin|end)\s*\{(?:tabular\*?|tabularx|tabulary|tabularray|longtable|array|tblr)\}", text[match.end() :]):
            depth += 1 if each[1] == "begin" else -1
            if depth == 0:
                end = match.end() + each.start()
                break
        if end is None:
            raise BenchError(f"{place}, line {line}: \\begin{{{match[1]}}} has no \\end{{{match[1]}}}.")
        body = text[match.end() : end]
        arguments = re.match(r"\s*(?:\[[^\]]*\]\s*)?", body)
        start = arguments.end() if arguments else 0
        for _ in range(2 if match[1] in ("tabular*", "tabularx", "tabulary") else 1):
            while body[start : start + 1].isspace():
                start += 1
            if body[start : start + 1] == "{":
                _, start = _group(body, start)
        around = text[max(0, text.rfind(r"\begin{table", 0, match.start())) : (text.find(r"\end{table", end) + 1 or end)]
        name = re.search(r"\\label\{([^}]*)\}", around if around.count(r"\begin{tabular") <= 1 else "")
        yield (name[1] if name else ""), body[start:], line + text[match.end() : match.end() + start].count("\n")
        at = end


def _grid(name: str, body: str, line: int) -> PrintedTable:
    rows: list[list[PrintedCell]] = []
    lines: list[int] = []
    rules: list[int] = []
    for text, offset in _rows(body):
        for _ in _RULE.finditer(text):
            rules.append(len(rows))
        cells = list(_cells(_PARTIAL.sub(" ", _RULE.sub(" ", text))))
        boxes = [_box(cell) for cell in cells]
        if any(box.text for box in boxes):
            rows.append(boxes)
            start = _LEADING.match(text)
            lines.append(line + body.count("\n", 0, offset + (start.end() if start else 0)))
    heads = next((each for each in rules if 0 < each < len(rows)), None)
    return fill(name, rows, lines, heads, places=True)


def _split(text: str, ends: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    r"""Yield the parts of ``text`` between ``ends`` that stand in no braces and no inner table, each with where it begins."""
    depth = start = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "{" or token.startswith("\\begin"):
            depth += 1
        elif token == "}" or token.startswith("\\end"):
            depth -= 1
        elif depth == 0 and token.startswith(ends):
            yield text[start : match.start()], start
            start = match.end()
    yield text[start:], start


def _rows(body: str) -> Iterator[tuple[str, int]]:
    return _split(body, ("\\\\", "\\tabularnewline"))


def _cells(row: str) -> Iterator[str]:
    return (text for text, _ in _split(row, ("&",)))


def _box(cell: str) -> PrintedCell:
    columns = rows = 1
    text = cell.strip()
    while match := _SPANS.search(text):
        count = max(1, abs(int(float(match[2]))))
        columns, rows = (max(columns, count), rows) if match[1] == "column" else (columns, max(rows, count))
        at = match.end()
        if text[at : at + 1] == "{":
            _, at = _group(text, at)  # how it is aligned, or how wide it is
        elif text[at : at + 1] == "*":
            at += 1
        while text[at : at + 1].isspace():
            at += 1
        inner, end = _group(text, at) if text[at : at + 1] == "{" else ("", at)
        text = f"{text[: match.start()]} {inner} {text[end:]}"
    return PrintedCell(plain(text), bool(_BOLD.search(text)), columns, rows)


def plain(text: str) -> str:
    """Return what LaTeX prints, as far as a table's cell goes: macros that style are gone, their text stays."""
    text = re.sub(r"\\begin\s*\{[^}]*\}(?:\[[^\]]*\])?(?:\{(?:[^{}]|\{[^{}]*\})*\})?|\\end\s*\{[^}]*\}", " ", text)
    text = _GONE.sub("", _PARTIAL.sub(" ", text))
    for sign, letter in _SIGNS.items():
        text = re.sub(re.escape(sign) + r"(?![A-Za-z])", letter, text)
    text = re.sub(r"\\textcolor\s*(?:\[[^\]]*\])?\{[^{}]*\}|\\(?:resizebox|scalebox)\{[^{}]*\}(?:\{[^{}]*\})?", "", text)
    text = re.sub(r"×\s*10\s*\^\s*\{?\s*([-−+]?\d+)\s*\}?", lambda match: f"e{match[1].replace('−', '-')}", text)
    text = re.sub(r"(\d)\s+e([-+]?\d)", r"\1e\2", text)
    text = re.sub(r"\^\s*(?:\{[^{}]*\}|.)", lambda match: match[0].strip("^{} ") if "±" in match[0] else "", text)
    text = text.replace("\\\\", " ").replace("\\,", "\u2009").replace("\\!", "").replace("~", " ")
    text = re.sub(r"\\([%&_#${}])", lambda match: {"{": "", "}": ""}.get(match[1], f"\0{match[1]}"), text)
    text = re.sub(r"\\[A-Za-z]+\*?\s*\[[^\]]*\](?=\s*\{)|\\[A-Za-z]+\*?", " ", text)
    text = re.sub(r"(?<!\0)[{}$]", "", text)
    text = re.sub(r"(?<!\0)_(?=\S)", " ", text).replace("\0", "")
    text = re.sub(r"\\.", " ", text)
    return " ".join(re.sub(r"-{2,3}", "–", text).split(" ")).strip() if text.strip() else ""
