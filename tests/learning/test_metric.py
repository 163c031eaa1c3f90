"""The latent distance and the reward made of it (R4, R6)."""

from __future__ import annotations

import math

import pytest
import torch

from robot_rig.errors import UserError
from robot_rig.learning.metric import METRICS, SLOW_LAG, LatentSpace


def moments(n: int = 500) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([2.0, 0.5, 0.01, 1.0])
    means = torch.randn(n, 4, generator=generator) * scale + torch.tensor([1.0, -2.0, 0.0, 0.5])
    return means, -torch.rand(n, 4, generator=generator) * 3


def moved(means: torch.Tensor) -> torch.Tensor:
    return means[SLOW_LAG:] - means[:-SLOW_LAG]


def exactly(means: torch.Tensor) -> torch.Tensor:
    """Log-variances of an encoder that is never off."""
    return torch.full_like(means, -30.0)


def hand_and_puck(n: int = 4000) -> torch.Tensor:
    """Latents of which the first two wander fast, and the last, a hundredth as large, slowly."""
    generator, rows, now = torch.Generator().manual_seed(0), [], torch.zeros(3)
    keep = torch.tensor([0.5, 0.5, 0.995])
    for _ in range(n):
        now = keep * now + (1 - keep.square()).sqrt() * torch.randn(3, generator=generator)
        rows.append(now * torch.tensor([1.0, 2.0, 0.01]))
    return torch.stack(rows)


def test_identity_is_the_euclidean_distance_and_leaves_latents_alone() -> None:
    means, log_variances = moments()
    space = LatentSpace.fit("identity", means, log_variances)
    assert torch.equal(space.features(means), means)
    a, b = means[:50], means[50:100]
    for i, d in enumerate(space.distance(a, b)):
        by_hand = math.sqrt(sum((x - y) ** 2 for x, y in zip(a[i].tolist(), b[i].tolist(), strict=True)))
        assert d.item() == pytest.approx(by_hand, rel=1e-5)


def test_precision_is_the_mahalanobis_distance_of_the_encoder() -> None:
    means, _ = moments()
    variance = [0.5, 0.01, 2.0, 0.1]
    space = LatentSpace.fit("precision", means, torch.log(torch.tensor(variance)).expand_as(means))
    a, b = means[:50], means[50:100]
    for i, d in enumerate(space.distance(a, b)):
        terms = zip(a[i].tolist(), b[i].tolist(), variance, strict=True)
        assert d.item() ** 2 == pytest.approx(sum((x - y) ** 2 / s for x, y, s in terms), rel=1e-5)


def test_precision_averages_the_encoders_precisions() -> None:
    means, log_variances = moments()
    space = LatentSpace.fit("precision", means, log_variances)
    for k in range(4):
        unit = torch.eye(4)[k : k + 1]
        expected = sum(math.exp(-v) for v in log_variances[:, k].tolist()) / len(means)
        assert space.distance(unit, torch.zeros(1, 4)).item() ** 2 == pytest.approx(expected, rel=1e-4)


