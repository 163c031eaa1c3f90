"""A camera, an arm process and a recorder around `LiveEpisodes`, on one clock. Used by its tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from robot_rig.datatypes import IMAGE_SHAPE, Action, Float32s, Frame, Goal, Mode, Source
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Move, Rules, View

AGE_LIMIT, PERIOD = 0.25, 0.1
CAMERA_PERIOD, CAMERA_DELAY = 1 / 30, 0.12
TICK = 0.005


class Echo:
    """Acts with its count of actions; remembers goals and what was under way."""

    action_dim = 2

    def __init__(self) -> None:
        self.goals: list[str] = []
        self.acts = 0
        self.under_way: list[Float32s | None] = []

    def begin(self, goal: Goal) -> None:
        self.goals.append(goal.id)

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        self.acts += 1
        self.under_way.append(under_way)
        return np.array([self.acts, 0.0], np.float32)


def goal(name: str, arrival: float) -> Goal:
    return Goal(np.full(IMAGE_SHAPE, len(name), np.uint8), name, arrival, "", "captured")


class World:
    """A camera of 30 frames/s, an arm process and a recorder around `LiveEpisodes`, on one clock."""

    def __init__(self, **rules: object) -> None:
        self.policy = Echo()
        chosen = Rules(steps=5, source=Source.POLICY, start="anywhere", recording="off", session="s")
        self.live = LiveEpisodes(self.policy, dataclasses.replace(chosen, **rules), AGE_LIMIT, PERIOD, 0.0)  # type: ignore[arg-type]
        self.now = 10.0
        self.camera_runs = self.arm_speaks = self.recorder_runs = True
        self.mode, self.holder, self.at_home = Mode.ACTIVE, None, True
        self.goal: Goal | None = None
        self.frame: Frame | None = None
        self.arm: ArmView | None = None
        self.recorder: RecorderState | None = None
        self.executed: tuple[int, Float32s | None] = (-1, None)
        self.recording = Recording.IDLE
        self.key = ("", 0)
        self.actions: list[Action] = []
        self.objection = ""
        self.said: list[EpisodeState] = []
        self.homes: list[float] = []

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.step()

    def step(self) -> None:
        self.now += TICK
        seq = int((self.now - CAMERA_DELAY) / CAMERA_PERIOD)
        if self.camera_runs and (self.frame is None or seq > self.frame.seq):
            self.frame = Frame(seq, seq * CAMERA_PERIOD, np.zeros(IMAGE_SHAPE, np.uint8))
        if self.arm_speaks:
            self.arm = ArmView(self.now, self.mode, self.holder, self.at_home, *self.executed, self.objection)
        if self.recorder_runs:
            self.recorder = RecorderState(self.now, self.recording, *self.key)
        self.take(self.live.tick(self.now, View(self.frame, self.goal, self.arm, self.recorder)))

    def take(self, move: Move) -> None:
        if move.action is not None:
            self.actions.append(move.action)
        if move.announce is not None:
            self.said.append(move.announce)
        if move.go_home:
            self.homes.append(self.now)

    def open_file(self) -> None:
        self.key, self.recording = self.said[-1].key, Recording.OPEN


def asked(**rules: object) -> World:
    world = World(**rules)
    world.goal = goal("cup", world.now)
    return world
