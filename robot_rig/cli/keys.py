"""`rig keys`, `rig rollback`: whose checkpoints a robot believes, and which it goes back to. Called by `commands`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from robot_rig.errors import UserError
from robot_rig.keys import PUBLIC, TRUSTED, Pin, TrainerKey, key_folder
from robot_rig.learning.checkpoint import MANIFEST, sign_checkpoint
from robot_rig.stages.acceptance import roll_back
from robot_rig.stages.shipping import shipped_in


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
    """Sign the checkpoint `path`, or all checkpoints of the run `path`, as the trainer that this machine believes."""
    folders = [path] if (path / MANIFEST).exists() else list(shipped_in(path / "checkpoints").values())
    if not folders:
        raise UserError(f"there is no checkpoint in {path}", next_step="name a run, or one of its checkpoints")
    key, trusted = TrainerKey.own(key_folder()), Pin.trusted(key_folder())
    if key.public.name != trusted.name:
        raise UserError(
            f"this machine signs as {key.public.name} and believes {trusted.name}: its own signature would not help",
            next_step=f"sign on the machine that trains, or `rig keys trust {key_folder() / PUBLIC}`",
        )
    for folder in folders:
        sign_checkpoint(folder, key.sign)
        console.print(f"signed {folder}", highlight=False, soft_wrap=True)
    return 0


def rollback(run: Path, console: Console) -> int:
    """Let the robot of the practice run `run` go back to the checkpoint before the one that acts."""
    older = roll_back(run)
    console.print(f"{older} acts from the next episode on, until the trainer ships another", highlight=False)
    return 0
