"""The words of `rig data`: light signatures that `--help` reads, heavy imports only once a word is said.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from robot_rig.cli.options import ExportFormat, Overlays, RunOptions
from robot_rig.errors import UserError


def data_check(paths: tyro.conf.Positional[tuple[Path, ...]]) -> int:
    """Is the log whole? Damage, doubled or dark frames, light, gaps and rates; exit code 1 if not.

    `dropped`: the camera's pictures seen to be missing, judged over all files. Of one with several pictures a step few
    can be seen: there 0 is no proof.

    Args:
        paths: Episode files, or folders of them.
    """
    from robot_rig.cli.data import check

    return check(paths)


def data_ls(paths: tyro.conf.Positional[tuple[Path, ...]]) -> int:
    """Which episodes are there? Stage, date, length, goal and actor of each in run folders, folders, files; totals."""
    from robot_rig.cli.data_sets import ls

    return ls(paths, Console())


def data_merge(runs: tyro.conf.Positional[tuple[Path, ...]], out: Path) -> int:
    """Put the episodes of several runs into one new run, in order of time; refused where they do not fit together.

    Args:
        runs: Run folders; the new run has the settings of the first.
        out: The new run folder. Repeated after a Ctrl-C, this goes on.
    """
    from robot_rig.cli.data_sets import merge

    return merge(runs, out, Console())


def data_split(run: tyro.conf.Positional[Path], out: tuple[Path, Path], share: float = 0.9, seed: int = 0) -> int:
    """Draw a run apart into two new ones, whole episodes, each stage in the same share.

    Args:
        run: Run folder.
        out: The two new run folders. Repeated after a Ctrl-C, this goes on.
        share: Share of each stage's episodes that goes to the first.
        seed: Seed of the drawing.
    """
    from robot_rig.cli.data_sets import split

    return split(run, out, share, seed, Console())


def data_lag(run: tyro.conf.Positional[Path]) -> int:
    """How far does the arm trail its actions? Measured in the play that the run folder RUN holds; for control.lag_s."""
    from robot_rig.cli.data import lag

    return lag(run)


def data_view(path: tyro.conf.Positional[Path], out: Path | None = None) -> int:
    """Draw an episode: a contact sheet (PNG) and a film (MP4), beside the log or in the folder --out."""
    from robot_rig.cli.data import view

    for made in view(path, out if out is not None else path.parent):
        print(made)
    return 0


def data_export(paths: tyro.conf.Positional[tuple[Path, ...]], format: ExportFormat, out: Path) -> int:
    """Write episodes for other tools: a LeRobot dataset (v3.0) of all, or a ROS 1 bag of each.

    Args:
        paths: Run folders, folders of episodes, or episode files.
        format: What to write.
        out: The new folder; for one bag its name may be given, ending in .bag.
    """
    from robot_rig.cli.data_exchange import export_bags, export_lerobot

    export = export_bags if format == "rosbag" else export_lerobot
    return export(paths, out, Console())


def data_import(
    bags: tyro.conf.Positional[tuple[Path, ...]],
    out: Path,
    picture: str | None = None,
    action: str | None = None,
    limit: float | None = None,
    stage: str = "collect",
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
) -> int:
    """Log ROS 1 bags as episodes of a run: our own bit for bit, others from a camera topic and a Joy topic of actions.

    Args:
        bags: Bags, each an episode.
        out: Run folder, new or made by an import before.
        picture: Camera topic, where a bag has several.
        action: Topic of the actions (sensor_msgs/Joy, axes in -1 .. 1), where a bag has several.
        limit: How far a picture may lie from its action, s; half a policy period when not given.
        stage: As what another's bag counts: collect (to learn from) or heldout (to check with).
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set camera.width_px=320; may be given more than once.
    """
    from robot_rig.cli.data_exchange import import_bags
    from robot_rig.data.foreign_bag import Sought

    settings = RunOptions(out, config, set).load()
    rate = settings.control.policy_rate_hz
    limit_s = 0.5 / rate if limit is None else limit
    if not bags or not 0.0 < limit_s < 3600.0:
        raise UserError("no bag to import, or no sensible --limit", next_step="name a bag, and a limit above 0 s")
    sought = Sought(picture, action, len(settings.control.axes), limit_s, rate, stage)
    return import_bags(bags, out, settings, sought, Console())
