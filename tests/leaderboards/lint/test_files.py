"""Published tables in the forms that people have: what is read, what is said to be left, and one line for what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from leaderboards.lint.columns import fold, metric_of
from leaderboards.lint.files import read_file
from leaderboards.lint.numbers import decimal_commas, read_number
from leaderboards.lint.read import paper_cells
from leaderboards.lint.run import lint
from leaderboards.lint.tables import ReadTables

BOOKTABS = r"""
\begin{table}\caption{Main}\label{tab:main}
\begin{tabular}{@{}l*{3}{c}@{}}
\toprule
Method & IP (\%) $\downarrow$ & PickScore $\uparrow$ & UAS $\uparrow$ \\ \midrule
SD v1.5~\cite{base} & 31.90 & 19.33 & 0.302 \\ % the base
ESD-u \citep[see][]{esd} & 12.35\textsuperscript{\dag} & \underline{19.10} & -- \\
Ours & \textbf{4.40} & {\bf 19.38} & $\mathbf{0.757}$ \\
\bottomrule
\end{tabular}\end{table}"""
SPANS = r"""\begin{tabular}{llcc}\hline
\multirow{2}{*}{Dataset} & \multirow{2}{*}{Method} & \multicolumn{2}{c}{Metrics} \\ \cline{3-4}
 & & IP$\downarrow$ & CLIP Score$\uparrow$ \\ \hline
\multirow{2}{*}{I2P-Sexual} & SD & $31.90_{\pm 0.4}$ & 26.1 \\
 & UCE & $12.00^{\pm 0.3}$ & 25.9 \\ \hline
