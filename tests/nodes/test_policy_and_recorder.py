"""policy_node and recorder_node as processes over real ROS. This process plays camera and arm, and believes only what
it hears on the wire and reads from the disk."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rospy
import torch
from std_srvs.srv import Trigger, TriggerResponse

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data.log import read_episode
from robot_rig.datatypes import Action, Bytes, Executed, Frame, Goal, Mode, Outcome, Source, Verdict
from robot_rig.errors import UserError
from robot_rig.keys import TrainerKey, key_folder
from robot_rig.learning.checkpoint import Manifest, write_checkpoint
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.td3 import Actor
from robot_rig.learning.vae import Vae
from robot_rig.learning.views import reconstruct
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand
from robot_rig.nodes.policy_node import PolicyNodeOptions, load_actor
from robot_rig.nodes.policy_wiring import arm_view
from robot_rig.ros import topics
from robot_rig.ros.arm_report import ArmReport, report_message
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import frame_message, goal_message, read_action, read_frame, read_goal
from robot_rig.ros.episode_reports import PolicyReport, read_episode_message, read_policy, read_recorder
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.runs import RunFolder
from tests.live_robot import process_in_graph
from tests.ros_graph import Master, eventually

STEPS = 8
START_S = 90.0
CAMERA_PERIOD_S, CAMERA_DELAY_S = 1 / 30, 0.05
POLICY_PERIOD_S = 0.1
CONFIG = Config()


def picture(seq: int) -> Bytes:
    """What the camera sees at frame `seq`: no two are alike."""
    return np.random.default_rng(seq).integers(0, 256, (84, 84, 3), np.uint8)


def learnt() -> LatentPolicy:
    torch.set_num_threads(1)
    pictures = np.stack([picture(seq) for seq in range(16)])
    vae = Vae(CONFIG.vae.net, 4, 1.0, 1e-3, 0)
    vae.train_batch(pictures)
    space = LatentSpace.fit("identity", *vae.encode(pictures))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LatentPolicy(vae, space, Actor(space.feature_dim, 2, (16, 16)), MotionNet(space.feature_dim, 2))


def run_with_checkpoint(folder: Path, policy: LatentPolicy) -> Path:
    with RunFolder.claim(folder, CONFIG) as run:
        image, goal = picture(1), picture(2)
        policy.begin(Goal(goal, "golden", 0.0, "", "captured"))
        action = policy.act(Frame(0, 0.0, image))
        manifest = Manifest(policy.encoder.encoder_id, CONFIG.hash(), 4, 2, 1, image, goal, action)
        write_checkpoint(
            run.checkpoints / "practice-000000", policy.tensors(), manifest, TrainerKey.own(key_folder()).sign
        )
    return folder


class Rig:
    """Camera and arm of the test: frames at 30 a second, and half of what each action asks for is done."""

    def __init__(self) -> None:
        self.stamps = HostStamps()
        self.mode, self.at_home, self.camera_runs = Mode.ACTIVE, True, True
        self.actions: list[Action] = []
        self.arrivals: list[float] = []
        self.episodes: list[EpisodeState] = []
        self.recorder: list[RecorderState] = []
        self.policy: list[PolicyReport] = []
        self.decoded: list[Goal] = []
        self.views: list[Frame] = []
        self.homes = 0
        self._current: tuple[Action, float] | None = None
        self._done: tuple[int, Executed | None] = (-1, None)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._frames, self._status = advertise(topics.CAMERA_FRAME), advertise(topics.ARM_STATUS)
        self.goals = advertise(topics.GOAL)
        self._home = rospy.Service(topics.arm_service("return_home"), Trigger, self._go_home)
        stamps = self.stamps
        self._subscribers = [
            subscribe(dataclasses.replace(topics.ACTION, queue_size=100), self._take),
            self._hear(topics.EPISODE, lambda message: read_episode_message(message, stamps), self.episodes),
            self._hear(topics.RECORDER_STATUS, lambda message: read_recorder(message, stamps), self.recorder),
            self._hear(topics.POLICY_STATUS, lambda message: read_policy(message, stamps), self.policy),
            self._hear(topics.GOAL_DECODED, lambda message: read_goal(message, time.monotonic()), self.decoded),
            self._hear(topics.RECONSTRUCTION, lambda message: read_frame(message, stamps), self.views),
        ]
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._see, self._report)]
        for thread in self._threads:
            thread.start()

    def _hear(self, topic: topics.Topic, read: Callable[[Any], Any], heard: list[Any]) -> Any:
        def take(message: Any) -> None:
            record = read(message)
            assert not isinstance(record, Refused), record.reason
            heard.append(record)

        return subscribe(topic, take)

    def _take(self, message: Any) -> None:
        action = read_action(message, self.stamps)
        assert isinstance(action, Action)
        self.actions.append(action)
        self.arrivals.append(time.monotonic())
        with self._lock:
            self._close()
            self._current = (action, time.monotonic())
        self._say()

    def _close(self) -> None:
        if self._current is not None:
            action = self._current[0]
            done = Executed(action.value / 2, 0.0, Outcome.PASSED, (), np.zeros(7))
            self._done, self._current = (action.seq, done), None

    def _see(self) -> None:
        seq = 0
        while not self._closing.wait(CAMERA_PERIOD_S):
            seq += 1
            if self.camera_runs:
                frame = Frame(seq, time.monotonic() - CAMERA_DELAY_S, picture(seq))
                self._frames.publish(frame_message(frame, self.stamps))

    def _report(self) -> None:
        while not self._closing.wait(0.05):
            with self._lock:
                if self._current is not None and time.monotonic() - self._current[1] > 1.5 * POLICY_PERIOD_S:
                    self._close()
            self._say()

    def _say(self) -> None:
        seq, done = self._done
        # The lease is free until somebody acts.
        source = Source.POLICY if self.actions else None
        report = ArmReport(
            time.monotonic(), self.mode, (), Verdict(Outcome.PASSED), source, seq, done, seq, self.at_home, "ok",
            meaning=CONFIG.control.meaning,
        )  # fmt: skip
        self._status.publish(report_message(report, self.stamps))

    def _go_home(self, _: Any) -> TriggerResponse:
        self.homes += 1
        self.at_home = True
        return TriggerResponse(success=True, message="going")

    def ask(self, name: str, seq: int) -> Goal:
        goal = Goal(picture(seq), name, time.monotonic(), "", "captured")
        self.goals.publish(goal_message(goal, self.stamps))
        return goal

    def ended(self, number: int) -> EpisodeState | None:
        return next((e for e in self.episodes if e.number == number and e.stand is not Stand.RUNNING), None)

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()
        for end in (*self._subscribers, self._frames, self._status, self.goals):
            end.unregister()
        self._home.shutdown("the test is over")


@pytest.fixture
def rig(ros_node: str) -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ros_master: Master) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_goal_is_reached_for_logged_and_shown(ros_master: Master, rig: Rig, home: Path) -> None:
    policy = learnt()
    trained, logs = run_with_checkpoint(home / "trained", policy), home / "logs"
    rig.at_home = False
    with (
        process_in_graph(ros_master, "robot_rig.nodes.recorder_node", "--run", str(logs)) as recorder,
        process_in_graph(
            ros_master, "robot_rig.nodes.policy_node", "--run", str(trained), "--record", "--steps", str(STEPS)
        ) as process,
    ):
        assert eventually(lambda: rig.policy and rig.recorder, START_S), log(ros_master)
        assert eventually(lambda: rig.policy[-1].silence == "no goal is asked for", 20), rig.policy[-1]
        assert (rig.actions, rig.homes) == ([], 0)
        goal = rig.ask("cup", 5000)
        assert eventually(lambda: rig.ended(1) is not None, 30), rig.policy[-1]
        ended = rig.ended(1)
        assert ended is not None
        assert (ended.stand, ended.last_action - ended.first_action + 1) == (Stand.COMPLETE, STEPS)
        assert len(rig.actions) == STEPS
        assert rig.homes == 1, "an episode begins at home"
        path = logs / "episodes" / "reach-000000.mcap"
        assert eventually(lambda: rig.recorder[-1].stand is Recording.IDLE and path.exists())
        with pytest.raises(UserError, match="another process works in"):
            RunFolder.claim(logs, CONFIG)
        check_log(path, rig, goal)
        check_actions(policy, rig, goal)
        check_views(policy, rig, goal)
        # The guard leaves ACTIVE: silence, and the next goal waits for a person.
        rig.mode = Mode.HOLD
        assert eventually(lambda: "hold" in rig.policy[-1].silence)
        rig.ask("box", 5001)
        time.sleep(1.0)
        assert len(rig.actions) == STEPS
        rig.mode = Mode.ACTIVE
        assert eventually(lambda: len(rig.actions) >= STEPS + 3), rig.policy[-1]
        recorder.kill()
        recorder.wait()
        assert eventually(lambda: rig.ended(2) is not None)
        sent = len(rig.actions)
        cut = rig.ended(2)
        assert cut is not None
        assert cut.stand is Stand.CUT_SHORT
        assert "recorder" in cut.reason
        time.sleep(0.5)
        assert len(rig.actions) == sent < 2 * STEPS, "no unlogged motion"
        assert process.poll() is None
    salvaged = read_episode(logs / "episodes" / "reach-000001.mcap")
    assert salvaged.truncated


def check_log(path: Path, rig: Rig, goal: Goal) -> None:
    """Every action with the very frame it answers, and what the arm said of it."""
    episode = read_episode(path)
    assert not episode.truncated
    assert len(episode) == STEPS
    np.testing.assert_array_equal(episode.goal, goal.image)
    for index, action in enumerate(rig.actions[:STEPS]):
        np.testing.assert_array_equal(episode.frames[index], picture(action.frame_seq))
        assert episode.action[index].tobytes() == action.value.tobytes()
        assert episode.executed_action[index].tobytes() == (action.value / 2).tobytes()
        assert abs(episode.stamps[index] - action.frame_stamp) < 0.02
    ended = rig.ended(1)
    assert ended is not None
    np.testing.assert_array_equal(episode.frames[-1], picture(ended.last_frame))
    assert episode.meta["stage"] == "reach"
    assert episode.meta["policy"] == "practice-000000"


def check_actions(policy: LatentPolicy, rig: Rig, goal: Goal) -> None:
    """The first action has nothing under way, so it can be computed here; all are fresh and in order."""
    policy.begin(goal)
    first = rig.actions[0]
    np.testing.assert_allclose(first.value, policy.act(Frame(0, 0.0, picture(first.frame_seq))), atol=2e-5)
    assert [action.seq for action in rig.actions[:STEPS]] == list(range(1, STEPS + 1))
    ages = [action.stamp - action.frame_stamp for action in rig.actions]
    assert max(ages) <= CONFIG.guard.image_age_limit_s + 0.01


def check_views(policy: LatentPolicy, rig: Rig, goal: Goal) -> None:
    assert eventually(lambda: rig.decoded and rig.views)
    expected = reconstruct(policy.encoder, goal.image[None])[0]
    np.testing.assert_allclose(rig.decoded[0].image.astype(int), expected.astype(int), atol=1)
    assert rig.decoded[0].id == "cup"
    seen = rig.views[-1]
    expected = reconstruct(policy.encoder, picture(seen.seq)[None])[0]
    np.testing.assert_allclose(seen.rgb.astype(int), expected.astype(int), atol=1)


def log(master: Master) -> str:
    return "".join(path.read_text() for path in master.home.glob("robot_rig.nodes.*.log"))


def test_random_play_goes_on_by_itself_and_rests_while_the_camera_does(
    ros_master: Master, rig: Rig, home: Path
) -> None:
    arguments = ["--source", "random", "--steps", "5", "--start", "anywhere"]
    with process_in_graph(ros_master, "robot_rig.nodes.policy_node", *arguments):
        assert eventually(lambda: len(rig.actions) >= 12, START_S), log(ros_master)
        assert {action.source for action in rig.actions} == {Source.RANDOM}
        assert rig.homes == 0
        rig.camera_runs = False
        assert eventually(lambda: "old" in rig.policy[-1].silence)
        sent = len(rig.actions)
        time.sleep(0.5)
        assert len(rig.actions) == sent
        rig.camera_runs = True
        assert eventually(lambda: len(rig.actions) > sent + 2)
    assert rig.episodes[-1].stand is not Stand.RUNNING, "the end of the process ends the episode"
    assert rig.episodes[-1].reason in ("the policy process ends", "")


def test_a_policy_without_a_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--run"):
        load_actor(PolicyNodeOptions(), CONFIG)
    with pytest.raises(UserError, match="nowhere"):
        load_actor(PolicyNodeOptions(run=tmp_path / "nowhere"), CONFIG)
    RunFolder.claim(tmp_path / "new", CONFIG).close()
    with pytest.raises(UserError, match="no checkpoint"):
        load_actor(PolicyNodeOptions(run=tmp_path / "new"), CONFIG)
    trained = run_with_checkpoint(tmp_path / "trained", learnt())
    wide = load_config([trained / "config.yaml"], ["control.axes=[x, y, z]"])
    with pytest.raises(UserError, match=r"acts along 2 axes, control\.axes names 3"):
        load_actor(PolicyNodeOptions(run=trained), wide)


def test_a_named_checkpoint_acts_wherever_it_lies_if_its_trainer_is_believed(tmp_path: Path) -> None:
    trained = run_with_checkpoint(tmp_path / "trained", learnt())
    named = tmp_path / "carried away"
    shutil.copytree(trained / "checkpoints" / "practice-000000", named)
    assert load_actor(PolicyNodeOptions(checkpoint=named), CONFIG).name == "carried away"
    (named / "manifest.sig").unlink()
    with pytest.raises(UserError, match="sign"):
        load_actor(PolicyNodeOptions(checkpoint=named, run=trained), CONFIG)


@pytest.mark.parametrize(
    ("meaning", "master", "said"),
    [
        (CONFIG.control.meaning, "ok", ""),
        (CONFIG.control.meaning, "it is gone", "the ROS master does not answer"),
        ("0.01 m along x, 10 times a second", "ok", "takes an action as 0.01 m along x, 10 times a second, and this"),
        ("", "ok", "takes an action as something that it does not say"),
    ],
)
def test_no_policy_leads_an_arm_that_takes_its_actions_for_something_else(meaning: str, master: str, said: str) -> None:
    report = ArmReport(1.0, Mode.ACTIVE, (), Verdict(Outcome.PASSED), None, -1, None, -1, True, master, meaning=meaning)
    objection = arm_view(report, CONFIG.control.meaning, "").objection
    assert said in objection
    assert bool(objection) == bool(said)


def test_a_second_commander_is_not_taken_for_a_silent_master() -> None:
    why, master, meaning = ("second_commander",), "second commander: /rogue", CONFIG.control.meaning
    report = ArmReport(
        1.0, Mode.DISABLED, why, Verdict(Outcome.HELD), None, -1, None, -1, True, master, meaning=meaning
    )
    assert arm_view(report, meaning, "").objection == "another node can command the arm"
