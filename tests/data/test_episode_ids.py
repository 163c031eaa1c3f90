"""The set of episodes that there have been: a set like any other, whose size is that of its gaps."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.data.episode_ids import EpisodeIds

IDS = st.builds(
    "{}-{}{:06d}".format,
    st.sampled_from(["practice", "collect", "a_2"]),
    st.sampled_from(["", "0"]),
    st.integers(0, 12),
)


@given(st.lists(IDS), IDS)
def test_it_is_a_set_whatever_comes_in_whatever_order(added: list[str], other: str) -> None:
    ids = EpisodeIds()
    for id in added:
        ids.add(id)
    again = EpisodeIds(json.loads(json.dumps(ids.runs)))
    for one in (ids, again):
        assert len(one) == len(set(added))
        assert all(id in one for id in added)
        assert (other in one) == (other in set(added))
    assert sorted(ids.runs) == sorted(again.runs)
    # Two runs of one stage never touch.
    spans = sorted(ids.runs)
    assert all(a[0] != b[0] or a[2] + 1 < b[1] for a, b in pairwise(spans))


def test_months_of_practice_take_as_much_room_as_a_minute() -> None:
    ids = EpisodeIds()
    for number in range(200_000):
        ids.add(f"practice-{number:06d}")
        if number % 50_000 == 0:
            ids.add(f"teleop-{number:06d}")
    assert len(ids) == 200_004
    assert len(json.dumps(ids.runs)) < 200
    assert "practice-199999" in ids
    assert "practice-200000" not in ids


def test_a_number_of_more_digits_is_none_of_fewer() -> None:
    ids = EpisodeIds()
    for id in ("collect-999999", "collect-1000000"):
        ids.add(id)
    assert ids.runs == [("collect-", 999_999, 1_000_000)]
    assert "collect-01000000" not in ids
    with pytest.raises(ValueError, match="invalid literal"):
        ids.add("no number")
