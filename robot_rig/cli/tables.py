"""Tables that fit a terminal of 80 columns: headings fold at their blanks, cells only where they are told to.

Called by the words of `rig` that print one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence

from rich.table import Table
from rich.text import Text

Cell = str | Text


def narrow_table(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    left: Collection[int] = (0,),
    folding: Collection[int] = (),
) -> Table:
    """A table whose columns are no wider than their cells, whose texts are plain: nothing in them is markup.

    left: numbers of the columns that hold words and not numbers. folding: those whose cells may be broken at blanks
    where there is no room for them.
    """
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    table = Table(title=Text(title, style="table.title"))
    for number, heading in enumerate(headings):
        lines = [line for row in cells for line in row[number].split()]
        widest = max((line.cell_len for line in lines), default=0)
        table.add_column(
            _folded(heading, widest),
            justify="left" if number in left else "right",
            no_wrap=number not in folding,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*row)
    return table


def _folded(heading: str, width: int) -> Text:
    """`heading` in lines of `width`, or of its longest word."""
    longest = max(map(len, heading.split()), default=1)
    return Text("\n".join(textwrap.wrap(heading, max(width, longest), break_long_words=False, break_on_hyphens=False)))
