"""What is foreseen of the toy: a hand that moves, an object that lies still until it is pushed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robot_rig.datatypes import Floats
from robot_rig.learning.foresight import NETWORKS, Foresight, fit_foresight
from robot_rig.learning.hand_and_object import Track
from tests.learning.pushing import moved, played

STEPS = 12
UPDATES = 600


@pytest.fixture(scope="module")
def learnt() -> tuple[Foresight, Floats, Track]:
    """From true places, so that what is judged is the foresight alone."""
    true, track = played(0)
    return fit_foresight(true, track, seed=0, updates=UPDATES), true, track


def ahead(net: Foresight, places: Floats, actions: Floats) -> Floats:
    """`places` (N, 4) after the `actions` (N, STEPS, 2), as the networks foresee it on the whole."""
    x, before = torch.from_numpy(places).float().expand(NETWORKS, -1, -1), torch.zeros(NETWORKS, len(places), 2)
    for step in range(STEPS):
        action = torch.from_numpy(actions[:, step]).float().expand(NETWORKS, -1, -1)
        x, before = net(x, before, action), action
    foreseen: Floats = x.mean(dim=0).double().numpy()
    return foreseen


def truly(places: Floats, actions: Floats) -> Floats:
    before = np.zeros((len(places), 2))
    for step in range(STEPS):
        places, before = moved(places, before, actions[:, step]), actions[:, step]
    return places


def test_what_is_not_touched_lies_still(learnt: tuple[Foresight, Floats, Track]) -> None:
    net, _, _ = learnt
    rng = np.random.default_rng(1)
    away = np.hstack([rng.uniform(-0.7, -0.3, (50, 2)), rng.uniform(0.3, 0.5, (50, 2))])
    actions = rng.uniform(-1, 0.2, (50, 1, 2)).repeat(STEPS, axis=1)
    foreseen, true = ahead(net, away, actions), truly(away, actions)
    assert true[:, 2:] == pytest.approx(away[:, 2:]), "nothing touches it"
    assert np.abs(foreseen - away)[:, 2:].mean() < 0.03
    assert np.linalg.norm((foreseen - true)[:, :2], axis=1).mean() < 0.15


def test_what_is_pushed_moves(learnt: tuple[Foresight, Floats, Track]) -> None:
    net, _, _ = learnt
    begin = np.tile([-0.5, 0.0, 0.0, 0.0], (9, 1))
    actions = np.array([[0.8, y] for y in np.linspace(-0.3, 0.3, 9)])[:, None].repeat(STEPS, axis=1)
    way = (truly(begin, actions) - begin)[:, 2:]
    foreseen_way = (ahead(net, begin, actions) - begin)[:, 2:]
    assert np.linalg.norm(way, axis=1).mean() > 0.2, "they are pushes"
    unexplained = np.square(foreseen_way - way).sum() / np.square(way).sum()
    assert unexplained < 0.75, "1 is what it would be if nothing ever moved"


def test_one_is_the_mean_of_all_and_the_seed_decides(learnt: tuple[Foresight, Floats, Track]) -> None:
    net, true, track = learnt
    state, action = torch.from_numpy(true[7]).float(), torch.tensor([0.3, -0.4])
    whole = net(state.expand(NETWORKS, 1, -1), torch.zeros(NETWORKS, 1, 2), action.expand(NETWORKS, 1, -1))
    assert torch.allclose(net.one(state, torch.zeros(2), action), whole.mean(dim=0)[0])
    assert len({tuple(one) for one in whole[:, 0].tolist()}) == NETWORKS, "drawn apart"
    again, same = (fit_foresight(true, track, seed=3, updates=3) for _ in range(2))
    for one, two in zip(again.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, two)
