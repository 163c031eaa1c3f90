"""The options that every stage shares, and the run they lead to. Called by `robot_rig.cli.commands`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.runs import CONFIG_FILE, RunFolder

Overlays = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(aliases=["--preset"])]
"""Presets and YAML files, one behind each --config or --preset, laid over one another in order."""

ExportFormat = Literal["lerobot", "rosbag"]


@dataclass(frozen=True)
class RunOptions:
    """Which run, and which settings."""

    run: Path
    """Run folder: log, checkpoints, metrics, exam and report."""

    config: Overlays = ()
    """A preset (rig, rig_paper, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set vae.beta=2; may be given more than once."""

    seed: int | None = None
    """Seed of everything random in the run."""

    goal_seed: int | None = None
    """Seed of the exam's goal pictures."""

    since_s: Annotated[float, tyro.conf.Suppress] = field(default_factory=time.monotonic, compare=False)
    """When the command was given, monotonic seconds: the wait for its imports counts as its work."""

    def begun(self) -> RunOptions:
        """These, for a stage that goes on with a run. Raises UserError when there is none to go on with."""
        RunFolder.open(self.run)
        return self

    def unless_set(self, *settings: str) -> RunOptions:
        """These with the single `settings` of a command's own, but those whose key a person has set."""
        chosen = {text.partition("=")[0].strip() for text in self.set}
        own = (text for text in settings if text.partition("=")[0] not in chosen)
        return replace(self, set=(*own, *self.set))

    def load(self) -> Config:
        """The resolved configuration: of a run that exists already its own, with the options given laid over it.

        Raises UserError with file and line for what is wrong in it.
        """
        begun = self.run / CONFIG_FILE
        overlays: list[str | Path] = [*([begun] if begun.is_file() else []), *self.config]
        return load_config(overlays, self.settings())

    def settings(self) -> list[str]:
        """The single settings, as for --set, with the seeds among them."""
        seeds = {"seed": self.seed, "evaluation.goal_seed": self.goal_seed}
        return [*self.set, *(f"{key}={value}" for key, value in seeds.items() if value is not None)]
