"""Makes the files of tests/fixtures/formats: one of each format, small, every value known. For `tests/test_formats.py`.

    python -m tests.format_fixtures tests/fixtures/formats/v2

Formats that came to have files here later are in v1-more, and in all folders after it. A folder is made once, by the
version that wrote its formats, and then kept: it stands for the files that people have. When a format changes, make the
next folder; the tests go on reading the old one.
"""

from __future__ import annotations

import datetime
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mcap.reader import make_reader

from calibration.results import Results
from robot_rig.config import Config
from robot_rig.data.disk_room import DiskRoom
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.sets import ORIGIN_FORMAT
from robot_rig.datatypes import Action, Bytes, Executed, Frame, Outcome, Source, Step
from robot_rig.evaluation import Evaluation, Rollout
from robot_rig.evaluation_attempts import LATENT, PIXEL, TOOL, Attempt, Question, digest
from robot_rig.evaluation_files import save_evaluation
from robot_rig.evaluation_folder import CHECKPOINT, LIVE, ExamFolder, Paper
from robot_rig.evaluation_live import Sighting
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from robot_rig.keys import TrainerKey
from robot_rig.learning.checkpoint import Manifest, write_checkpoint
from robot_rig.metrics import MetricsLog
from tests.calibration.results_made import hand_eye_record, kept_eye, latency_record, lens_record

STEPS = 3
OUTCOMES = (Outcome.PASSED, Outcome.SCALED, Outcome.HELD)
REASONS = ((), ("speed",), ("box", "image_age"))
META = {"stage": "practice", "policy": "practice-000600", "encoder": "0123456789abcdef", "config": "fedcba9876543210"}
EPOCH_S = 1_800_000_000.0
TAKEN = datetime.datetime(2027, 1, 15, 8, 0, 0, 250_000, tzinfo=datetime.timezone.utc)


PLACE = np.array([[0.0, -1.0, 0.0, 0.5], [1.0, 0.0, 0.0, -0.25], [0.0, 0.0, 1.0, 1.25], [0.0, 0.0, 0.0, 1.0]])
"""Where a camera is."""


def picture(number: int) -> Bytes:
    """uint8 (84, 84, 3): red rises to the right, green is 200 in the first row, blue is ten times `number`."""
    rgb = np.zeros((84, 84, 3), np.uint8)
    rgb[..., 0] = np.arange(84) + number
    rgb[0, :, 1] = 200
    rgb[..., 2] = 10 * number
    return rgb


def frame(number: int) -> Frame:
    """Every third picture of 30 a second."""
    return Frame(40 + 3 * number, 500.0 + 0.125 * number, picture(number))


def step(number: int) -> Step:
    """Numbers that a float32 holds exactly."""
    seen = frame(number)
    wish = np.array([0.25 * number, -0.5], np.float32)
    action = Action(7 + number, seen.stamp + 0.0625, wish, Source.POLICY, seen.seq, seen.stamp)
    position = np.arange(7) * 0.25 + number
    return Step(seen, action, Executed(wish / 2, 0.5 * number, OUTCOMES[number], REASONS[number], position))


def tensors() -> dict[str, dict[str, torch.Tensor]]:
    """One group with a tensor of each type that a checkpoint may hold, and one beside it."""
    return {
        "actor": {
            "layers.0.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
            "layers.0.bias": torch.tensor([-1.0, 0.5]),
            "precise": torch.tensor([1.0 / 3.0], dtype=torch.float64),
            "counter": torch.tensor(7),
            "small": torch.tensor([-3, 3], dtype=torch.int32),
            "bytes": torch.tensor([0, 255], dtype=torch.uint8),
            "switch": torch.tensor([True, False]),
        },
        "goals": {"latents": torch.arange(8, dtype=torch.float32).reshape(4, 2)},
    }


def manifest() -> Manifest:
    """Of a policy that there is not: the numbers alone matter."""
    return Manifest(
        encoder_id="0123456789abcdef", config_hash="fedcba9876543210", latent_dim=2, action_dim=2, train_steps=1200,
        golden_image=picture(1), golden_goal=picture(2), golden_action=np.array([0.25, -0.5], np.float32),
    )  # fmt: skip


def key() -> TrainerKey:
    """A key that everybody knows, and nobody believes."""
    return TrainerKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def evaluation() -> Evaluation:
    """Two goals, one step each."""

    def rollout(number: int) -> Rollout:
        frames = np.stack([picture(number), picture(number + 1)])
        goal_xy, tool_xy = np.array([0.5, 0.25]), np.array([0.5, 0.25 + 0.125 * number])
        return Rollout(picture(number), frames, np.array([1.0, 0.125 * number]), goal_xy, tool_xy)

    return Evaluation(ids=("goal-0", "goal-1"), rollouts=(rollout(0), rollout(1)))


