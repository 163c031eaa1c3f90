"""The printed board is the board that is looked for, in true size, and rulers beside it show it."""

from __future__ import annotations

import re
import zlib

import cv2
import numpy as np
import pytest

from calibration.board import Board, BoardFinder
from calibration.board_pdf import EDGE_MM, PAPERS, WORDS_MM, Paper, board_pdf
from robot_rig.errors import UserError

POINTS_PER_MM = 72 / 25.4
PIXELS_PER_MM = 4
BOARDS = [Board(), Board(6, 4, 0.040, 0.026), Board(9, 6, 0.020, 0.014)]


def drawing(pdf: bytes) -> bytes:
    """The commands that draw the page."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    unpacked = [zlib.decompress(one) for one in streams if one[:1] == b"\x78"]
    return max(unpacked, key=lambda one: one.count(b" l\n"))


def rows(path: bytes) -> np.ndarray:
    return np.array([line.split()[:2] for line in path.split(b"\n") if line[-2:] in (b" m", b" l")], np.float64)


def printed(board: Board, paper: Paper) -> tuple[np.ndarray, list[np.ndarray], tuple[float, float]]:
    """What a printer makes of it: the page in grey, its lines (2, 2) in mm, and its width and height in mm."""
    pdf = board_pdf(board, paper)
    found = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert found is not None
    width, height = (float(number) / POINTS_PER_MM for number in found.groups())
    page = np.full((round(height * PIXELS_PER_MM), round(width * PIXELS_PER_MM)), 255, np.uint8)
    commands = drawing(pdf)
    _sheet, *shapes = re.findall(rb"((?:[-\d. ]+ [ml]\n)+)h\s+f\n", commands)
    for path in shapes:
        corners = rows(path) / POINTS_PER_MM * (1, -1) + (0, height)
        # Sixteenths of a pixel, of which the drawing wants the number; -0.5 from edges to centres.
        cv2.fillPoly(page, [np.rint((corners * PIXELS_PER_MM - 0.5) * 16).astype(np.int32)], 0, cv2.LINE_AA, 4)
    lines = [rows(path) / POINTS_PER_MM for path in re.findall(rb"((?:[-\d. ]+ [ml]\n)+)\s*S\n", commands)]
    return page, [line for line in lines if len(line) == 2], (width, height)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: f"{board.columns}x{board.rows}")
@pytest.mark.parametrize("paper", PAPERS.values(), ids=lambda paper: paper.name)
def test_all_corners_of_a_printed_board_are_found_in_true_size(board: Board, paper: Paper) -> None:
    page, _, size = printed(board, paper)
    assert np.allclose(size, (paper.width_mm, paper.height_mm), atol=0.02)
    seen = BoardFinder(board).find(np.repeat(page[:, :, None], 3, axis=2))
    assert seen is not None
    assert len(seen.ids) == board.inner_corners
    on_page = (seen.pixels + 0.5) / PIXELS_PER_MM
    moved = on_page - 1e3 * seen.points[:, :2]
    assert np.ptp(moved, axis=0).max() < 0.05, "the squares are not as wide as they say"


def test_a_ruler_of_100_mm_lies_along_each_side() -> None:
    _, lines, _ = printed(Board(), PAPERS["a4"])
    along = [np.abs(line[1] - line[0]) for line in lines]
    assert sum(np.allclose(one, (100.0, 0.0), atol=0.01) for one in along) == 1
    assert sum(np.allclose(one, (0.0, 100.0), atol=0.01) for one in along) == 1


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: f"{board.columns}x{board.rows}")
@pytest.mark.parametrize("paper", PAPERS.values(), ids=lambda paper: paper.name)
def test_the_words_stay_on_the_paper(board: Board, paper: Paper) -> None:
    text = re.findall(rb"1 0 -?0 1 ([\d.]+) [\d.]+ cm\s+BT\s+/F1 6\.5 Tf", drawing(board_pdf(board, paper)))
    assert len(text) == 3
    # The longest line is as wide as WORDS_MM allows.
    assert max(float(x) for x in text) / POINTS_PER_MM <= paper.width_mm - EDGE_MM - WORDS_MM + 0.01


def test_the_same_board_is_the_same_file() -> None:
    assert board_pdf(BOARDS[1], PAPERS["a4"]) == board_pdf(BOARDS[1], PAPERS["a4"])


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((2, 5, 0.03, 0.02), "3 to 20 squares"),
        ((12, 12, 0.03, 0.02), "at most 100"),
        ((7, 5, 0.0, 0.0), "5 to 500 mm"),
        ((7, 5, 0.03, 0.03), "half to 0.85"),
        ((7, 5, float("nan"), 0.02), "5 to 500 mm"),
    ],
)
def test_a_board_that_cannot_be_found_is_refused(size: tuple[int, int, float, float], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Board(*size)


def test_a_board_that_is_too_large_for_the_paper_is_refused() -> None:
    with pytest.raises(UserError, match="does not fit on letter"):
        board_pdf(Board(9, 5, 0.034, 0.022), PAPERS["letter"])


def test_a_strip_of_corners_in_one_line_is_no_sighting() -> None:
    board = Board()
    drawn = board.picture(40, 1.0)
    # Of the board's rows of squares two are left, and between them one row of corners.
    drawn[40 + 2 * 40 :] = 255
    finder = BoardFinder(board)
    assert finder.find(np.repeat(drawn[:, :, None], 3, axis=2)) is None
    assert finder.find(np.full((480, 640, 3), 128, np.uint8)) is None
