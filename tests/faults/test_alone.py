"""Rows that need no graph: each judge passes what the table asks for and tells what it forbids; the quick ones run."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from robot_rig.cli.main import main
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Action, Float32s, Source, Step
from robot_rig.keys import SECRET
from robot_rig.transport import carrier, ssh
from sim.faults import alone_learning, alone_link
from sim.faults.alone_canary import canary, ship_bad_policy
from sim.faults.alone_learning import Learnt, judge_marathon, judge_swaps, kill_trainer, rain_policies, unlike
from sim.faults.alone_secrets import found, found_at_home, leak
from sim.faults.judges import Verdict
from sim.faults.made_steps import ACTION_DIM, NO_LIMIT, made_executed, made_frame
from sim.faults.rows import NotPermittedError


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_rig_faults_counts_them_among_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "faults.json"
    words = ["faults", "--rows", "24", "--repeat", "1", "--json", str(out), "--logs", str(tmp_path / "logs")]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "faults passed=1 of=1 worst_stop_ms=none void=0"
    (kept,) = json.loads(out.read_text())["rows"]["24"]["attempts"]
    assert kept["figures"]["power cuts"] > 200
    assert list((tmp_path / "logs").iterdir()) == [], "what is well leaves nothing"
    assert main(words) == 0
    assert f"without --resume, what {out} holds of these rows is replaced: 24" in capsys.readouterr().out


# --- row 20 ----------------------------------------------------------------------------------------------------------


def test_random_weights_are_not_promoted_and_a_bad_policy_is_taken_back(tmp_path: Path) -> None:
    verdict = ship_bad_policy(rng(), tmp_path)
    assert verdict.complaints == []
    assert 0.0 < verdict.figures["rollback ms"] < 1000.0


def test_the_canary_is_not_against_everybody() -> None:
    """Whoever knows where the goals are gets through: the bar is one that can be passed."""
    judge = canary()
    exam = judge._examiner

    class Knowing:
        action_dim = ACTION_DIM

        def begin(self, goal: object) -> None:
            (self._goal,) = [case.xy_m for case in exam.goals if case.id == goal.id]  # type: ignore[attr-defined]

        def act(self, frame: object, under_way: object = None) -> Float32s:
            away = self._goal - exam._truth()  # type: ignore[attr-defined]
            return np.clip(away / 0.017, -1, 1).astype(np.float32)

    assert judge.objection(Knowing(), None) == ""  # type: ignore[arg-type]


# --- row 21 ----------------------------------------------------------------------------------------------------------


def test_policies_rain_and_each_episode_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_learning, "RAIN_S", 3.0)
    verdict = rain_policies(rng(), tmp_path)
    assert verdict.complaints == []


def log_of(folder: Path, named: int, numbers: list[int]) -> None:
    """An episode in the name of policy `named`, whose steps are of policies `numbers`."""
    path = EpisodeStore(folder).next_path("collect")
    meta = {"stage": "collect", "policy": f"policy-{named}"}
    writer = EpisodeWriter(path, ACTION_DIM, None, meta, room=NO_LIMIT)
    for step, number in enumerate(numbers):
        value = np.array([number / 1024, 0.0], np.float32)
        action = Action(step + 1, 1000.5 + step, value, Source.RANDOM, step, 1000.0)
        writer.append(Step(made_frame(step), action, made_executed(step)))
    writer.finish(made_frame(len(numbers)))


def test_an_episode_of_two_policies_or_of_another_is_told(tmp_path: Path) -> None:
    for number in range(10):
        log_of(tmp_path, number, [number] * 2)
    assert judge_swaps(tmp_path).complaints == []
    log_of(tmp_path, 5, [5, 6])
    log_of(tmp_path, 7, [8])
    said = judge_swaps(tmp_path).complaints
    assert said[0].endswith("has actions of policy-5, policy-6")
    assert said[1].endswith("names policy-7, and policy-8 acted")
    log_of(tmp_path / "few", 1, [1])
    assert "nothing was swapped" in judge_swaps(tmp_path / "few").complaints[0]


# --- rows 29 and 30 --------------------------------------------------------------------------------------------------


@pytest.mark.proof
def test_a_link_that_is_out_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_link, "AWAY_S", 8.0)
    # Seconds, where people would wait for minutes.
    for module, name, value in (
        (carrier, "LOOK_S", 0.3), (carrier, "FIRST_RETRY_S", 0.2), (carrier, "LAST_RETRY_S", 0.5),
        (ssh, "SILENCE_S", 1), (ssh, "CONNECT_S", 1),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    try:
        verdict = alone_link.partition(rng(), tmp_path)
    except NotPermittedError as error:
        pytest.skip(str(error))
    assert verdict.complaints == []
    assert 0.0 < verdict.figures["sync s"] < 60.0


@pytest.mark.proof
def test_a_line_that_is_not_out_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sound(alone_link.Relay):
        def freeze(self) -> None:
            pass

        cut = freeze

    monkeypatch.setattr(alone_link, "AWAY_S", 7.0)
    monkeypatch.setattr(alone_link, "Relay", Sound)
    try:
        said = alone_link.partition(rng(), tmp_path).complaints
    except NotPermittedError as error:
        pytest.skip(str(error))
    assert {"the line was not out", "nobody was told that the link is lost"} <= set(said)


@pytest.mark.proof
@pytest.mark.parametrize("attempt", [alone_link.partition, alone_link.slow_link])
def test_a_minute_without_a_link_and_a_bad_one(tmp_path: Path, attempt: alone_link.Attempt) -> None:
    try:
        assert attempt(rng(), tmp_path).complaints == []
    except NotPermittedError as error:
        pytest.skip(str(error))


# --- row 60 ----------------------------------------------------------------------------------------------------------


def test_a_secret_is_found_wherever_it_is_packed(tmp_path: Path) -> None:
    needles, secret = {"token": b"canary123", "home": b"canaryhome"}, b"the-key-itself"
    (tmp_path / "console").write_bytes(b"copy canaryhome/keys to the robot")
    assert found(tmp_path, needles, secret) == []
    (tmp_path / "a.txt").write_bytes(b"-- canary123 --")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", b"the-key-itself" * 50)
    (tmp_path / "b.npz").write_bytes(packed.getvalue())
    writer = EpisodeWriter(tmp_path / "c.mcap", ACTION_DIM, None, {"note": "canaryhome"}, room=NO_LIMIT)
    value = np.zeros(ACTION_DIM, np.float32)
    done = made_executed(1)
    told = type(done)(done.value, done.residual, done.outcome, ("canary123",), done.position)
    writer.append(Step(made_frame(0), Action(1, 1000.5, value, Source.RANDOM, 0, 1000.0), told))
    writer.finish(made_frame(1))
    (tmp_path / "run-canary123").mkdir()
    assert found(tmp_path, needles, secret) == [
        "token in a.txt",
        "the secret key in b.npz",
        "token in c.mcap",
        "home in c.mcap",
        "token in run-canary123",
    ]


@pytest.mark.proof
def test_no_secret_gets_out(tmp_path: Path) -> None:
    verdict = leak(rng(), tmp_path)
    assert verdict.complaints == []
    assert verdict.figures["files"] > 10


def test_at_home_the_key_is_in_its_own_file_and_nowhere_else(tmp_path: Path) -> None:
    needles, secret = {"token": b"canary123", "home": b"canaryhome"}, b"the-key-itself"
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / SECRET).write_bytes(b"-- the-key-itself --")
    (tmp_path / "cache").write_bytes(b"canaryhome/work")
    assert found_at_home(tmp_path, needles, secret) == []
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state" / "last").write_bytes(b"the-key-itself canary123")
    assert found_at_home(tmp_path, needles, secret) == [
        "token in .state/last at home", "the secret key in .state/last at home"
    ]  # fmt: skip


# --- rows 63 and 64 --------------------------------------------------------------------------------------------------


def test_whatever_differs_between_two_trainers_is_told() -> None:
    wanted = Learnt({"a": b"1", "b": b"2"}, {"vae": {"loss": [(1, 0.5)]}})
    assert unlike(wanted, wanted) == []
    assert unlike(wanted._replace(files={"a": b"1"}), wanted) == ["b and 0 more differ"]
    assert unlike(wanted._replace(curves={"vae": {"loss": [(1, 0.5), (1, 0.5)]}}), wanted) == ["the loss curves differ"]


@pytest.mark.proof
def test_a_killed_trainer_learns_the_same(tmp_path: Path) -> None:
    verdict = kill_trainer(rng(), tmp_path)
    assert verdict.complaints == []
    assert verdict.figures["kills"] >= 1


def marathon(slope: float = 0.0, files: int = 9, whole: int = 1) -> Verdict:
    rows = [[n / 100, 300.0 + slope * n / 100 + 0.1 * (n % 3), 9.0, 1.0] for n in range(1, 99)]
    return judge_marathon([*rows, [0.99, 300.0 + slope, float(files), float(whole)]])


def test_memory_files_and_episodes_that_are_lost_are_told() -> None:
    assert marathon().complaints == []
    assert marathon(slope=0.5).complaints == []
    assert "MiB an hour" in marathon(slope=1.5).complaints[0]
    assert "open files went from 9 to 10" in marathon(files=10).complaints
    assert marathon(whole=0).complaints == ["1 episodes were not whole"]


@pytest.mark.proof
def test_an_hour_of_practice_costs_no_memory(tmp_path: Path) -> None:
    assert alone_learning.practise_for_hours(rng(), tmp_path).complaints == []
