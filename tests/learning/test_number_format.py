"""In bfloat16 gradients are short and everything that adds up is not; both formats learn, and float32 is as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from robot_rig.learning.gcbc import Gcbc
from robot_rig.learning.number_format import FORMATS, computing_in, format_tensor, in_full, told_format
from robot_rig.learning.td3 import TD3, Batch
from robot_rig.learning.vae import Vae
from tests.learning.blob_world import blob_pictures

PICTURES = blob_pictures(8)
STATE_ONLY = {"generator", "updates", "actor_loss", "architecture"}


def batch(rows: int = 64) -> Batch:
    draw = torch.Generator().manual_seed(4)
    obs, goal = torch.randn(rows, 3, generator=draw), torch.randn(rows, 3, generator=draw)
    action = torch.rand(rows, 2, generator=draw) * 2.0 - 1.0
    reward = -torch.linalg.vector_norm(obs - goal, dim=1)
    return Batch(obs, action, reward, torch.full((rows,), 0.9), obs + 0.1, goal)


def vae(number_format: str, net: str = "small") -> Vae:
    return Vae(net, 4, beta=1.0, learning_rate=1e-3, seed=0, number_format=number_format)


def td3(number_format: str) -> TD3:
    return TD3(
        3, 2, hidden=(32, 32), layer_norm=True, learning_rate=1e-3, polyak=0.01, target_noise=0.05,
        target_noise_clip=0.1, policy_delay=2, seed=0, number_format=number_format,
    )  # fmt: skip


def gcbc(number_format: str) -> Gcbc:
    return Gcbc(3, 2, hidden=(32, 32), learning_rate=1e-3, polyak=0.05, seed=0, number_format=number_format)


Step = tuple[Callable[[], dict[str, float]], Callable[[], dict[str, Tensor]]]


def of_vae(number_format: str, net: str) -> Step:
    made = vae(number_format, net)
    return lambda: made.train_batch(PICTURES), made.state_dict


def of_agent(made: TD3 | Gcbc) -> Step:
    return lambda: made.update(batch()), made.state_dict


LEARNERS: dict[str, Callable[[str], Step]] = {
    "small": lambda number_format: of_vae(number_format, "small"),
    "rlkit": lambda number_format: of_vae(number_format, "rlkit"),
    "td3": lambda number_format: of_agent(td3(number_format)),
    "gcbc": lambda number_format: of_agent(gcbc(number_format)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_step_in_bfloat16_is_near_that_in_float32_and_keeps_all_it_adds_to_in_float32(name: str) -> None:
    losses = {}
    for number_format in FORMATS:
        step, state = LEARNERS[name](number_format)
        losses[number_format] = [step() for _ in range(3)]
        for key, value in state().items():
            floating = value.is_floating_point() and key not in STATE_ONLY
            assert not floating or value.dtype == torch.float32, key
    full, short = losses.values()
    assert full != short, "it has computed in bfloat16"
    for one, other in zip(full, short, strict=True):
        for key, value in one.items():
            assert other[key] == pytest.approx(value, rel=0.05, abs=0.05), key


@pytest.mark.parametrize("number_format", FORMATS)
def test_the_same_steps_give_the_same_bits(number_format: str) -> None:
    for name in ("small", "td3"):
        (first, state), (second, other) = (LEARNERS[name](number_format) for _ in range(2))
        assert [first() for _ in range(3)] == [second() for _ in range(3)]
        assert all(torch.equal(value, other()[key]) for key, value in state().items())


def test_both_formats_learn_to_see() -> None:
    after = {name: [vae_step["loss"] for vae_step in _trained(vae(name))] for name in FORMATS}
    won = {name: losses[0] - losses[-1] for name, losses in after.items()}
    assert won["float32"] > 50.0, "nats a picture"
    assert won["bfloat16"] == pytest.approx(won["float32"], rel=0.1)


def _trained(made: Vae) -> list[dict[str, float]]:
    return [made.train_batch(PICTURES) for _ in range(10)]


def test_what_acts_and_what_it_aims_at_are_float32_in_every_format() -> None:
    encoder, agent = vae("bfloat16"), td3("bfloat16")
    assert {value.dtype for value in encoder.encode(PICTURES)} == {torch.float32}
    same = vae("float32")
    for one, other in zip(encoder.encode(PICTURES), same.encode(PICTURES), strict=True):
        assert torch.equal(one, other), "an untrained encoder computes the same in both"
    assert torch.equal(agent.targets(batch()), td3("float32").targets(batch()))
    assert torch.equal(agent.act(batch().obs, batch().goal), td3("float32").act(batch().obs, batch().goal))


def test_layers_that_stay_full_do_so_in_every_format() -> None:
    numbers = torch.full((8, 8), 1.0 + 2.0**-12)
    for number_format in FORMATS:
        with computing_in(number_format):
            short = numbers @ torch.eye(8)
            with in_full():
                full = numbers @ torch.eye(8)
        assert (full.dtype, short.dtype) == (torch.float32, getattr(torch, number_format))
        assert torch.equal(full, numbers)
        assert torch.equal(short.float(), numbers) == (number_format == "float32")


@pytest.mark.parametrize("number_format", FORMATS)
def test_a_format_is_told_as_it_was_saved(number_format: str) -> None:
    assert told_format({"number_format": format_tensor(number_format)}) == number_format


def test_nothing_saved_is_float32_and_nonsense_is_no_format() -> None:
    assert told_format({}) == "float32"
    for wrong in (torch.tensor(2), torch.tensor(-1), torch.tensor(0.0), torch.tensor([0])):
        assert told_format({"number_format": wrong}) == ""