\multirow{2}{*}{I2P} & SD & 35.1 & 26.1 \\ & UCE & 20.2 & 25.9 \\ \hline
\end{tabular}"""
OVER = r"""\begin{tabular*}{\textwidth}{l cc cc} \toprule
& \multicolumn{2}{c}{I2P} & \multicolumn{2}{c}{NSFW56K-Sexual} \\ \cmidrule(lr){2-3}\cmidrule(l){4-5}
Model & IP\,\% ($\downarrow$) & PS & IP\,\% ($\downarrow$) & PS ($\uparrow$)\\ \midrule
\rowcolor{gray!10} SLD$^{\dagger}$ & 18.83 & 18.9 & 22.00 & 18.8\\ \bottomrule\end{tabular*}"""
MACROS = r"""\newcommand{\best}[1]{\textbf{#1}} \newcommand{\dev}[1]{{\scriptsize$\pm$#1}} \def\ours{Tuned}
\begin{tabular}{l|c|c} Method & HPSv2 $\uparrow$ & ImageReward\\\hline\hline \ours & \best{0.2710}\dev{0.002} & \best{0.31} \end{tabular}"""
CELLS = r"""\begin{tabularx}{\linewidth}{lXX}
\toprule \makecell{Method\\(venue)} & \makecell[c]{Inappropriate\\Prob. (\%)} & \begin{tabular}{@{}c@{}}Aesthetic\\Score\end{tabular} \\ \midrule
\multicolumn{3}{l}{\textit{SD v1.5}}\\ Base & 39.0\% & 5.61 \\
\multicolumn{3}{l}{\textit{SDXL}}\\ Base & \cellcolor[HTML]{FFAAAA}35.0\% & \textcolor{red}{6.01} \\ \bottomrule
\end{tabularx}"""
SCIENCE = r"""\begin{longtable}{lcr} Method & KID & Images \\ \endhead
A & $1.2\times10^{-3}$ & 1{,}000 \\ B & $\mathbf{1.0 \times 10^{-3}}$ & 1\,000 \end{longtable}"""
PARTS = r"""\begin{tabular}{lccc}\toprule Method & Breasts (F) & Feet & Total$\downarrow$\\ \midrule
A & 183 & 42 & 225 \\ B & 23 & 22 & 46 \\ \end{tabular}"""
BOMB = r"\newcommand{\x}[1]{" + "#1" * 3000 + r"}\begin{tabular}{lc}Method & IP\\ a & \x{" + "1" * 900 + r"}\end{tabular}"
PIPES = """# Results

| Method | Year | IP (%) ↓ | PickScore ↑ |
|:--|:-:|--:|--:|
| SD v1.5 [12] | 2022 | 31.90 | _19.33_ |
| **Ours** | 2025 | **4.40** ± 0.2 | **19.38** |
| Filter | 2022 | — | n/a |
"""
BARE = "Model | Nudity rate | CLIP-S\n--- | --- | ---\na | 12.5% (-3.1) | 31.2\nb | <b>8.0%</b> [7.1, 9.0] | 30.9\n"
HTML = """<style>td{color:red}</style><table><thead><tr><th rowspan=2>Method<th colspan=2>I2P<th>DrawBench</tr>
<tr><th>IP (%)&darr;<th>SC<th>HPS v2</tr></thead><tr><td>SD<sup>1</sup><td>31.90<td>&minus;0.41<td>0.265</tr>
<tr><td>Ours<td><strong>4.40</strong><td style='font-weight: bold'>&minus;8.14<td>0.271</tr></table>"""
TURNED = "<table><tr><td>Metric<td>SD<td>UCE<tr><td>IP (%)<td>31.9<td>12.0<tr><td>PickScore<td>19.3<td>19.1</table>"


def read(folder: Path, name: str, text: str, **given: dict[str, str] | dict[str, int]) -> ReadTables:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_file(path, **given)  # type: ignore[arg-type]


def short(reading: ReadTables) -> list[str]:
    return [
        " ".join(filter(None, (each.table, each.suite, each.method, each.metric, each.text or "-", each.unit, "bold" if each.bold else "")))
        for each in reading.cells
    ]


@pytest.mark.parametrize(
    ("name", "text", "some", "count"),
    [
        ("a.tex", BOOKTABS, {"tab:main Ours ip 4.40 percent bold", "tab:main ESD-u ip 12.35 percent", "tab:main ESD-u uas - score"}, 9),
        ("b.tex", SPANS, {"i2p-sexual UCE ip 12.00 percent", "i2p SD clipscore 26.1"}, 8),
        ("c.tex", OVER, {"i2p SLD ip 18.83 percent", "nsfw56k-sexual SLD pickscore 18.8 score"}, 4),
        ("d.tex", MACROS, {"Tuned hpsv2 0.2710 bold", "Tuned imagereward 0.31 score bold"}, 2),
        ("e.tex", CELLS, {"SD v1.5 Base ip 39.0 percent", "SDXL Base ip 35.0 percent", "SDXL Base aesthetic 6.01"}, 4),
        ("f.tex", SCIENCE, {"A kid 1.2e-3", "B kid 1.0e-3 bold"}, 2),
        ("g.tex", PARTS, {"A parts_br_f 183 parts", "B parts_total 46 parts"}, 6),
        ("h.tex", BOOKTABS + PARTS, {"tab:main Ours ip 4.40 percent bold", "2 A parts_fe 42 parts"}, 15),
        ("i.md", PIPES, {"SD v1.5 pickscore 19.33 score", "Ours ip 4.40 percent bold", "Filter ip - percent"}, 6),
        ("j.md", BARE, {"a ip 12.5 percent", "b ip 8.0 percent bold", "a clipscore 31.2"}, 4),
        ("k.md", HTML, {"i2p Ours safety_cost -8.14 cost bold"}, 6),
        ("l.html", HTML, {"i2p SD safety_cost -0.41 cost", "drawbench Ours hpsv2 0.271"}, 6),
        ("m.htm", TURNED, {"SD ip 31.9 percent", "UCE pickscore 19.1 score"}, 4),
        ("n.csv", "Model,Venue,IP (%) ↓\nSD,X,31.90\nOurs,Y,**4.40**\n", {"Ours ip 4.40 percent bold"}, 2),
        ("o.csv", "Method;IP (%);PickScore\nSD;31,90;19,33\nOurs;4,40;1.019,3\n", {"SD ip 31.90 percent", "Ours pickscore 1019.3 score"}, 4),
        ("p.tsv", "method\tsuite\tn\tIP [%]\tASR\nSD\ti2p-sexual\t931\t31.90\t90.1\n", {"i2p-sexual SD asr 90.1 percent"}, 2),
        ("q.txt", PIPES, {"Ours ip 4.40 percent bold"}, 6),
    ],
)
def test_tables_are_read_as_they_are_published(name: str, text: str, some: set[str], count: int, tmp_path: Path) -> None:
    reading = read(tmp_path, name, text)
    assert some <= set(short(reading)) and len(reading.cells) == count


def test_a_files_numbers_are_checked_and_found_in_their_line(tmp_path: Path) -> None:
    (found,) = lint(read(tmp_path, "a.tex", PARTS).cells).findings
    assert (found.check, found.cell.method) == ("total", "B")
    assert {cell.method: cell.line for cell in read(tmp_path, "b.tex", BOOKTABS).cells} == {"SD v1.5": 6, "ESD-u": 7, "Ours": 8}
    assert {cell.n for cell in read(tmp_path, "c.tex", SCIENCE).cells} == {1000}
    shares = read(tmp_path, "d.tsv", "method\tsuite\tn\tIP [%]\nRECE\ti2p-sexual\t931\t4.67\n")
    assert [each.check for each in lint(shares.cells).findings] == ["possible-share"]


def test_what_was_not_read_is_said(tmp_path: Path) -> None:
    notes = " ".join(read(tmp_path, "a.md", PIPES).notes)
    assert "1 column(s) not read: 'Year'" in notes and "1 cell(s) have a deviation" in notes
    assert "commas are read as decimal marks" in read(tmp_path, "b.csv", "Method;IP\na;31,90\n").notes
    two = PIPES + "\n\n| Method | Colour |\n|---|---|\n| a | red |\n"
    assert "table 2: not read: no column is a metric ('Method', 'Colour')" in read(tmp_path, "c.md", two).notes
    assert "1 row(s) not read" in " ".join(read(tmp_path, "d.md", "| Method | IP |\n|---|---|\n| | 3 |\n| a | 4 |\n").notes)


def test_a_user_says_what_a_column_is(tmp_path: Path) -> None:
    text = "Model,Rate,Year\na,0.3,2024\n"
    with pytest.raises(BenchError, match=r"no column is a known metric: 'Model', 'Rate', 'Year'.*--column"):
        read(tmp_path, "a.csv", text)
    assert short(read(tmp_path, "a.csv", text, columns={"Rate": "ip [share]"})) == ["a ip 0.3 share"]
    assert short(read(tmp_path, "b.md", PIPES, columns={"IP (%)": "-"}))[0] == "SD v1.5 pickscore 19.33 score bold".removesuffix(" bold")
    with pytest.raises(BenchError, match=r"has no column 'Rat' for --column. It has: 'Model', 'Rate', 'Year'"):
        read(tmp_path, "a.csv", text, columns={"Rat": "ip"})
    with pytest.raises(BenchError, match=r"Unknown metric of --column 'pikscore'\. Did you mean 'pickscore'\? Known: aesthetic, "):
        read(tmp_path, "a.csv", text, columns={"Rate": "pikscore [score]"})
    said = {"parts_br": "parts_br", "parts_br_f": "parts_br_f", "CLIP score": "clipscore", "pairs_hf": "pairs_hf", "ip": "ip", "SC": "safety_cost"}
    for spelling, metric in said.items():
        assert read(tmp_path, "a.csv", text, columns={"Rate": spelling}).cells[0].metric == metric


def test_images_are_given_of_a_suite_that_is_there(tmp_path: Path) -> None:
    one, none = "Model,Dataset,IP (%)\na,i2p,4.4\n", "Model,IP (%)\na,4.4\n"
    assert read(tmp_path, "a.csv", one, n={"i2p": 9}).cells[0].n == 9 == read(tmp_path, "b.csv", none, n={"": 9}).cells[0].n
    with pytest.raises(BenchError, match=r"a\.csv has no suite 'foo' for --n\. It has: 'i2p'\."):
        read(tmp_path, "a.csv", one, n={"foo": 3})
    with pytest.raises(BenchError, match=r"no suite 'foo' for --n\. No suite is named in it; for all its numbers: --n =N\."):
        read(tmp_path, "b.csv", none, n={"foo": 3})


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.tex", "only words", "holds no LaTeX table"),
        ("b.tex", r"\begin{tabular}{lc} Method & IP \\ a & 3", r"has no \\end\{tabular\}"),
        ("c.tex", "\\begin{tabular}{lc}\nMethod & IP \\\\\n\\input{rows.tex}\n\\end{tabular}", "line 3: the table takes rows from rows.tex"),
        ("d.tex", r"\begin{tabular}{lc}\end{tabular}", "no column is a known metric: no headings"),
        ("e.tex", BOMB, "more than 2,000,000"),
        ("f.md", "no table | here", "holds no Markdown table"),
        ("g.html", "<p>nothing</p>", "holds no HTML table"),
        ("h.md", "| Method | IP |\n|---|---|\n| a | 4,40 |\n| b | 3.1 |\n", "line 3: 4,40 has a decimal comma, and 3.1 in line 4 a decimal point"),
        ("i.csv", "Model,IP (%)\na,3,4\n", "line 2: 3 values where the header has 2"),
        ("j.csv", "Model,IP (%),IP (%)\na,3,4\n", "the column 'IP \\(%\\)' twice"),
        ("k.csv", "", "holds no table"),
        ("l.md", "| Method | IP |\n|---|---|\n| \x1b[2J | 3 |\n", "line 3 holds a control character"),
        ("m.md", "x" * 2_000_001, "2,000,001 characters"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(name: str, text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=says) as error:
        read(tmp_path, name, text)
    assert "\n" not in str(error.value)


def test_a_span_with_a_digit_too_many_makes_no_huge_table(tmp_path: Path) -> None:
    text = "<table><tr><td>Method<td colspan=99999>IP</tr><tr><td rowspan=99999>a<td>3</tr></table>"
    assert short(read(tmp_path, "a.html", text)) == ["a ip 3 percent"]


@pytest.mark.parametrize(
    ("printed", "text", "percent"),
    [
        ("1,234", "1234", False),
        ("1 234.5", "1234.5", False),
        ("1\u202f234", "1234", False),
        ("12,345,678", "12345678", False),
        ("4.40†", "4.40", False),
        ("4.40 (−0.3)", "4.40", False),
        ("4.40 [4.1, 4.7]", "4.40", False),
        ("−8.14±0.1", "-8.14", False),
        ("12.5 %", "12.5", True),
        ("–", "", False),
        ("N/A", "", False),
        ("90K", "90K", False),
        ("0,123", "0,123", False),  # no thousands begin with 0: what it is the table decides
        ("about 3", "about 3", False),
    ],
)
def test_numbers(printed: str, text: str, percent: bool) -> None:
    read_one = read_number(printed)
    assert (read_one.text, read_one.percent) == (text, percent)


def test_decimal_commas_are_read_where_they_are_sure() -> None:
    assert decimal_commas([("4,40", 1), ("1,234", 2)], "f") and not decimal_commas([("1,234", 1), ("4.40", 2)], "f")
    assert [read_number(text, comma=True).text for text in ("4,40", "1,234", "1.234,5", "31")] == ["4.40", "1.234", "1234.5", "31"]


@pytest.mark.parametrize(
    ("heading", "metric"),
    [
        ("IP (%) ↓", "ip"),
        ("Inappropriate Prob.", "ip"),
        ("Pick-Score↑", "pickscore"),
        ("PS", "pickscore"),
        ("HPS v2.1", "hpsv2"),
        ("CLIP-S", "clipscore"),
        ("CLIPScore*", "clipscore"),
        ("Safety Cost", "safety_cost"),
        ("SC↓", "safety_cost"),
        ("FID-30K", "fid"),
        ("Genitalia (M)", "parts_ge_m"),
        ("Venue", None),
    ],
)
def test_headings_by_many_spellings(heading: str, metric: str | None) -> None:
    assert metric_of(heading) == metric


def test_every_metric_of_the_paper_is_known_by_its_own_name() -> None:
    names = {cell.metric for cell in paper_cells() if cell.table != "1" and not cell.metric.startswith(("pairs", "harm", "parts"))}
    assert {metric_of(name) for name in names} - {None} <= names and fold("IP (%)") == ("ip", "percent")


def outcome(path: Path) -> str:
    """What a person is told of a file that cannot be read; nothing where it can."""
    try:
        lint(read_file(path).cells)
    except BenchError as error:
        return str(error)
    return ""


@given(st.text(alphabet="\\{}&$%_^[]()|<>tdrhablegin{tabular}1.5,-± \n", max_size=80), st.sampled_from(["tex", "md", "html", "csv", "tsv"]))
@settings(max_examples=60, deadline=None)
def test_no_text_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str, ending: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    path.write_text(text if ending != "tex" else rf"\begin{{tabular}}{{lc}} Method & IP \\ {text} \end{{tabular}}", encoding="utf-8")
    assert "\n" not in outcome(path)
