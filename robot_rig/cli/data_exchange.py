"""`rig data export` and `rig data import`: episodes for other tools, and other tools' recordings as episodes.

Called by `cli.commands`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from robot_rig.cli.progress import stage_bar
from robot_rig.config import CameraConfig, Config
from robot_rig.data.bag import Bag, open_bag
from robot_rig.data.bag_export import write_bag
from robot_rig.data.bag_import import BagEpisode, log_episode, own_episode
from robot_rig.data.foreign_bag import Sought, foreign_episode
from robot_rig.data.lerobot_export import survey, write_dataset
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Frame, RawFrame
from robot_rig.errors import UserError
from robot_rig.runs import RunFolder
from robot_rig.vision import decode_picture, preprocess, unpack_picture

BAG_SUFFIX = ".bag"


def export_bags(paths: Sequence[Path], out: Path, console: Console) -> int:
    """Write each episode of `paths` (files, or run or episode folders) as a bag of its own, and return the exit code 0.

    `out` is the folder of the bags, or the bag itself where there is one episode and the name ends in .bag. Raises
    UserError, before anything is written, for a bag that exists, and for what is no episode.
    """
    found = _episodes(paths)
    single = len(found) == 1 and out.suffix == BAG_SUFFIX
    targets = [out] if single else [out / f"{path.stem}{BAG_SUFFIX}" for path in found]
    for target in targets:
        if target.exists() or targets.count(target) > 1:
            raise UserError(f"{target} exists already, or two episodes are called so", next_step="choose another --out")
    steps = 0
    with stage_bar(console, "bags", len(found)) as advance:
        for done, (path, target) in enumerate(zip(found, targets, strict=True), 1):
            log = salvage(path)
            steps += write_bag(log, target)
            if log.damage:
                console.print(f"{path}: {log.damage}", markup=False, highlight=False, soft_wrap=True)
            advance(done, path.stem)
    console.print(f"{len(found)} bags, {steps} steps: {out}", markup=False, highlight=False, soft_wrap=True)
    return 0


def export_lerobot(paths: Sequence[Path], out: Path, console: Console) -> int:
    """Write the episodes of `paths` as one LeRobot dataset, the new folder `out`, and return the exit code 0.

    Raises UserError when `out` exists and for episodes that do not go together.
    """
    if out.exists():
        raise UserError(f"{out} exists already", next_step="choose another --out")
    paths = _episodes(paths)
    with stage_bar(console, "reading", len(paths)) as advance:
        found = survey(paths, lambda done: advance(done, ""))
    with stage_bar(console, "writing", len(found.episodes)) as advance:
        write_dataset(found, _axes(paths[0], found.action_dim), out, lambda done: advance(done, ""))
    count = len(found.episodes)
    said = [
        f"{count} episodes, {found.steps} steps at {found.fps} fps: {out}",
        *([f"left out, without a step: {', '.join(found.skipped)}"] if found.skipped else []),
        "no episode has a goal picture, so the set has none"
        if not found.with_goal
        else f"{found.with_goal} episodes have a goal picture"
        + (f"; in the {count - found.with_goal} others it is black" if found.with_goal < count else ""),
        "timestamps are frame_index / fps, as LeRobot has them; the pictures' own are in `stamp`",
    ]
    console.print("\n".join(said), markup=False, highlight=False, soft_wrap=True)
    return 0


def import_bags(
    bags: Sequence[Path],
    out: Path,
    config: Config,
    sought: Sought,
    console: Console,
) -> int:
    """Log each of `bags` as an episode of the run in the folder `out`, with `config`, and return the exit code 0.

    `sought` is for bags that no rig has exported. Raises UserError for a bag that cannot be imported, of which nothing
    stays then, and for a folder of another run; bags imported before it stay.
    """
    for path in bags:
        with open_bag(path):
            pass
    with RunFolder.claim(out, config) as run:
        store = EpisodeStore(run.episodes)
        for path in bags:
            with open_bag(path) as bag:
                episode = _episode(bag, path, config, sought)
                size = len(config.control.axes)
                if episode.action_dim != size:
                    raise UserError(
                        f"{path} has actions of {episode.action_dim} numbers and this run of {size}",
                        next_step="name the directions that they move along, as in --set control.axes=[x,y]",
                    )
                target = store.next_path(episode.stage)
                steps = _log(episode, target, path.name, console)
            console.print(f"{path}: {steps} steps to {target}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _log(episode: BagEpisode, target: Path, name: str, console: Console) -> int:
    with stage_bar(console, name, episode.steps) as advance:
        return log_episode(episode, target, lambda done: advance(done, ""))


def _episode(bag: Bag, path: Path, config: Config, sought: Sought) -> BagEpisode:
    chosen = sought.picture or sought.action
    own = None if chosen else own_episode(bag)
    if own is not None:
        return own

    def look(topic: str, message: Any, number: int, stamp: float) -> Frame:
        return _look(f"{path}:{topic}", message, config.camera, number, stamp)

    return foreign_episode(bag, sought, look, path.name)


def _look(name: str, message: Any, camera: CameraConfig, number: int, stamp: float) -> Frame:
    """What the policy sees of a sensor_msgs Image or CompressedImage."""
    if hasattr(message, "encoding"):
        size = (message.width, message.height)
        rgb = unpack_picture(name, message.encoding, size, message.step, message.data)
    else:
        rgb = decode_picture(name, message.data.tobytes(), (camera.width_px, camera.height_px))
    return preprocess(RawFrame(number, stamp, rgb), camera)


def _episodes(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inner = path / "episodes"
            found += EpisodeStore(inner if inner.is_dir() else path).paths()
        else:
            found.append(path)
    if not found:
        raise UserError("no episode to export", next_step="name .mcap files, or a run that `rig collect` has filled")
    return found


def _axes(path: Path, action_dim: int) -> list[str]:
    """What the numbers of an action move along: as the run that `path` lies in says, else only counted."""
    folder = path.absolute().parent.parent
    if (folder / "run.json").is_file():
        axes = list(RunFolder.open(folder).config.control.axes)
        if len(axes) == action_dim:
            return [str(axis) for axis in axes]
    return [f"axis_{number}" for number in range(action_dim)]
