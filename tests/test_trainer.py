"""The learner continues bit for bit, learns from fresh latents only, and hands out policies that learning spares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from robot_rig.config import Config
from robot_rig.data.replay import Replay
from robot_rig.datatypes import Frame, Goal
from robot_rig.errors import UserError
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.relabel import relabel
from robot_rig.trainer import Trainer
from tests.learning.blob_world import play
from tests.tiny_run import tiny_config

CONFIG, SHORT = tiny_config(), tiny_config("number_format=bfloat16")
PLACING = tiny_config(
    "vae.encoder=vae_keypoints", "vae.pixel_weights=surprise", "agent.metric=slow", "agent.goals=prior"
)
PLACING_SHORT = PLACING.model_copy(update={"number_format": "bfloat16"})
EPISODES = play(episodes=4, steps=20, seed=5, name="play")


def trainer(episodes: int = 3, config: Config = CONFIG) -> Trainer:
    made = Trainer(config, Replay(300, 2, None))
    for episode in EPISODES[:episodes]:
        made.ingest(episode)
    return made


def practising(lag: int = 0, config: Config = CONFIG) -> Trainer:
    made = trainer(config=config)
    made.train_vae(3)
    made.begin_practice(lag)
    made.update(4)
    return made


def through_a_file(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As arrays on a disk come back: other memory, laid out row by row."""
    return {name: torch.from_numpy(np.array(value.numpy(), order="C")) for name, value in state.items()}


def state_bytes(of: Trainer) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in of.state_dict().items()}


def test_a_learner_without_practice_says_so() -> None:
    made = trainer()
    assert not made.practising
    assert made.updates == 0
    with pytest.raises(RuntimeError, match="begin_practice"):
        made.update(1)
    with pytest.raises(RuntimeError, match="begin_practice"):
        made.acting_policy()


@pytest.mark.parametrize("vae_updates", [0, 3])
def test_a_learner_restored_before_practice_goes_on_bit_for_bit(vae_updates: int) -> None:
    straight, restored = trainer(), trainer()
    straight.train_vae(vae_updates)
    restored.load_state_dict(through_a_file(straight.state_dict()))
    curves: list[list[dict[str, float]]] = [[], []]
    for made, curve in zip((straight, restored), curves, strict=True):
        made.train_vae(4, lambda metrics, curve=curve: curve.append(dict(metrics)))
        made.begin_practice()
        made.update(5, lambda metrics, curve=curve: curve.append(dict(metrics)))
    assert curves[0] == curves[1]
    assert len(curves[0]) == 9
    assert state_bytes(straight) == state_bytes(restored)


def test_what_is_learnt_hangs_on_the_lag() -> None:
    assert state_bytes(practising(0)) != state_bytes(practising(2))
    assert state_bytes(practising(2)) == state_bytes(practising(2))


@pytest.mark.parametrize(
    ("lag", "config"), [(0, CONFIG), (2, CONFIG), (0, SHORT), (0, PLACING), (2, PLACING), (0, PLACING_SHORT)]
)
def test_a_learner_restored_in_practice_goes_on_bit_for_bit(lag: int, config: Config) -> None:
    straight = practising(lag, config)
    restored = trainer(config=config)
    restored.load_state_dict(through_a_file(straight.state_dict()))
    assert restored.practising
    assert (restored.updates, restored.vae_updates) == (4, 3)
    for made in (straight, restored):
        made.ingest(EPISODES[3])
        made.update(5)
        made.tune_vae(2)
        made.update(5)
    assert state_bytes(straight) == state_bytes(restored)
    goals = [made.imagine_goal("g", 1.0) for made in (straight, restored)]
    assert goals[0].image.tobytes() == goals[1].image.tobytes()
    assert (goals[0].source, goals[0].id, goals[0].stamp) == ("imagined", "g", 1.0)


def test_the_format_decides_what_is_learnt_and_another_one_is_no_continuation() -> None:
    learnt = {config.number_format: practising(config=config) for config in (CONFIG, SHORT)}
    full, short = (state_bytes(made) for made in learnt.values())
    assert {name for name in full if full[name] != short[name]} >= {"number_format", "vae.net.mean.bias"}
    for made, other in ((learnt["float32"], SHORT), (learnt["bfloat16"], CONFIG)):
        restored = trainer(config=other)
        before = state_bytes(restored)
        with pytest.raises(UserError, match=r"the saved learner computes in (float32|bfloat16), and number_format is"):
            restored.load_state_dict(made.state_dict())
        assert state_bytes(restored) == before


def test_rewards_after_tuning_come_from_the_tuned_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    made = practising()
    seen: list[tuple[np.ndarray, Any]] = []

    def watched(transitions: Any, latents: torch.Tensor, *rest: Any) -> Any:
        batch = relabel(transitions, latents, *rest)
        seen.append((latents.numpy().copy(), (transitions, batch)))
        return batch

    monkeypatch.setattr("robot_rig.trainer.relabel", watched)
    made.update(1)
    made.tune_vae(2)
    made.update(1)
    before, after = (latents for latents, _ in seen)
    assert np.abs(before - after).max() > 1e-4
    replay = made._replay
    fresh = made.vae.encode(replay.pictures(np.arange(replay.rows)))[0]
    np.testing.assert_allclose(after, fresh.numpy(), atol=1e-5)
    # Reward by reward: minus the distance of the tuned latents, for the goals that have a picture.
    transitions, batch = seen[1][1]
    space = made._space
    assert isinstance(space, LatentSpace)
    shown = transitions.goal >= 0
    assert shown.any()
    expected = -space.distance(fresh[transitions.next_frame[shown]], fresh[transitions.goal[shown]])
    np.testing.assert_allclose(batch.reward[torch.from_numpy(shown)].numpy(), expected.numpy(), atol=1e-4)


def test_stale_latents_are_refused() -> None:
    """An episode that went past the learner has no latents, and no batch is drawn until it has."""
    made = practising()
    made._replay.add(EPISODES[3])
    with pytest.raises(RuntimeError, match="stale"):
        made.update(1)
    made.tune_vae(1)
    made.update(1)


def test_tuning_keeps_the_scale_of_the_latent_space() -> None:
    made = practising()
    before = {name: value for name, value in state_bytes(made).items() if name.startswith("space.")}
    made.tune_vae(3)
    assert before
    assert {name: value for name, value in state_bytes(made).items() if name.startswith("space.")} == before


def test_handed_out_policies_are_spared_by_later_learning() -> None:
    made = practising()
    frame, aim = made.sample_pictures()
    assert frame.tobytes() == EPISODES[0].frames[0].tobytes()
    assert aim.tobytes() == EPISODES[2].frames[-1].tobytes()
    goal = Goal(aim, "g", 0.0, "", "achieved")

    def answers(policies: list[Any]) -> list[bytes]:
        for policy in policies:
            policy.begin(goal)
        return [policy.act(Frame(1, 0.0, frame)).tobytes() for policy in policies]

    kept = [made.acting_policy(), made.averaged_policy()]
    before = answers(kept)
    assert before[0] != before[1]
    made.update(6)
    made.tune_vae(2)
    assert answers(kept) == before
    assert answers([made.acting_policy(), made.averaged_policy()]) != before


def test_learning_touches_nothing_global() -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what is watched
    before = torch.random.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    practising()
    after = torch.random.get_rng_state(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    assert before[0].equal(after[0])
    assert before[1] == after[1]
