"""The paired statistics are the textbook's, err as often as they say, and speak plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.errors import UserError
from robot_rig.evaluation_compare import Unit, discordance, holm, median_interval, pair, sentence, show_p

CM = Unit("cm", 100.0, 2)
DRAWS, GOALS = 400, 50


def test_six_goals_by_hand() -> None:
    # Differences -1 .. -6 cm: every rank speaks for B, and of 2^6 = 64 patterns of signs two are as one-sided.
    a = np.full(6, 0.10)
    paired = pair(a, a - np.array([1, 2, 3, 4, 5, 6]) / 100)
    assert (paired.n, paired.closer, paired.further, paired.equal) == (6, 6, 0, 0)
    assert paired.median == pytest.approx(-0.035)
    assert paired.p == pytest.approx(2 / 64)
    assert paired.leaning == -1
    # The extremes hold the median unless all six lie on one side of it: 1 - 2 / 64 = 96.9 %.
    assert (paired.low, paired.high) == (pytest.approx(-0.06), pytest.approx(-0.01))


def test_signed_ranks_of_darwins_maize() -> None:
    # Darwin's maize: cross- less self-fertilised, eighths of an inch. The two negative ones have ranks 14 and 10 of 15.
    differences = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    paired = pair(np.full(15, 100.0), 100.0 + differences)
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    assert ranks[differences < 0].sum() == 24
    # By the exact distribution of the rank sum with n = 15: P(T <= 24) = 0.0206, as tabled.
    assert paired.p == pytest.approx(2 * 0.0206, abs=1e-4)
    assert paired.leaning == 1
    assert paired.median == 24


@pytest.mark.parametrize(
    ("n", "k"), [(5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)]
)
def test_ranks_of_the_interval_are_those_of_the_sign_tests_table(n: int, k: int) -> None:
    # The k-th smallest and largest of n, as in the tables of the sign test at 5 % two-sided (k - 1 signs at most).
    low, high = median_interval(np.arange(1.0, n + 1))
    assert (low, high) == ((None, None) if k == 0 else (k, n + 1 - k))


def test_mcnemar_by_hand() -> None:
    # 10 goals: 4 both, 1 only A, 5 only B. Of 6 that differ, 1 or fewer or 5 or more: 2 (1 + 6) / 2^6.
    a = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    b = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 1], dtype=bool)
    found = discordance(a, b)
    assert (found.both, found.only_a, found.only_b, found.neither) == (4, 1, 5, 0)
    assert found.p == pytest.approx(14 / 64)
    assert discordance(a, a).p == 1.0


def test_holm_by_hand() -> None:
    # 3 x .01, 2 x .03, 1 x .04 but no less than the one before.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.02]) == [0.02]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def equally_good(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two policies of one distribution on goals of unlike difficulty, heavy-tailed as real exams are."""
    hard = rng.lognormal(-4.5, 0.8, GOALS)
    a, b = hard * rng.lognormal(0, 0.5, (2, GOALS))
    return a, b


def test_equally_good_policies_are_told_apart_in_one_case_of_twenty() -> None:
    rng = np.random.default_rng(2024)
    p = np.array([pair(*equally_good(rng)).p for _ in range(DRAWS)])
    # 20 of 400 are due; 11 to 32 is what a fair test stays in with 99 %.
    assert 11 <= (p < 0.05).sum() <= 32
    assert 0.42 < np.median(p) < 0.58


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(DRAWS):
        # Skewed differences, whose median is exactly -1: of 95 % and more that is due, 93 % allows for chance.
        differences = rng.lognormal(0.0, 1.0, GOALS) - 2.0
        low, high = median_interval(differences)
        assert low is not None
        assert high is not None
        held += low <= -1.0 <= high
    assert 0.93 * DRAWS <= held < DRAWS


def test_a_real_difference_is_found_and_its_direction_told() -> None:
    rng = np.random.default_rng(3)
    a, b = equally_good(rng)
    better = pair(a, 0.5 * b)
    assert better.p < 0.001
    assert sentence("A", "B", better, better.p, CM).startswith(f"B is closer on {better.closer} of 50 goals than A")
    worse = pair(0.5 * b, a)
    assert sentence("A", "B", worse, worse.p, CM).startswith(f"B is further away on {worse.further} of 50 goals than A")


# Few goals with ties are tested by trying every pattern of signs, which takes its time.
@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_who_is_called_b_changes_nothing_but_signs(distances: list[tuple[float, float]]) -> None:
    a, b = np.array(distances).T
    one, other = pair(a, b), pair(b, a)
    assert (one.closer, one.further) == (other.further, other.closer)
    assert one.p == pytest.approx(other.p)
    assert one.leaning == -other.leaning
    assert one.median == pytest.approx(-other.median)
    assert 0 <= one.p <= 1
    if one.low is not None and one.high is not None and other.high is not None:
        assert one.low == pytest.approx(-other.high)
        assert one.low <= one.median <= one.high


def test_the_same_policy_twice_is_not_told_apart() -> None:
    paired = pair([0.01, 0.02, 0.03] * 5, [0.01, 0.02, 0.03] * 5)
    assert (paired.p, paired.equal, paired.median) == (1.0, 15, 0.0)
    said = sentence("A", "B", paired, paired.p, CM)
    assert said == (
        "These 15 goals cannot tell A and B apart: B is closer on 0 of 15; median difference 0.00 cm, "
        "95 % interval [0.00, 0.00], p = 1.00."
    )


def test_large_differences_against_a_small_median_are_not_called_better() -> None:
    # Closer by a hair on most goals, far worse on the rest: the ranks and the median contradict each other.
    a = np.full(40, 0.5)
    paired = pair(a, np.concatenate([np.full(21, 0.4999) - np.arange(21) * 1e-6, np.linspace(0.6, 0.9, 19)]))
    assert (paired.median < 0, paired.leaning, paired.p < 0.05) == (True, 1, True)
    assert "not one way" in sentence("A", "B", paired, paired.p, CM)


def test_too_few_goals_have_no_interval() -> None:
    paired = pair([0.1, 0.2], [0.05, 0.1])
    assert (paired.low, paired.high) == (None, None)
    assert "too few goals for a 95 % interval" in sentence("A", "B", paired, paired.p, CM)


@pytest.mark.parametrize(
    ("p", "said"), [(0.0004, "p < 0.001"), (0.0213, "p = 0.021"), (0.0036, "p = 0.0036"), (0.5, "p = 0.50")]
)
def test_p_values_are_short(p: float, said: str) -> None:
    assert show_p(p) == said


@pytest.mark.parametrize(
    ("a", "b"), [([], []), ([0.1], [0.1, 0.2]), ([0.1], [float("nan")]), ([-0.1], [0.1]), ([0.1], [float("inf")])]
)
def test_what_cannot_be_paired_is_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(UserError):
        pair(a, b)


def test_successes_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(UserError):
        discordance([True], [True, False])
    with pytest.raises(UserError):
        discordance([], [])
