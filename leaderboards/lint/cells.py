"""What a linter sees: one printed cell at a time, and what it finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2}|[Kk])?")

COUNTS = ("parts", "pairs", "categories", "concepts", "images")
"""Units whose numbers are counts."""


class LintVerdict(StrEnum):
    """How sure a finding is."""

    WRONG = "wrong"
    """Cannot be: no data give this number, or it contradicts others beside it."""
    DOUBTFUL = "doubtful"
    """Can be, but look at it."""


@dataclass(frozen=True, slots=True)
class Linted:
    """One printed cell.

    Attributes:
        table: which table it stands in.
        suite: which suite; empty where the table has none.
        method: its row.
        metric: its column.
        text: as printed, without bold marks and thousands separators; empty where nothing is printed.
        unit: of the number; empty where the table says none.
        n: images behind it; None where the table does not say.
        bold: whether it is printed as the best; None where the file marks nothing at all.
        line: in the file, for the reader.
    """

    table: str
    suite: str
    method: str
    metric: str
    text: str
    unit: str
    n: int | None = None
    bold: bool | None = None
    line: int = 0

    @property
    def value(self) -> Decimal | None:
        """The number, exactly as printed (``90K`` is 90000), or None where there is none."""
        if not NUMBER.fullmatch(self.text):
            return None
        return Decimal(self.text.rstrip("Kk")) * (1000 if self.text[-1] in "Kk" else 1)

    @property
    def half(self) -> Decimal:
        """Half of the last printed digit: how far the true number may lie from a rounded one. A count is exact, but for one such as ``90K``."""
        thousands = self.text[-1:] in ("K", "k")
        if self.unit in COUNTS and not thousands:
            return Decimal(0)
        return Decimal(5).scaleb(-self.digits - 1) * (1000 if thousands else 1)

    @property
    def digits(self) -> int:
        """Digits after the point; of ``1.20e-3`` five."""
        exponent = Decimal(self.text.rstrip("Kk")).as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0

    @property
    def row(self) -> tuple[str, str, str]:
        """What stands in one row of one block."""
        return (self.table, self.suite, self.method)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check found.

    Attributes:
        check: its name.
        verdict: how sure it is.
        cell: where; of several cells the one to look at.
        reason: why, with the numbers.
    """

    check: str
    verdict: LintVerdict
    cell: Linted
    reason: str

    def row(self) -> dict[str, object]:
        """Return it as a flat row."""
        cell = self.cell
        place = {"table": cell.table, "suite": cell.suite, "method": cell.method, "metric": cell.metric, "printed": cell.text}
        return {"check": self.check, "verdict": str(self.verdict), **place, "line": cell.line or None, "reason": self.reason}
