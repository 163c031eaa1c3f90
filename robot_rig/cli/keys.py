"""`rig keys`, `rig rollback`: whose checkpoints a robot believes, and which it goes back to. Called by `commands`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from robot_rig.errors import UserError
from robot_rig.keys import PUBLIC, TRUSTED, Pin, TrainerKey, key_folder
from robot_rig.learning.checkpoint import MANIFEST, sign_checkpoint
from robot_rig.stages.acceptance import Acceptance
from robot_rig.stages.shipping import load_trusted, shipped_in


def init(console: Console) -> int:
    """Make this machine's key where there is none, and say what to copy."""
    folder = key_folder()
    own = TrainerKey.own(folder).public
    if not (folder / TRUSTED).exists():
        own.save(folder / TRUSTED)
    say = (
        f"this machine signs as {own.name}; copy {folder / PUBLIC} to the robot and run there: rig keys trust {PUBLIC}"
    )
    console.print(say, highlight=False, soft_wrap=True)
    return show(console)


def show(console: Console) -> int:
    """Say whom this machine believes, and as whom it signs."""
    folder = key_folder()
    for name, role in ((PUBLIC, "signs as"), (TRUSTED, "believes")):
        who = Pin.load(folder / name).name if (folder / name).exists() else "nobody"
        console.print(f"this machine {role} {who}", highlight=False)
    return 0


def trust(public: Path, console: Console) -> int:
    """Believe the trainer whose public key is in the file `public`, and no other."""
    Pin.load(public).save(key_folder() / TRUSTED)
    return show(console)


def sign(path: Path, console: Console) -> int:
    """Sign the checkpoint `path`, or all checkpoints of the run `path`."""
    folders = [path] if (path / MANIFEST).exists() else list(shipped_in(path / "checkpoints").values())
    if not folders:
        raise UserError(f"there is no checkpoint in {path}", next_step="name a run, or one of its checkpoints")
    key = TrainerKey.own(key_folder())
    for folder in folders:
        sign_checkpoint(folder, key.sign)
        console.print(f"signed {folder}", highlight=False, soft_wrap=True)
    return 0


def rollback(run: Path, console: Console) -> int:
    """Let the robot of the practice run `run` go back to the checkpoint before the one that acts."""
    robot, found = run / "played", []
    accepted = Acceptance.of(robot)
    if accepted.updates < 0:
        raise UserError(f"no checkpoint acts in {run} yet", next_step="name the run of practice.launch")
    for folder in reversed(list(shipped_in(run / "learnt" / "checkpoints").values())):
        manifest = load_trusted(folder)[1]
        if manifest.train_steps < accepted.updates and manifest.train_steps not in accepted.taken_back:
            found.append((folder, manifest))
            break
    if not found:
        raise UserError(f"{run} has no older checkpoint", next_step="hold the arm (`rig hold`) and train further")
    folder, manifest = found[0]
    accepted.take_back(manifest).save(robot)
    console.print(f"{folder.name} acts from the next episode on", highlight=False)
    return 0
