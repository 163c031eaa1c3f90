"""A policy that looks before it acts: it imagines what comes of many plans and takes the first step of the best.

Called by `stages.planning`. Cross-entropy method (Rubinstein 1999) over sequences of actions that change every few
steps, warm started from the last plan, through the ensemble of `learning.foresight`; model-predictive control, so only
the first action of a plan is ever carried out. It sees pictures and a goal picture like any policy (R17).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from robot_rig.datatypes import Bytes, Float32s, Floats, Frame, Goal
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.finite import require_action, require_goal
from robot_rig.learning.foresight import NETWORKS, Foresight, fit_foresight
from robot_rig.learning.hand_and_object import OBJECT_DIM, HandAndObject, Track, smoothed

STEPS, KNOTS = 25, 5
"""Length of a plan, and how many actions it is made of."""

PLANS, ROUNDS, ELITE = 64, 2, 12
FRESH = 16
"""Plans of the first round that owe nothing to the plan before."""

SIGMA, LEAST_SIGMA, FRESH_SIGMA = 0.7, 0.1, 1.2
DECAY = 0.5
"""Of the last action of a plan, when the next plan goes on where it ended."""

HAND_SHARE, END_WEIGHT = 0.5, 5.0
"""What the hand's distance counts beside the object's, and the plan's last step beside one on the way."""

OBJECT_GAIN, MOST_NEWS = 0.3, 0.5
"""Of what is seen of the object that was not foreseen: this share is believed, and at most so much of it (deviations).
The hand before the object hides it for some frames."""


class Plan:
    """The plan of one episode; `seed` draws what is tried."""

    def __init__(self, action_dim: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._mean = np.zeros((STEPS, action_dim))

    def improve(self, cost: Callable[[Floats], Floats]) -> Float32s:
        """The first action float32 (A,) of the best plan; `cost` gives (N,) for plans (N, STEPS, A) in [-1, 1]."""
        self._mean = np.concatenate([self._mean[1:], DECAY * self._mean[-1:]])
        sigma, best = SIGMA, self._mean
        for number in range(ROUNDS):
            noise = self._noise()
            plans = self._mean + sigma * noise
            if number == 0:
                plans[-FRESH:] = FRESH_SIGMA * noise[-FRESH:]
            plans[0], plans[1] = self._mean, best
            plans = np.clip(plans, -1.0, 1.0)
            costs = cost(plans)
            elite = np.argpartition(costs, ELITE)[:ELITE]
            weights = np.exp((costs[elite].min() - costs[elite]) / (costs[elite].std() + 1e-6))
            weights = (weights / weights.sum())[:, None, None]
            self._mean = (weights * plans[elite]).sum(axis=0)
            spread = np.sqrt((weights * np.square(plans[elite] - self._mean)).sum(axis=0)).mean()
            sigma, best = float(np.clip(spread, LEAST_SIGMA, SIGMA)), plans[costs.argmin()]
        first: Float32s = best[0].astype(np.float32)
        return first

    def _noise(self) -> Floats:
        """(PLANS, STEPS, A): normal, the same for STEPS / KNOTS steps at a time, begun at any of those."""
        knots = self._rng.standard_normal((PLANS, KNOTS + 1, self._mean.shape[1]))
        phase = self._rng.random((PLANS, 1))
        which = (np.arange(STEPS) * KNOTS / STEPS + phase).astype(np.int64)
        return np.take_along_axis(knots, which[:, :, None], axis=1)


class PlanningPolicy:
    """Implements `interfaces.Policy`; `encoder` sees, `space` says what is hand and object, `foresight` what comes."""

    def __init__(self, encoder: Encoder, space: HandAndObject, foresight: Foresight, seed: int) -> None:
        self.action_dim = action_dim = space.hand_dim
        self._encoder, self._space, self._foresight, self._seed = encoder, space, foresight, seed
        self._plan = Plan(action_dim, seed)
        self._goal, self._before = torch.zeros(0), torch.zeros(action_dim)
        self._foreseen: Tensor | None = None
        hand = space.hand_dim
        self._gain = torch.tensor([1.0] * hand + [OBJECT_GAIN] * OBJECT_DIM)
        self._most = torch.tensor([torch.inf] * hand + [MOST_NEWS] * OBJECT_DIM)

    def begin(self, goal: Goal) -> None:
        """Encode the goal picture, and forget the last episode. Raises PolicyFailedError when it is not a number."""
        self._goal = self._seen(goal.image)
        require_goal(self._goal.numpy())
        self._plan, self._before, self._foreseen = Plan(self.action_dim, self._seed), torch.zeros(self.action_dim), None

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The action float32 (A,) in [-1, 1] for this frame, brought up to now by what is `under_way`.

        Raises PolicyFailedError for an action that is not a number.
        """
        with torch.inference_mode():
            seen = self._seen(frame.rgb)
            for share, *done in [] if under_way is None else under_way.tolist():
                moved = self._foresight.one(seen, self._before, torch.tensor(done))
                seen = seen + share * (moved - seen)
            state = seen if self._foreseen is None else self._believed(self._foreseen, seen)
            action = self._plan.improve(lambda plans: self._cost(state, plans))
            require_action(action, seen.numpy)
            taken = torch.from_numpy(action)
            self._foreseen, self._before = self._foresight.one(state, self._before, taken), taken
        return action

    def _seen(self, picture: Bytes) -> Tensor:
        """The state (D,) that `picture` uint8 (84, 84, 3) shows."""
        return self._space.states(self._encoder.encode(picture[None])[0])[0]

    def _believed(self, foreseen: Tensor, seen: Tensor) -> Tensor:
        """What was foreseen, drawn towards what is seen."""
        news = torch.minimum(torch.maximum(seen - foreseen, -self._most), self._most)
        return foreseen + self._gain * news

    def _cost(self, state: Tensor, plans: Floats) -> Floats:
        """(N,) of `plans` (N, STEPS, A) from `state` (D,): distances from the goal on the way, mean of the networks."""
        actions, count = torch.from_numpy(plans).float(), len(plans)
        x = state.expand(NETWORKS, count, -1)
        before, total = self._before.expand(NETWORKS, count, -1), torch.zeros(NETWORKS, count)
        hand = self._space.hand_dim
        for step in range(STEPS):
            action = actions[:, step].expand(NETWORKS, count, -1)
            x, before = self._foresight(x, before, action), action
            away = x - self._goal
            apart = away[..., hand:].norm(dim=2) + HAND_SHARE * away[..., :hand].norm(dim=2)
            total += apart if step < STEPS - 1 else END_WEIGHT * apart
        cost: Floats = total.mean(dim=0).double().numpy()
        return cost


def learn_to_plan(encoder: Encoder, first: int, track: Track, seed: int) -> PlanningPolicy:
    """From a log as `encoder` sees it, whose latents have places from number `first` on; `seed` draws weights, batches
    and plans. Raises UserError when the log is too short.
    """
    space = HandAndObject.fit(track, first)
    states = smoothed(space.states(torch.from_numpy(track.latents)).double().numpy(), track.episode)
    return PlanningPolicy(encoder.frozen(), space, fit_foresight(states, track, seed), seed)