def make(folder: Path) -> None:
    """Write one of each into the new folder `folder`."""
    folder.mkdir(parents=True)
    writer = EpisodeWriter(folder / "episode.mcap", 2, picture(9), META, clock_offset=EPOCH_S, room=DiskRoom(0, 0))
    for number in range(STEPS):
        writer.append(step(number))
    writer.finish(frame(STEPS))
    whole = (folder / "episode.mcap").read_bytes()
    (folder / "truncated.mcap").write_bytes(whole[: _in_the_third_step(folder / "episode.mcap")])
    write_checkpoint(folder / "checkpoint", tensors(), manifest(), key().sign)
    key().public.save(folder / "trainer.pub")
    GoalLibrary(folder / "goals", Config()).capture("red-cup_2", frame(5), TAKEN, "/rig/camera/frame")
    save_evaluation(folder / "evaluation", evaluation())
    _metrics(folder / "metrics")
    make_more(folder)


def paper() -> Paper:
    """An exam over the live graph, of one goal in two steps."""
    asked = questions()
    return Paper(
        checkpoint="arm2/practice-001200", manifest="a" * 64, encoder="0123456789abcdef", trained_under="b" * 16,
        config="fedcba9876543210", goals="seed 12345", n=len(asked), questions=digest(asked), arm_seed=3, steps=2,
        rate_hz=10.0, success_m=0.03, versions={"python": "3.11.2", "robot_rig": "0.1.0"}, held=LIVE,
    )  # fmt: skip


def questions() -> list[Question]:
    """What is asked."""
    return [Question("goal-000", picture(3), np.array([0.5, 0.25]))]


def attempt() -> Attempt:
    """What came of it."""
    away = np.array([0.25, 0.125, 0.0])
    return Attempt(np.array([0, 2], np.uint8), {TOOL: away, LATENT: 8 * away, PIXEL: 16 * away})


def sighting() -> Sighting:
    """What was seen of it."""
    return Sighting(0.25, "the arm was held", 2, 1, 0, 0, 12.5, True, ("the machine was away for 0.2 s",))


RESULTS = {"wall_s": 1.5, "scores": {}}


def make_more(folder: Path) -> None:
    """Write a set of goals, an exam, an origin, and calibrations into `folder`; the set is of the goal of `make`."""
    if not (folder / "goals" / "red-cup_2.yaml").exists():
        GoalLibrary(folder / "goals", Config()).capture("red-cup_2", frame(5), TAKEN, "/rig/camera/frame")
    GoalSets(GoalLibrary(folder / "goals", Config())).make("cups", ["red-cup_2"])
    exam = ExamFolder.begin(folder / "exam", paper(), questions(), "preset: rig\n")
    exam.save(CHECKPOINT, 0, np.stack([picture(number) for number in range(3)]), attempt(), sighting())
    exam.finish(RESULTS)
    origin = {
        "format": ORIGIN_FORMAT, "plan": "c" * 16, "complete": True, "how": {"word": "merge"}, "runs": ["runs/a"],
        "episodes": [{"file": "x-000000.mcap", "was": "runs/a/episodes/x-000004.mcap", "sha256": "d" * 64}],
        "left_out": [{"was": "runs/a/episodes/x-000005.mcap", "why": "it holds no whole step"}],
    }  # fmt: skip
    (folder / "origin.json").write_text(json.dumps(origin, indent=1))
    results = Results(folder / "calibrations")
    for record in (lens_record(), hand_eye_record(PLACE), latency_record()):
        results.keep(record)
    kept_eye(folder / "calibrations", picture(7))


def _in_the_third_step(path: Path) -> int:
    """The byte at which the chunk of the third step is half over."""
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    chunk = summary.chunk_indexes[2]
    return int(chunk.chunk_start_offset + chunk.chunk_length // 2)


def _metrics(folder: Path) -> None:
    log = MetricsLog(folder)
    log.add("vae", 10, {"reconstruction": 2.5, "kl": float("nan")})
    log.add("td3", 20, {"critic_loss": 0.5, "value": -1.25})
    log.add("vae", 20, {"reconstruction": 1.5, "kl": 3.0})
    log.close()
    for path in folder.glob("events.*"):
        # TensorBoard's own: its name tells the machine.
        path.unlink()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if target.name == "v1-more":
        make_more(target)
        sys.exit()
    if target.exists():
        sys.exit(f"{target} exists already: a folder of fixtures is made once")
    try:
        make(target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
