"""A robot never goes back to an older checkpoint, under whatever name it comes, unless a person says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.errors import UserError
from robot_rig.nodes.understudy import Understudy
from robot_rig.stages.acceptance import FILE, Acceptance
from tests.nodes.test_policy_and_recorder import CONFIG, learnt
from tests.nodes.test_practice_node import shipped

Capture = pytest.CaptureFixture[str]


class Robot:
    """A practice run, and an understudy in it that can be started anew."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.checkpoints = run / "learnt" / "checkpoints"
        (run / "played").mkdir()
        self.start()

    def start(self) -> None:
        self.understudy = Understudy(self.checkpoints, CONFIG, self.run / "played")

    def acts(self) -> str | None:
        ready = self.understudy.look()
        return None if ready is None else ready.actor.name

    def ship(self, steps: int) -> None:
        shipped(self.checkpoints, steps, learnt())


@pytest.fixture
def robot(tmp_path: Path) -> Robot:
    return Robot(tmp_path)


def test_an_old_checkpoint_under_a_new_name_is_still_an_old_one(robot: Robot, caplog: pytest.LogCaptureFixture) -> None:
    robot.ship(100)
    robot.ship(200)
    assert robot.acts() == "practice-000200"
    shutil.copytree(robot.checkpoints / "practice-000100", robot.checkpoints / "practice-000900")
    assert robot.acts() is None
    assert "it is older than what acted before: 100 updates, not 200" in caplog.text
    robot.start()
    assert robot.acts() == "practice-000200", "after a restart the same one acts"


def test_a_person_goes_back_one_and_a_newer_one_still_comes(robot: Robot, capsys: Capture) -> None:
    for steps in (100, 200, 300):
        robot.ship(steps)
    assert robot.acts() == "practice-000300"
    assert main(["rollback", str(robot.run)]) == 0
    assert "practice-000200 acts from the next episode on" in capsys.readouterr().out
    assert robot.acts() == "practice-000200"
    assert robot.acts() is None
    robot.start()
    assert robot.acts() == "practice-000200"
    assert main(["rollback", str(robot.run)]) == 0
    assert robot.acts() == "practice-000100"
    assert main(["rollback", str(robot.run)]) == 2
    assert "no older checkpoint" in capsys.readouterr().err
    robot.ship(400)
    assert robot.acts() == "practice-000400"
    robot.start()
    assert robot.acts() == "practice-000400"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"updates": "9", "taken_back": []}', '{"updates": 1, "taken_back": [true]}']
)
def test_a_damaged_record_is_refused_and_not_guessed(content: str, robot: Robot) -> None:
    (robot.run / "played" / FILE).write_text(content)
    with pytest.raises(UserError, match="damaged"):
        Acceptance.of(robot.run / "played")
