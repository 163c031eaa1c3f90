"""From a frame to an action: the tick of the policy process. Called by `loops.play` and by policy_node.

A silent policy means zero velocity, so every doubt here ends in silence: no goal, no policy, or a picture too old.
"""

from __future__ import annotations

from robot_rig.datatypes import Action, Float32s, Frame, Goal, Source
from robot_rig.interfaces import Policy
from robot_rig.loops.own_motion import OwnMotion


class PolicyLoop:
    """Holds the policy of the running episode and answers each fresh frame once.

    `image_age_limit_s` is the age from exposure beyond which a picture is not acted on; `period_s` is the policy's. The
    policy is told what it has itself set in motion since the exposure, so that an old picture does not make it hunt;
    `lag_s` is the arm's (see `OwnMotion`).
    """

    def __init__(self, image_age_limit_s: float, period_s: float, lag_s: float) -> None:
        self._image_age_limit_s = image_age_limit_s
        self._period_s, self._lag_s = period_s, lag_s
        self._policy: Policy | None = None
        self._source = Source.POLICY
        self._seq = 0
        self._answered: int | None = None

    @property
    def running(self) -> bool:
        """Whether an episode is under way; a policy may be swapped only while it is not."""
        return self._policy is not None

    def begin(self, policy: Policy, goal: Goal | None, source: Source) -> None:
        """Start an episode towards `goal` (None: goalless play) in the name of `source`.

        Raises RuntimeError inside a running episode.
        """
        if self.running:
            raise RuntimeError("a policy is swapped only between episodes")
        if goal is not None:
            policy.begin(goal)
        self._policy, self._source, self._answered = policy, source, None
        self._motion = OwnMotion(self._period_s, policy.action_dim, self._lag_s)

    def end(self) -> None:
        """End the episode; may be called twice."""
        self._policy = None

    def executed(self, seq: int, value: Float32s) -> None:
        """What the guard made of action `seq`, (A,): from then on that counts as what was set in motion."""
        if self.running:
            self._motion.correct(seq, value)

    def tick(self, now: float, frame: Frame) -> Action | None:
        """The action that answers `frame`; None without an episode, or for a frame answered before or too old."""
        if self._policy is None or frame.seq == self._answered or now - frame.stamp > self._image_age_limit_s:
            return None
        self._answered = frame.seq
        self._seq += 1
        value = self._policy.act(frame, self._motion.since(frame.stamp, now))
        self._motion.add(self._seq, now, value)
        return Action(self._seq, now, value, self._source, frame.seq, frame.stamp)