def test_whitened_standardises_and_drops_what_never_moves() -> None:
    means, log_variances = moments()
    space = LatentSpace.fit("whitened", means, log_variances)
    assert space.feature_dim == 3
    features = space.features(means)
    assert torch.allclose(features.mean(dim=0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(features.std(dim=0), torch.ones(3), atol=1e-5)
    a, b = means[:20], means[20:40]
    assert torch.allclose(space.distance(a, b), (space.features(a) - space.features(b)).norm(dim=1), rtol=1e-5)
    silent = torch.tensor([[0.0, 0.0, 5.0, 0.0]])
    assert torch.equal(space.distance(a + silent, a), torch.zeros(20))


def test_whitened_keeps_two_dimensions_even_of_a_collapsed_encoder() -> None:
    means, log_variances = moments()
    space = LatentSpace.fit("whitened", means * 1e-3, log_variances)
    assert space.feature_dim == 2
    assert torch.isfinite(space.features(means * 1e-3)).all()
    still = LatentSpace.fit("whitened", torch.zeros(10, 4), torch.zeros(10, 4))
    assert torch.isfinite(still.features(torch.zeros(3, 4))).all()


@pytest.mark.parametrize("kind", METRICS)
def test_axioms_and_the_reward(kind: str) -> None:
    means, log_variances = moments()
    space = LatentSpace.fit(kind, means, log_variances, moved(means))
    a, b, c = moments()[0][:300].reshape(3, 100, 4)
    assert torch.equal(space.distance(a, a), torch.zeros(100))
    assert torch.equal(space.distance(a, b), space.distance(b, a))
    assert (space.distance(a, c) <= space.distance(a, b) + space.distance(b, c) + 1e-4).all()
    assert torch.equal(space.reward(a, b), -space.distance(a, b))


@pytest.mark.parametrize("kind", METRICS)
def test_a_space_comes_back_from_its_tensors(kind: str) -> None:
    means, log_variances = moments()
    space = LatentSpace.fit(kind, means, log_variances, moved(means))
    again = LatentSpace.from_state(space.state_dict())
    assert again.kind == kind
    assert torch.equal(again.features(means), space.features(means))
    assert torch.equal(again.distance(means[:9], means[9:18]), space.distance(means[:9], means[9:18]))


def test_slow_lengthens_what_changes_slowly_up_to_its_limit_and_keeps_the_smallest() -> None:
    means = hand_and_puck()
    shares = []
    for limit in (1.0, 2.0, 4.0):
        space = LatentSpace.fit("slow", means, exactly(means), moved(means), limit)
        assert space.dimensions == [0, 1, 2]
        steps = torch.diag(means.std(dim=0))
        lengths = space.distance(steps, torch.zeros_like(steps))
        shares.append((lengths[2] / lengths[0]).item())
        assert torch.allclose(
            space.distance(means[:50], means[50:100]),
            (space.features(means[:50]) - space.features(means[50:100])).norm(dim=1),
            rtol=1e-4,
        )
        assert space.features(means).square().sum(dim=1).mean().item() == pytest.approx(3.0, rel=0.02)
    # The two fast ones set the median haste; the slow one is stretched by the whole limit.
    assert shares == pytest.approx([1.0, 2.0, 4.0], rel=0.05)


def test_slow_treats_alike_what_changes_alike() -> None:
    means = torch.randn(3000, 4, generator=torch.Generator().manual_seed(2)) * torch.tensor([3.0, 1.0, 0.2, 1.0])
    space = LatentSpace.fit("slow", means, exactly(means), moved(means))
    whitened = LatentSpace.fit("whitened", means, torch.zeros_like(means))
    a, b = means[:99], means[99:198]
    assert torch.allclose(space.distance(a, b), whitened.distance(a, b), rtol=0.1)


def test_slow_does_not_blow_up_a_direction_without_variance() -> None:
    """Two numbers that say the same: their difference is rounding, and stays small."""
    one = hand_and_puck()
    means = torch.cat(
        [one, one[:, :1] + 1e-4 * torch.randn(len(one), 1, generator=torch.Generator().manual_seed(1))], 1
    )
    space = LatentSpace.fit("slow", means, exactly(means), moved(means), limit=2.0)
    assert space.features(means).std(dim=0).min() < 0.01


def test_slow_does_not_blow_up_what_moves_less_than_it_is_exact() -> None:
    means = hand_and_puck()
    space = LatentSpace.fit("slow", means, torch.full_like(means, math.log(0.1**2)), moved(means), limit=1.0)
    lengths = space.distance(0.01 * torch.eye(3), torch.zeros(3, 3))
    # The third has a deviation of .01, and is known to .1: a tenth of what it would be worth, before the whitening.
    assert lengths[2] < 0.75
    assert lengths[2] > 0.65


def test_slow_needs_moves() -> None:
    means = hand_and_puck(10)
    for moves in (None, means[:0]):
        with pytest.raises(UserError, match="more than 3 steps"):
            LatentSpace.fit("slow", means, exactly(means), moves)


@pytest.mark.parametrize("part", ["turn", "root"])
def test_a_slow_space_that_does_not_fit_together_is_refused(part: str) -> None:
    means = hand_and_puck(50)
    state = LatentSpace.fit("slow", means, exactly(means), moved(means)).state_dict()
    with pytest.raises(UserError, match="none of latents"):
        LatentSpace.from_state(state | {part: state[part][:2]}, 3)
    with pytest.raises((UserError, LookupError)):
        LatentSpace.from_state({name: value for name, value in state.items() if name != part}, 3)


def test_an_unknown_metric_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(UserError, match="identity, precision, whitened, slow"):
        LatentSpace.fit("cosine", *moments())
