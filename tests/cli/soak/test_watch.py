"""What a soak hears of practice: steps, modes, endings, and what the recorder has vouched for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from robot_rig.cli.soak.account import Logged, losses
from robot_rig.cli.soak.watch import SILENT_S, YOUNG_STEPS, PracticeWatch, Told
from robot_rig.datatypes import Mode, Source
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand

WORD_S = 0.05


def word(now: float, steps: int, number: int = 1, stand: Recording = Recording.OPEN) -> RecorderState:
    return RecorderState(now, stand, "one", number, steps)


def logging(watch: PracticeWatch, since: float, steps: int, number: int = 1) -> float:
    """The recorder's words while it logs ten steps a second; returns when it has all of them."""
    words = round(steps * 0.1 / WORD_S) + 1
    for i in range(words):
        watch.recorder(since + WORD_S * i, word(since + WORD_S * i, i // 2, number))
    return since + WORD_S * (words - 1)


@given(st.integers(1, 100))
def test_all_that_was_said_to_be_on_disk_counts_up_to_the_last_word(steps: int) -> None:
    watch = PracticeWatch()
    last = logging(watch, 10.0, steps)
    watch.end_of_process()
    (told,) = watch.take_told()
    assert (told.opened, told.last) == (10.0, last)
    assert told.steps == steps
    missing = losses([told], [Logged(told.opened - 0.1, steps - 1)])
    assert (missing.lost, missing.episodes) == (1, [told])
    assert watch.take_told() == []


def test_one_episode_ends_with_the_next_with_idleness_or_with_its_process() -> None:
    watch = PracticeWatch()
    after = logging(watch, 10.0, 20, number=1)
    after = logging(watch, after + 1.0, 30, number=2)
    watch.recorder(after + WORD_S, word(after, 0, 0, Recording.IDLE))
    logging(watch, after + 1.0, 40, number=3)
    assert [one.steps for one in watch.take_told()] == [20, 30]
    watch.end_of_process()
    watch.end_of_process()
    assert [one.steps for one in watch.take_told()] == [40]


def test_an_episode_without_a_step_on_disk_is_no_promise() -> None:
    watch = PracticeWatch()
    watch.recorder(10.0, word(10.0, 0))
    watch.end_of_process()
    assert watch.take_told() == list[Told]()


def test_pauses_are_between_steps_and_to_both_ends() -> None:
    watch = PracticeWatch()
    last = logging(watch, 10.0, 20)
    logging(watch, last + 3.0, 20, number=2)
    assert watch.longest_pause(10.5, 11.5) <= 0.1 + 1e-9
    assert 3.0 <= watch.longest_pause(10.5, last + 4.0) <= 3.2
    assert watch.longest_pause(100.0, 107.0) == 7.0
    step = watch.step_after(last + 0.01)
    assert step is not None
    assert step > last + 3.0
    assert watch.step_after(last + 10.0) is None


def test_the_rest_of_an_episode_that_hung_is_no_step_of_another_one() -> None:
    watch = PracticeWatch()
    last = logging(watch, 10.0, 5)
    hung = watch.open_episode
    watch.recorder(last + 2.0, word(last + 2.0, 7))
    assert watch.step_after(last) == last + 2.0
    assert watch.step_after(last, besides=hung) is None
    logging(watch, last + 5.0, 2, number=2)
    step = watch.step_after(last, besides=hung)
    assert step is not None
    assert step > last + 5.0


def test_a_fault_comes_while_an_episode_is_young() -> None:
    watch = PracticeWatch()
    assert not watch.acts(10.0)
    after = logging(watch, 10.0, YOUNG_STEPS)
    assert watch.acts(after + 0.1)
    assert not watch.acts(after + 1.0), "nobody has said so for a while"
    logging(watch, 20.0, YOUNG_STEPS + 1)
    assert not watch.acts(20.0 + 0.1 * (YOUNG_STEPS + 1) + 0.01)


def test_a_silent_arm_process_stands_in_no_mode() -> None:
    watch = PracticeWatch()
    assert watch.mode(0.0) is None
    for i, mode in enumerate([Mode.DISABLED, Mode.ACTIVE, Mode.ACTIVE, Mode.HOLD, Mode.ACTIVE]):
        watch.report(10.0 + 0.1 * i, mode)
    assert watch.mode(10.5) is Mode.ACTIVE
    assert watch.mode(10.5 + SILENT_S) is None
    assert not watch.rests(10.5 + SILENT_S)
    assert watch.left_motion(10.15, 10.35)
    assert not watch.left_motion(10.35, 11.0)
    watch.report(11.0, Mode.FAULT)
    assert watch.rests(11.1)


def test_an_ending_that_is_said_twice_counts_once() -> None:
    watch = PracticeWatch()
    for number, stand in ((1, Stand.RUNNING), (1, Stand.COMPLETE), (1, Stand.COMPLETE), (2, Stand.CUT_SHORT)):
        watch.episode(EpisodeState("one", number, stand, Source.RANDOM, "", 1, 5))
    assert watch.endings == {Stand.COMPLETE: 1, Stand.CUT_SHORT: 1}
