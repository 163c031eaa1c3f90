"""The whole way through old, noisy pictures and a trailing servo, and what the check of an encoder says there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from robot_rig.cli.main import main
from robot_rig.config_files import load_config
from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.learning.health import HealthReport, health_check
from robot_rig.learning.vae import Vae

pytestmark = pytest.mark.proof

MOST_MEDIAN_CM = 2.5
UNSEEN_SEEDS = (14, 15, 16)
"""Neither a limit of the check nor what is called bad was fitted on any of them. Each takes five minutes of a core."""


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_realistic_demo_reaches_its_goals(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["demo", "--preset", "realistic", "--seed", str(seed), "--run", str(run)]) == 0
    line = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
    said = dict(part.split("=") for part in line.split()[1:])
    assert float(said["median_cm"]) <= MOST_MEDIAN_CM
    assert float(said["donothing_cm"]) > 3 * MOST_MEDIAN_CM
    # Pictures 100 to 140 ms old and an arm that trails by about as much: two steps of 100 ms.
    assert json.loads((run / "health.json").read_text())["scores"]["lag"] == 2


@pytest.fixture(scope="module", params=UNSEEN_SEEDS, ids=lambda seed: f"seed {seed}")
def unseen(request: pytest.FixtureRequest) -> int:
    seed: int = request.param
    return seed


@pytest.fixture(scope="module")
def play(unseen: int, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Episode], list[Episode]]:
    """Random play of a seed that no limit was fitted on: to train on, and held out."""
    run = tmp_path_factory.mktemp("unseen") / "run"
    assert main(["collect", "--preset", "realistic", "--seed", str(unseen), "--run", str(run)]) == 0
    store = EpisodeStore(run / "episodes")
    train, held_out = ([read_episode(path) for path in store.paths(stage)] for stage in ("collect", "heldout"))
    return train, held_out


def verdict(train: list[Episode], held_out: list[Episode], seed: int, beta: float, updates: int) -> HealthReport:
    settings = load_config(["realistic"], []).vae
    vae = Vae(settings.net, settings.latent_dim, beta, settings.learning_rate, seed)
    frames, rng = np.concatenate([episode.frames for episode in train]), np.random.default_rng(seed)
    for _ in range(updates):
        vae.train_batch(frames[rng.integers(len(frames), size=settings.batch)])
    return health_check(vae, train, held_out)


@pytest.mark.parametrize(
    ("name", "episodes", "beta", "updates", "fit"),
    [
        ("as the demo trains it", 20, 1.0, 1000, True),
        # Not 30: on such encoders the arm has learnt to reach (docs/results.md), and the check may let them pass.
        ("10 updates", 20, 1.0, 10, False),
        ("beta 1000", 20, 1000.0, 1000, False),
        ("100 frames", 2, 1.0, 1000, False),
    ],
)
def test_the_check_tells_good_encoders_from_bad_ones_on_unseen_seeds(
    unseen: int,
    play: tuple[list[Episode], list[Episode]],
    name: str,
    episodes: int,
    beta: float,
    updates: int,
    fit: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train, held_out = play
    found = verdict(train[:episodes], held_out, unseen, beta, updates)
    with capsys.disabled():
        sys.stdout.write(f"\nseed {unseen}, {name}: {'passed' if found.passed else 'refused'} {dict(found.scores)}\n")
    assert found.passed is fit, found
