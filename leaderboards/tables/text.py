"""A paper table as LaTeX (booktabs), as Markdown, or on a terminal: one block a suite, and beside each printed number the measured one.

In every form the printed and the measured number stand in columns of their own; a block has a column of differences where it has any.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bench.formats import LATEX
from leaderboards.tables.cells import Cell, Panel, PaperTable
from leaderboards.tables.layout import TableColumn

NOTHING = "–"
_UNITS = {"percent": "%", "parts": "count"}


def latex_text(text: str) -> str:
    """Return plain text so that LaTeX prints it as it is; what stands between backticks becomes typewriter text."""
    pieces = [piece.translate(LATEX) for piece in text.split("`")]
    return "".join(rf"\texttt{{{piece.replace('--', '-{}-')}}}" if odd % 2 else piece for odd, piece in enumerate(pieces))


def number(value: float, digits: int) -> str:
    """Return a number with so many digits; what rounds to nothing has no sign."""
    text = f"{value:.{digits}f}"
    return text[1:] if re.fullmatch(r"-0(\.0+)?", text) else text


def measured_text(cell: Cell) -> str:
    """Return the measured number with its interval, or in a word why there is none."""
    found = cell.measured
    if found is None:
        return cell.missing or NOTHING
    if isinstance(found.value, str):
        return found.value
    text = number(found.value, cell.column.digits)
    if found.low is None or found.high is None:
        return text
    return f"{text} [{number(found.low, cell.column.digits)}, {number(found.high, cell.column.digits)}]"


def difference_text(cell: Cell) -> str:
    """Return the difference with its sign, or nothing."""
    if cell.difference is None:
        return NOTHING
    text = number(cell.difference, cell.column.digits)
    return text if text.startswith("-") or float(text) == 0 else f"+{text}"


def tier_of(cell: Cell) -> int | None:
    """Return the measured number's tier where it is marked: 1 or 2."""
    return cell.measured.tier if cell.measured is not None and cell.measured.tier in (1, 2) else None


def with_differences(panel: Panel) -> bool:
    """Return whether the block has a difference at all."""
    return any(cell.difference is not None for _, cells in panel.rows for cell in cells)


def heading(column: TableColumn) -> str:
    """Return a metric's heading with its unit and which way is better."""
    unit = f" ({_UNITS[column.unit]})" if column.unit in _UNITS and column.metric != "parts_total" else ""
    return column.heading + unit + {"lower": " ↓", "higher": " ↑", None: ""}[column.better]


def _measured_heading(table: PaperTable) -> str:
    return f"{table.track} (proxy)" if table.proxy else table.track


def latex(table: PaperTable) -> str:
    """Return a table environment that needs the packages booktabs and graphicx."""
    width = max(1 + len(panel.columns) * (3 if with_differences(panel) else 2) for panel in table.panels)
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
        r"\begin{table*}[t]",
        r"\centering",
        rf"\caption{{{latex_text(f'{table.title}. ' + ' '.join(table.caption))}}}",
        rf"\label{{tab:paper-{table.number}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
    ]
    for index, panel in enumerate(table.panels):
        if index:
            lines.append(r"\midrule")
        lines += _latex_panel(table, panel, width)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}"])


def _latex_panel(table: PaperTable, panel: Panel, width: int) -> list[str]:
    each = 3 if with_differences(panel) else 2
    lines = [rf"\multicolumn{{{width}}}{{l}}{{\textit{{{latex_text(panel.heading)}}}}} \\"] if panel.heading else []
    over = [rf"\multicolumn{{{each}}}{{c}}{{{_latex_heading(column)}}}" for column in panel.columns]
    rules = [rf"\cmidrule(lr){{{2 + at * each}-{1 + (at + 1) * each}}}" for at in range(len(panel.columns))]
    under = ["paper", latex_text(_measured_heading(table)), *(["diff."] if each == 3 else [])] * len(panel.columns)
    lines += [" & ".join(["", *over]) + r" \\", "".join(rules), " & ".join(["Method" if panel.heading else "Data set", *under]) + r" \\", r"\midrule"]
    for name, cells in panel.rows:
        line = [latex_text(name)]
        for cell in cells:
            line += [
                _latex_number(cell.printed.value or NOTHING),
                _latex_marked(cell),
                *([_latex_number(difference_text(cell))] if each == 3 else []),
            ]
        lines.append(" & ".join(line) + r" \\")
    return lines


