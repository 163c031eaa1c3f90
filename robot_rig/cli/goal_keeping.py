"""`rig goals import`, `delete`, `sets`: what comes into the library, and what leaves it. Called by `goal_commands`."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from robot_rig.cli.goals import judged, require_ready
from robot_rig.datatypes import Bytes
from robot_rig.disk import appearing
from robot_rig.errors import UserError
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from robot_rig.vision import Window, cut_out, load_photo, preview, save_picture

PREVIEW_HEIGHT_PX = 480


@dataclass(frozen=True)
class Cut:
    """A window of a photo, px; what is None is chosen so that the window is the largest, and in the middle."""

    photo: Path
    left: int | None
    top: int | None
    side: int | None

    def window(self, shape: tuple[int, ...]) -> Window:
        """The window in a photo of `shape` (H, W, 3)."""
        height, width = shape[:2]
        left, top = self.left or 0, self.top or 0
        side = min(width - left, height - top) if self.side is None else self.side
        return Window(
            (width - side) // 2 if self.left is None else left, (height - side) // 2 if self.top is None else top, side
        )


def import_photo(library: GoalLibrary, cut: Cut, name: str, run: Path | None, console: Console) -> int:
    """Keep the window `cut` of a photo as the goal `name`, and say what `run` makes of it."""
    require_ready(library, name, run)
    photo = load_photo(cut.photo)
    window = cut.window(photo.shape)
    now = datetime.datetime.now(datetime.timezone.utc)
    origin = f"photo {cut.photo.name[:80]!a}, {window.side} px at {window.left},{window.top}"
    kept = library.keep_photo(name, cut_out(photo, window), now, origin)
    console.print(f"{kept.path}: {origin}", highlight=False, markup=False, soft_wrap=True)
    judged(library, [kept], run, console)
    return 0


def draw_preview(cut: Cut, path: Path, console: Console) -> int:
    """Draw the photo with the window in it, and what is cut out, into the new file `path`."""
    if path.suffix.lower() != ".png":
        raise UserError(f"{path} is no name for a preview", next_step="call it FILE.png")
    photo = load_photo(cut.photo)
    window = cut.window(photo.shape)
    drawn: Bytes = preview(photo, window, PREVIEW_HEIGHT_PX)
    with appearing(path) as fresh:
        save_picture(fresh, drawn)
    height, width = photo.shape[:2]
    console.print(
        f"{path}: the photo has {width}x{height} px; --left {window.left} --top {window.top} --side {window.side}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


def delete(library: GoalLibrary, name: str, console: Console) -> int:
    """Remove the goal `name` for good; returns 1 when the person at a terminal does not type its name again."""
    sets = GoalSets(library)
    library.require_kept(name)
    if sys.stdin.isatty():
        console.print(f"{escape(name)} will be gone for good. Type its name to delete it: ", end="", highlight=False)
        if sys.stdin.readline().strip() != name:
            console.print("not deleted")
            return 1
    sets.delete_goal(name)
    console.print(f"{name} is deleted", highlight=False, markup=False)
    return 0


def make_set(library: GoalLibrary, name: str, members: Sequence[str], console: Console) -> int:
    """Make the set `name` of the goals `members`."""
    made = GoalSets(library).make(name, members)
    console.print(f"the set {name} has {len(made)} goals: rig eval --goals {_named(library, name)}", highlight=False)
    return 0


def show_set(library: GoalLibrary, name: str, console: Console) -> int:
    """Print the goals of the set `name`. Raises UserError when it is broken."""
    for goal in GoalSets(library).load(name):
        console.print(f"{goal.name}, {goal.note.taken}", highlight=False, markup=False)
    return 0


def list_sets(library: GoalLibrary, console: Console) -> int:
    """Print every set, and whether it can be asked."""
    sets = GoalSets(library)
    if not sets.names():
        console.print(f"no sets in {sets.folder}; make one with `rig goals sets NAME --of GOAL GOAL`", soft_wrap=True)
        return 0
    shown = Table(title=f"Sets of goals, calibration {library.calibration}")
    for column in ("set", "goals", "verdict"):
        shown.add_column(column, overflow="fold")
    for name in sets.names():
        try:
            shown.add_row(name, ", ".join(goal.name for goal in sets.load(name)), "[green]ok[/]")
        except UserError as error:
            shown.add_row(name, "", f"[red]{escape(error.problem)}[/]")
    console.print(shown, highlight=False)
    return 0


def delete_set(library: GoalLibrary, name: str, console: Console) -> int:
    """Remove the set `name`; its goals stay."""
    GoalSets(library).delete(name)
    console.print(f"the set {name} is deleted; its goals are still there", highlight=False, markup=False)
    return 0


def _named(library: GoalLibrary, name: str) -> str:
    return str(library.folder / name)
