"""Published numbers, measured results, and the tables and figures made of them.

``published.csv`` holds the numbers that the paper prints (arXiv 2504.14290: Tables 1, 2, 3 and 5, and what its text says of
Figure 4b and of the data set's parts), one cell a row: table, method, suite, metric, value, unit, note.

- ``value`` stands as printed (thousands separators removed), so it is text: trailing zeros are digits too, and two columns of
  Table 1 are words. It is empty where the paper prints none; the note then says what stands there.
- ``note`` begins or goes on with "inconsistent:" where a printed number contradicts others.

Published and measured numbers are never mixed in one column.
"""

from __future__ import annotations
