"""A robot never goes back to an older checkpoint, under whatever name it comes, unless a person says so."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.errors import UserError
from robot_rig.keys import PUBLIC, TRUSTED, Pin, TrainerKey, key_folder
from robot_rig.learning.checkpoint import SIGNATURE, write_checkpoint
from robot_rig.nodes.policy_node import newest_acceptable
from robot_rig.nodes.understudy import Understudy
from robot_rig.stages.acceptance import ACCEPTED, REMEMBERED, TAKEN_BACK, Acceptance
from robot_rig.stages.shipping import load_checkpoint, shipped_in
from tests.format_fixtures import manifest
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
    assert "it is older than what has acted: 100 updates, not 200" in caplog.text
    robot.start()
    assert robot.acts() == "practice-000200", "after a restart the same one acts"


def test_one_that_is_looked_at_while_it_is_copied_acts_when_all_of_it_is_there(robot: Robot, tmp_path: Path) -> None:
    sound = shipped(tmp_path / "elsewhere", 100, learnt())
    copied = robot.checkpoints / sound.name
    copied.mkdir(parents=True)
    names = sorted(path.name for path in sound.iterdir())
    for name in names[:-1]:
        shutil.copy2(sound / name, copied / name)
        assert robot.acts() is None, "a refusal is not for ever"
    content = (sound / names[-1]).read_bytes()
    (copied / names[-1]).write_bytes(content[:100])
    assert robot.acts() is None
    with (copied / names[-1]).open("ab") as file:
        file.write(content[100:])
    assert robot.acts() == sound.name


def of_run(checkpoint: Path, run_id: str, updates: int) -> None:
    """The same policy, as that run of the same trainer ships it after so many updates."""
    shipment = load_checkpoint(checkpoint)
    manifest = replace(shipment.manifest, run_id=run_id, train_steps=updates)
    folder = checkpoint.with_name(f"practice-{updates:06d}")
    shutil.rmtree(folder, ignore_errors=True)
    write_checkpoint(folder, shipment.groups, manifest, TrainerKey.own(key_folder()).sign)


def test_another_run_of_the_same_trainer_neither_acts_nor_shuts_out_the_robots_own(
    robot: Robot, caplog: pytest.LogCaptureFixture
) -> None:
    robot.ship(100)
    first = robot.checkpoints / "practice-000100"
    of_run(first, "own", 100)
    assert robot.acts() == "practice-000100"
    for another in ("longer", ""):
        of_run(first, another, 90_000)
        assert robot.acts() is None
    assert "it is of another run of the trainer: longer, not own" in caplog.text
    assert "trainer: one without a name, not own" in caplog.text
    of_run(first, "own", 200)
    robot.start()
    assert robot.acts() == "practice-000200"
    of_run(first, "longer", 150)
    assert main(["rollback", str(robot.run)]) == 0
    assert robot.acts() == "practice-000100"
    (robot.run / "played" / ACCEPTED).unlink()
    robot.start()
    assert robot.acts() == "practice-090000", "a person lets the robot follow any run"


def test_a_robot_that_followed_a_trainer_of_before_learns_the_run_from_the_next(robot: Robot) -> None:
    robot.ship(100)
    assert robot.acts() == "practice-000100"
    (robot.run / "played" / ACCEPTED).write_text('{"updates": [100]}')
    of_run(robot.checkpoints / "practice-000100", "own", 200)
    assert robot.acts() == "practice-000200"
    assert Acceptance.of(robot.run / "played").run_id == "own"


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


def test_what_was_taken_back_does_not_act_elsewhere_either(robot: Robot) -> None:
    for steps in (100, 200):
        robot.ship(steps)
    robot.acts()
    assert main(["rollback", str(robot.run)]) == 0
    path, shipment = newest_acceptable(
        list(shipped_in(robot.checkpoints).values()), Acceptance.of(robot.run / "played")
    )
    assert (path.name, shipment.manifest.train_steps) == ("practice-000100", 100)


def test_going_back_passes_over_what_is_not_sound(robot: Robot, capsys: Capture) -> None:
    for steps in (100, 200, 300):
        robot.ship(steps)
    robot.acts()
    robot.ship(400)
    (robot.checkpoints / "practice-000400" / SIGNATURE).unlink()
    (robot.checkpoints / "practice-000200" / "actor.safetensors").unlink()
    assert main(["rollback", str(robot.run)]) == 0
    assert "practice-000100 acts" in capsys.readouterr().out
    assert robot.acts() == "practice-000100"


def test_a_policy_that_was_taken_back_does_not_act_on_where_nothing_replaces_it(robot: Robot) -> None:
    for steps in (100, 200):
        robot.ship(steps)
    robot.acts()
    assert main(["rollback", str(robot.run)]) == 0
    shutil.rmtree(robot.checkpoints / "practice-000100")
    with pytest.raises(UserError, match="was taken back, and no other one can act"):
        robot.acts()


def test_a_person_may_take_it_back_while_it_is_made_ready(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    robot.ship(100)
    robot.acts()
    robot.ship(200)

    def taken_back_meanwhile(*_: object) -> None:
        Acceptance(frozenset({100, 200})).take_back(robot.run / "played")

    monkeypatch.setattr("robot_rig.nodes.understudy.on_one_core", taken_back_meanwhile)
    assert robot.acts() is None
    assert Acceptance.of(robot.run / "played").newest == 100


def test_one_whose_engine_disagrees_is_not_accepted(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    robot.ship(100)

    def disagrees(*_: object) -> None:
        raise UserError("it answers otherwise")

    with monkeypatch.context() as patch:
        patch.setattr("robot_rig.nodes.understudy.on_one_core", disagrees)
        assert robot.acts() is None
    assert Acceptance.of(robot.run / "played").newest == -1


def test_what_is_signed_or_believed_later_is_looked_at_again(robot: Robot, tmp_path: Path) -> None:
    robot.ship(100)
    folder = robot.checkpoints / "practice-000100"
    signature = (folder / SIGNATURE).read_bytes()
    (folder / SIGNATURE).unlink()
    assert robot.acts() is None
    (folder / SIGNATURE).write_bytes(signature)
    stranger = TrainerKey.own(tmp_path / "stranger").public
    try:
        stranger.save(key_folder() / TRUSTED)
        assert robot.acts() is None
        assert main(["keys", "sign", str(folder)]) == 2
        assert (folder / SIGNATURE).read_bytes() == signature
    finally:
        Pin.load(key_folder() / PUBLIC).save(key_folder() / TRUSTED)
    assert robot.acts() == "practice-000100"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"updates": "9"}', '{"updates": 1}', '{"updates": [true]}', '{"updates": [1.5]}']
)
@pytest.mark.parametrize("name", [ACCEPTED, TAKEN_BACK])
def test_a_damaged_record_is_refused_and_not_guessed(name: str, content: str, robot: Robot) -> None:
    (robot.run / "played" / name).write_text(content)
    with pytest.raises(UserError, match="damaged"):
        Acceptance.of(robot.run / "played")


def test_the_record_stays_short_however_long_a_robot_has_practised(tmp_path: Path) -> None:
    """It is one of before, which kept all counts for ever, until it was too long to be read."""
    (tmp_path / ACCEPTED).write_text(json.dumps({"updates": list(range(7_000_000, 7_020_000))}))
    one = manifest()
    for updates in (8_000_000, 8_000_600):
        Acceptance.of(tmp_path).accept(tmp_path, replace(one, train_steps=updates))
    after = Acceptance.of(tmp_path)
    assert after.newest == 8_000_600
    assert (tmp_path / ACCEPTED).stat().st_size < 12 * REMEMBERED
    after.require(replace(one, train_steps=8_000_600))
    with pytest.raises(UserError, match="older than what has acted: 8000000 updates"):
        after.require(replace(one, train_steps=8_000_000))
