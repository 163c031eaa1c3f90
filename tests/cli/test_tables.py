"""Tables fit 80 columns: headings fold, cells do not unless they may, and nothing in them is markup."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from robot_rig.cli.tables import narrow_table


def shown(width: int, *arguments: object, **named: object) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(narrow_table(*arguments, **named))  # type: ignore[arg-type]
    return file.getvalue()


def test_headings_fold_to_the_width_of_the_cells() -> None:
    said = shown(80, "Exam", ("policy", "worst 10 %", "time to reach, median"), [("practice-000600", "1.50", "2.5 s")])
    assert max(map(len, said.splitlines())) == 36
    assert "practice-000600" in said


def test_cells_that_may_fold_give_way_to_those_that_may_not() -> None:
    rows = [("a-name-of-some-length.mcap", "frozen 3, dark 12, exposure 4, dropped 1, gaps 2", "ok")]
    said = shown(60, "Episodes", ("file", "seen", "verdict"), rows, left=(0, 1, 2), folding=(1,))
    assert max(map(len, said.splitlines())) <= 60
    assert "a-name-of-some-length.mcap" in said
    assert "exposure" in said


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    said = shown(80, "[bold]x", ("file", "verdict"), [("[red]log[/].mcap", Text("ok", "green"))])
    assert "[bold]x" in said
    assert "[red]log[/].mcap" in said
