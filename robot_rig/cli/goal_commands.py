"""`rig goals`: light signatures that `--help` reads, heavy imports once a word is said. Called by `cli.dispatch`.

Every function returns the exit code. Only `capture` and `send` speak to a robot, and only `send` can make one move.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from robot_rig.cli.robot_commands import Overlays, config_words, require_ros
from robot_rig.errors import UserError

if TYPE_CHECKING:
    from robot_rig.goal_library import GoalLibrary

GOALS = Path("goals")


def goals_capture(
    name: tyro.conf.Positional[str],
    goals: Path = GOALS,
    run: Path | None = None,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Keep what the policy's camera sees now as the goal NAME: goals/NAME.png and its note, NAME.yaml.

    With --run, a sheet shows it beside what the run's encoder makes of it and the most alike picture that the robot has
    seen, and you are warned when it has never seen anything like this.

    Args:
        name: What to call it.
        goals: Folder of the goals.
        run: Run folder with a checkpoint; its settings hold.
        config: A preset (rig, reach, ...) or a YAML file laid over the settings; may be given more than once.
        set: One setting; may be given more than once.
    """
    require_ros()
    from robot_rig.cli.goals import capture

    return capture(_library(goals, run, config, set), name, run, Console())


def goals_import(
    photo: tyro.conf.Positional[Path],
    name: tyro.conf.Positional[str],
    left: int | None = None,
    top: int | None = None,
    side: int | None = None,
    preview: Path | None = None,
    goals: Path = GOALS,
    run: Path | None = None,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Cut the goal NAME out of a photo of a phone held where the robot's camera is: JPEG to 12 megapixels, PNG to 8.

    The window is a square of the photo as a viewer shows it, upright; without numbers the largest in its middle. A
    photo is taken with other eyes than the robot's: look at --preview first, and at what --run says of it.

    Args:
        photo: The photo.
        name: What to call the goal.
        left: Left edge of the window, px.
        top: Upper edge of the window, px.
        side: Side of the window, px.
        preview: Only draw the photo with the window, and what is cut out, into this new PNG file; no goal is made.
        goals: Folder of the goals.
        run: Run folder with a checkpoint; its settings hold, and it is shown what it makes of the picture.
        config: A preset (rig, reach, ...) or a YAML file laid over the settings; may be given more than once.
        set: One setting; may be given more than once.
    """
    from robot_rig.cli.goal_keeping import Cut, draw_preview, import_photo

    cut = Cut(photo, left, top, side)
    if preview is not None:
        return draw_preview(cut, preview, Console())
    return import_photo(_library(goals, run, config, set), cut, name, run, Console())


def goals_list(goals: Path = GOALS, config: Overlays = (), set: Overlays = ()) -> int:
    """The goals there are, their sets, and whether this camera can use them."""
    from robot_rig.cli.goals import table

    return table(_library(goals, None, config, set), Console())


def goals_show(
    names: tyro.conf.Positional[tuple[str, ...]] = (),
    goals: Path = GOALS,
    run: Path | None = None,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Draw goals (all when none is named) on one sheet under goals/sheets and print its path; nothing moves.

    With --run, each beside what the run's encoder makes of it and the most alike picture that the robot has seen.

    Args:
        names: Which goals.
        goals: Folder of the goals.
        run: Run folder with a checkpoint; its settings hold.
        config: A preset (rig, reach, ...) or a YAML file laid over the settings; may be given more than once.
        set: One setting; may be given more than once.
    """
    from robot_rig.cli.goals import show

    return show(_library(goals, run, config, set), names, run, Console())


def goals_delete(name: tyro.conf.Positional[str], goals: Path = GOALS) -> int:
    """Delete the goal NAME, picture and note, for good; on a terminal you are asked to type its name again.

    A goal that is in a set is not deleted: exams on the set would ask something else.
    """
    from robot_rig.cli.goal_keeping import delete

    return delete(_library(goals, None, (), ()), name, Console())


def goals_sets(
    name: tyro.conf.Positional[str] = "",
    of: tuple[str, ...] = (),
    delete: bool = False,
    goals: Path = GOALS,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Named sets of goals: all of them, or the goals of the set NAME; `rig eval --checkpoint C --goals NAME` asks one.

    Args:
        name: Which set.
        of: Make the set NAME of these goals. A set stays as it is: for other goals, make another.
        delete: Delete the set NAME; its goals stay.
        goals: Folder of the goals.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting; may be given more than once.
    """
    from robot_rig.cli.goal_keeping import delete_set, list_sets, make_set, show_set

    if ((of or delete) and not name) or (of and delete):
        raise UserError("it is not said which set", choices=["rig goals sets NAME --of GOAL ...", "... NAME --delete"])
    library, console = _library(goals, None, config, set), Console()
    if of:
        return make_set(library, name, of, console)
    if delete:
        return delete_set(library, name, console)
    return show_set(library, name, console) if name else list_sets(library, console)


def goals_imagine(
    run: Path,
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 16,
    seed: int = 0,
    out: Path | None = None,
) -> int:
    """What the robot dreams of: latents drawn from the prior N(0, I), decoded by the run's newest checkpoint.

    Args:
        run: Run folder with a checkpoint.
        count: How many pictures.
        seed: Of the draws.
        out: New PNG file for the sheet; a free name in the run folder when not given.
    """
    from robot_rig.cli.goal_judging import imagine

    return imagine(run, count, seed, out, Console())


def goals_send(
    name: tyro.conf.Positional[str],
    goals: Path = GOALS,
    stay: bool = False,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Show the goal NAME to the policy: an arm that is enabled goes there.

    Args:
        name: Which goal.
        goals: Folder of the goals.
        stay: Keep showing it, to whoever comes later too, until Ctrl-C.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting; may be given more than once.
    """
    require_ros()
    from robot_rig.cli.goals import send
    from robot_rig.nodes import goal_node

    library = _library(goals, None, config, set)
    if stay:
        return goal_node.main(["--goal", str(library.load(name).path), *config_words(config, set)])
    return send(library, name, Console())


def _library(folder: Path, run: Path | None, config: Overlays, sets: Overlays) -> GoalLibrary:
    """The goals in `folder` under the defaults, or the settings of `run`, with overlays laid over them."""
    from robot_rig.config_files import load_config
    from robot_rig.goal_library import GoalLibrary

    if run is None:
        return GoalLibrary(folder, load_config(config, sets))
    from robot_rig.cli.goal_judging import settings_of

    return GoalLibrary(folder, load_config([settings_of(run), *config], sets))
