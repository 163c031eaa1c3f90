"""What the bench of pushing says of an encoder that knows the puck, and of one that does not; and that it runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.probe import Watched, look_into
from robot_rig.cli.main import main
from robot_rig.datatypes import Bytes, Floats
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.vae import Vae
from sim.push_exam import PushCase
from tests.tiny_run import content, words


class Telling(Vae):
    """An encoder for pictures that carry their truth in the first pixels: its latent is that truth, or its noise."""

    def __init__(self, shown: slice) -> None:
        super().__init__("small", 2, 1.0, 1e-3, 0)
        self._shown = shown

    def encode(self, pictures: Bytes | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        read = torch.from_numpy(np.array(pictures))[:, 0, self._shown, 0].float() / 255.0
        return read, torch.zeros_like(read)


def picture(puck: Floats, noise: Floats) -> Bytes:
    """uint8 (84, 84, 3): a puck's place in 0.5 to 0.75 and -0.25 to 0.25 m, and two numbers that mean nothing."""
    image = np.zeros((84, 84, 3), np.uint8)
    image[0, :2, 0] = np.round(255 * (puck - (0.5, -0.25)) / (0.25, 0.5))
    image[0, 2:4, 0] = np.round(255 * noise)
    return image


def world(count: int, seed: int) -> tuple[Bytes, Floats]:
    rng = np.random.default_rng(seed)
    pucks, noise = rng.uniform((0.52, -0.18), (0.70, 0.18), (count, 2)), rng.uniform(size=(count, 2))
    return np.stack([picture(*each) for each in zip(pucks, noise, strict=True)]), pucks


@pytest.mark.parametrize(("shown", "knows"), [(slice(0, 2), True), (slice(2, 4), False)])
def test_a_probe_reads_what_is_there_and_nothing_else(shown: slice, knows: bool) -> None:
    frames, pucks = world(600, 0)
    tools = np.random.default_rng(2).uniform(size=pucks.shape)
    images, places = world(30, 1)
    cases = [
        PushCase(f"g{i}", image, place, np.array([i, 0.0]))
        for i, (image, place) in enumerate(zip(images, places, strict=True))
    ]
    encoder: Encoder = Telling(shown)
    watched = Watched(frames, pucks, tools, np.repeat(np.arange(6), 100))
    insight = look_into(encoder, watched, cases, limit=2.0, seed=0)
    assert len(insight.goals_m) == 30
    assert len(insight.held_out_m) == 120
    assert (np.median(insight.goals_m) < 0.01) == knows
    assert (np.median(insight.goals_m) > 0.07) != knows
    for alike in insight.alike.values():
        for _, puck in alike:
            assert (puck > 0.8) == knows
            assert knows or abs(puck) < 0.3


@pytest.mark.proof
def test_the_bench_goes_from_nothing_to_its_line_and_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    options = words("push", tmp_path, "collect.steps=200", "practice.steps=0", "vae.batch=8", "vae.updates=5")[1:]
    command = ["bench", "push", *options, "--seeds", "0", "--watched-steps", "1000"]
    said = []
    for _ in range(2):
        assert main(command) == 0
        said.append(capsys.readouterr().out)
    number = r"\d+\.\d+"
    told = " ".join(f"{name}_cm={number}" for name in ("probe", "puck", "puck_p90", "donothing"))
    form = f"bench push {told} seed=0 goal_seed=12345"
    lines = [text.rstrip("\n").rpartition("\n")[2] for text in said]
    assert re.fullmatch(form, lines[0])
    assert lines[0] == lines[1]
    assert "turns of the fixture, 0 resets by people" in said[0]
