"""The board as a PDF to print in true size, with rulers that show whether the printer kept it. `rig calibrate board`.

Everything is drawn as shapes in millimetres, not as a picture: no resolution, no smoothing, sharp at any size.
"""

from __future__ import annotations

import io
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from calibration.board import MARKER_BITS, Board
from robot_rig.errors import UserError

MM_PER_INCH = 25.4
EDGE_MM = 8.0
"""What office printers leave white."""

FOOT_MM = 24.0
"""Room below the board for a ruler and the words."""

RULER_MM = 100
GAP_MM = 8.0
"""Between the ruler and the words beside it."""

WORDS_MM = 130.0
"""Room beside the ruler for the words."""

SIDE_MM = 14.0
"""Room beside the board for the upright ruler."""


class Paper(NamedTuple):
    """A sheet, the long side across, mm."""

    name: str
    width_mm: float
    height_mm: float


PAPERS = {paper.name: paper for paper in (Paper("a4", 297.0, 210.0), Paper("letter", 279.4, 215.9))}


def board_pdf(board: Board, paper: Paper) -> bytes:
    """One page of `paper` with `board` in true size, a ruler along each side and what to do with it.

    Raises UserError for a board that does not fit on it.
    """
    width, height = (1e3 * side for side in board.size_m)
    if width > paper.width_mm - 2 * EDGE_MM - SIDE_MM or height > paper.height_mm - 2 * EDGE_MM - FOOT_MM:
        room = (paper.width_mm - 2 * EDGE_MM - SIDE_MM, paper.height_mm - 2 * EDGE_MM - FOOT_MM)
        raise UserError(
            f"a board of {width:.0f}x{height:.0f} mm does not fit on {paper.name} ({room[0]:.0f}x{room[1]:.0f})",
            next_step="take fewer or smaller squares",
        )
    # Fonts as outlines that every printer has; a person's own settings of matplotlib do not count.
    with rc_context({"pdf.compression": 6, "pdf.fonttype": 42}):
        figure = Figure(figsize=(paper.width_mm / MM_PER_INCH, paper.height_mm / MM_PER_INCH))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_xlim(0.0, paper.width_mm)
        axes.set_ylim(paper.height_mm, 0.0)
        axes.axis("off")
        # In the middle, but no further to the right than the words at its foot can go.
        furthest = paper.width_mm - EDGE_MM - WORDS_MM - GAP_MM - RULER_MM
        left, top = min((paper.width_mm - SIDE_MM - width) / 2 + SIDE_MM, furthest), EDGE_MM
        _draw_board(axes, board, left, top)
        _draw_rulers(axes, left, top, height)
        _write(axes, board, left + RULER_MM + GAP_MM, top + height)
        page = io.BytesIO()
        # Without a date the same board is the same file.
        figure.savefig(page, format="pdf", metadata={"Title": _title(board), "CreationDate": None})
    return page.getvalue()


def _title(board: Board) -> str:
    squares = f"{board.columns}x{board.rows}"
    square, marker = (round(1e3 * side, 2) for side in (board.square_m, board.marker_m))
    return f"ChArUco {squares}, squares {square:g} mm, markers {marker:g} mm, DICT_4X4_50"


def _black(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    axes.add_patch(Rectangle((left, top), width, height, facecolor="black", edgecolor="none", linewidth=0))


def _draw_board(axes: Axes, board: Board, left: float, top: float) -> None:
    """Its black squares and the black cells of its markers, the upper left corner at (`left`, `top`) mm."""
    square, cell = 1e3 * board.square_m, 1e3 * board.marker_m / (MARKER_BITS + 2)
    for row in range(board.rows):
        for column in range(board.columns):
            if (row + column) % 2 == 0:
                _black(axes, left + column * square, top + row * square, square, square)
    for corner, cells in board.markers():
        for row, line in enumerate(cells):
            for first, last in _runs([value == 0 for value in line.tolist()]):
                at = 1e3 * corner + (first * cell, row * cell)
                _black(axes, left + at[0], top + at[1], (last - first) * cell, cell)


def _runs(black: list[bool]) -> list[tuple[int, int]]:
    """(first, one past the last) of each run of True: drawn as one shape, so that no hairline shows between cells."""
    edges = [
        i for i in range(len(black) + 1) if (black[i - 1] if i else False) != (black[i] if i < len(black) else False)
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _draw_rulers(axes: Axes, left: float, top: float, height: float) -> None:
    """100 mm below the board and 100 mm beside it: a printer may be wrong along one side only."""
    below, beside = top + height + 5.0, left - 5.0
    for mark in range(0, RULER_MM + 1, 10):
        length = 4.0 if mark % 50 == 0 else 2.5
        _line(axes, (left + mark, left + mark), (below, below + length))
        _line(axes, (beside, beside - length), (top + mark, top + mark))
    _line(axes, (left, left + RULER_MM), (below, below))
    _line(axes, (beside, beside), (top, top + RULER_MM))
    axes.text(left, below + 7.5, f"0 to {RULER_MM} mm", fontsize=7)
    axes.text(beside - 5.0, top, f"0 to {RULER_MM} mm", fontsize=7, rotation=90, va="top", ha="right")


def _line(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.add_line(Line2D(x, y, color="black", linewidth=0.4, solid_capstyle="butt"))


def _write(axes: Axes, board: Board, left: float, below: float) -> None:
    lines = (
        _title(board),
        "Print at 100 %, without 'fit to page'. Both rulers must measure 100 mm; if not, measure a square and say so:",
        "rig calibrate ... --square-mm MEASURED. Glue it flat onto something stiff; a bent board bends the camera.",
    )
    for number, line in enumerate(lines):
        axes.text(left, below + 7.0 + 4.2 * number, line, fontsize=6.5)
