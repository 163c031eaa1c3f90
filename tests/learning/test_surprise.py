"""What is surprising in a picture, by hand, and how much of it a decoder explains."""

from __future__ import annotations

import math

import pytest
import torch

from robot_rig.learning.surprise import Surprise, explained


def usual() -> Surprise:
    """Mid grey, with a deviation of .1 in red and of next to nothing in the others."""
    deviation = torch.stack([torch.full((5, 5), 0.1), torch.full((5, 5), 1e-4), torch.zeros(5, 5)])
    return Surprise(torch.full((3, 5, 5), 0.5), deviation)


def grey(n: int = 1) -> torch.Tensor:
    return torch.full((n, 3, 5, 5), 0.5)


def test_the_usual_is_median_and_deviation_pixel_by_pixel() -> None:
    shades = torch.rand(9, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = Surprise.of(shades)
    assert found.median[1, 2, 3] == shades[:, 1, 2, 3].sort().values[4]
    assert found.deviation[1, 2, 3].item() == pytest.approx(shades[:, 1, 2, 3].std().item(), rel=1e-5)


def test_the_farthest_channel_counts_in_its_own_deviations_of_at_least_a_25th() -> None:
    shades = grey()
    shades[0, :, 1, 2] = torch.tensor([0.7, 0.6, 0.5])
    degree = usual().degree(shades)
    assert degree.shape == (1, 1, 5, 5)
    # Red is 2 of its deviations off, green .1 / .04.
    assert degree[0, 0, 1, 2].item() == pytest.approx(2.5, rel=1e-5)
    assert degree.sum().item() == pytest.approx(2.5, rel=1e-5)


def test_a_surprising_pixel_and_its_neighbours_weigh_more_up_to_a_cap() -> None:
    shades = grey()
    shades[0, 0, 0, 0] = 1.0
    shades[0, 2, 4, 4] = 1.0
    weights = usual().weights(shades)
    # 5 deviations of red are 5.3; 12.5 of blue are capped at 6; both corners cover 4 of the 25 pixels.
    raw = 17 * 0.3 + 4 * 5.3 + 4 * 6.0
    assert weights.mean().item() == pytest.approx(1.0, rel=1e-5)
    assert weights[0, 0, 1, 1].item() == pytest.approx(5.3 * 25 / raw, rel=1e-4)
    assert weights[0, 0, 3, 4].item() == pytest.approx(6.0 * 25 / raw, rel=1e-4)
    assert weights[0, 0, 2, 2].item() == pytest.approx(0.3 * 25 / raw, rel=1e-4)


def test_explained_shares_of_all_and_of_the_surprising_pixels() -> None:
    pictures, decoded, mean = grey(2), grey(2), torch.full((3, 5, 5), 0.5)
    pictures[0, 0, 0, 0] = 1.0
    pictures[1, 0, 3, 3] = 0.9
    decoded[1, 0, 3, 3] = 0.7
    everything, surprising = explained(pictures, decoded, usual(), mean)
    assert everything == pytest.approx(1.0 - (0.25 + 0.04) / (0.25 + 0.16), rel=1e-5)
    # 5 deviations are not more than 5, and 4 are not: nothing is left to explain.
    assert math.isnan(surprising)
    decoded[0, 2, 4, 4], pictures[0, 2, 4, 4] = 0.8, 0.9
    assert explained(pictures, decoded, usual(), mean)[1] == pytest.approx(1.0 - 0.01 / 0.16, rel=1e-5)