def _latex_heading(column: TableColumn) -> str:
    arrow = {"lower": r" $\downarrow$", "higher": r" $\uparrow$", None: ""}[column.better]
    return latex_text(heading(column).rstrip(" ↓↑")) + arrow


def _latex_number(text: str) -> str:
    """Return text with a real minus before a number."""
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", latex_text(text))


def _latex_marked(cell: Cell) -> str:
    text = _latex_number(measured_text(cell))
    return {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(tier_of(cell) or 0, text)


def markdown(table: PaperTable) -> str:
    """Return one Markdown table a block, under its heading, and the caption below."""
    lines = [f"**Table {table.number}. {table.title}.**", ""]
    for panel in table.panels:
        if panel.heading:
            lines += [f"*{panel.heading}*", ""]
        lines += [_line(head) for head in _grid_headings(table, panel)]
        lines += [_line(row) for row in _grid(panel, _markdown_marked)]
        lines.append("")
    return "\n".join([*lines, " ".join(_markdown_caption(text) for text in table.caption)])


def _markdown_caption(text: str) -> str:
    return "".join(f"`{piece}`" if odd % 2 else piece.replace("<", "&lt;").replace("*", r"\*") for odd, piece in enumerate(text.split("`")))


def _grid_headings(table: PaperTable, panel: Panel) -> list[list[str]]:
    head = ["Method" if panel.heading else "Data set"]
    for column in panel.columns:
        head += [f"{heading(column)} paper", _measured_heading(table), *(["diff."] if with_differences(panel) else [])]
    return [head, ["---", *["--:"] * (len(head) - 1)]]


def _grid(panel: Panel, mark: Callable[[Cell], str]) -> list[list[str]]:
    rows = []
    for name, cells in panel.rows:
        line = [name]
        for cell in cells:
            line += [cell.printed.value or NOTHING, mark(cell), *([difference_text(cell)] if with_differences(panel) else [])]
        rows.append(line)
    return rows


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _markdown_marked(cell: Cell) -> str:
    text = measured_text(cell)
    return {1: f"**{text}**", 2: f"<ins>{text}</ins>"}.get(tier_of(cell) or 0, text)


def print_terminal(table: PaperTable) -> None:
    """Print the blocks and the caption for a person; tiers are bold and underlined, as in print."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(f"Table {table.number}. {table.title}", style="bold"))
    for panel in table.panels:
        at_once = _at_once(panel, console.width)
        for start in range(0, len(panel.columns), at_once):
            part = slice(start, start + at_once)
            some = Panel(panel.heading, panel.columns[part], tuple((name, cells[part]) for name, cells in panel.rows))
            shown = Table(title=panel.heading or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
            for index, head in enumerate(_grid_headings(table, some)[0]):
                shown.add_column(head, justify="right" if index else "left", overflow="fold")
            for name, cells in some.rows:
                line = [Text(name)]
                for cell in cells:
                    style = {1: "bold", 2: "underline"}.get(tier_of(cell) or 0, "")
                    line += [Text(cell.printed.value or NOTHING), Text(measured_text(cell), style=style)]
                    line += [Text(difference_text(cell))] if with_differences(some) else []
                shown.add_row(*line)
            console.print(shown)
    console.print(Text(" ".join(table.caption)))


def _at_once(panel: Panel, width: int) -> int:
    """Return how many metrics stand side by side in so many characters; the others go into further blocks below."""
    names = max(len(name) for name, _ in panel.rows)
    cells = [cell for _, row in panel.rows for cell in row]
    numbers = max(len(measured_text(cell)) for cell in cells) + (9 if with_differences(panel) else 0)
    return max(1, (width - names) // (max(len(heading(column)) for column in panel.columns) + len(" paper") + max(numbers, 12) + 4))
