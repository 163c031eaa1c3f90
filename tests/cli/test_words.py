"""What a person types, rightly or wrongly, and the one line that comes back."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from robot_rig import __version__
from robot_rig.cli.dispatch import GROUPS, ORDERS, STAGES
from robot_rig.cli.main import main
from robot_rig.runs import RunFolder
from tests.cli.conftest import Demo
from tests.tiny_run import content, tiny_config, words

Capture = pytest.CaptureFixture[str]


def refused(capsys: Capture, arguments: list[str]) -> str:
    """The one line with which `arguments` are refused."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("rig: ")
    return lines[0]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_rig_alone_teaches(capsys: Capture, arguments: list[str]) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for word in ("rig demo", "rig collect", "rig train", "rig practice", "rig eval", "rig report", "--resume"):
        assert word in printed
    assert "not safety-rated" in printed


def test_every_command_explains_itself(capsys: Capture) -> None:
    spoken = [[word] for word in (*STAGES, *ORDERS)] + [
        [group, word] for group, known in GROUPS.items() for word in known
    ]
    for arguments in spoken:
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--help"])
        assert left.value.code == 0
        assert " ".join(["rig", *arguments]) in capsys.readouterr().out


def test_an_unknown_command_is_answered_with_those_there_are(capsys: Capture) -> None:
    line = refused(capsys, ["colect"])
    assert "'colect'" in line
    for word in (*STAGES, *ORDERS, *GROUPS):
        assert word in line


@pytest.mark.parametrize("arguments", [["data"], ["data", "chek"], ["bench", "x"]])
def test_half_a_command_is_answered_with_its_other_half(capsys: Capture, arguments: list[str]) -> None:
    line = refused(capsys, arguments)
    for word in GROUPS[arguments[0]]:
        assert f"rig {arguments[0]} {word}" in line


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["demo", "--sed", "3"], ("--sed", "--seed")),
        (["demo", "--seed", "three"], ("--seed", "INT", "three")),
        (["demo", "--seed"], ("--seed", "--goal-seed")),
        (["collect", "--run", "a", "--frobnicate"], ("--frobnicate", "--config")),
        (["collect"], ("--run PATH",)),
        (["data", "view"], ("PATH",)),
        (["bench", "sim", "--rounds", "many"], ("--rounds INT", "many")),
    ],
)
def test_a_mistyped_option_is_one_line_with_what_there_is(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: list[str], names: tuple[str, ...]
) -> None:
    line = refused(capsys, arguments)
    command = " ".join(["rig", *arguments[: 1 + (arguments[0] in GROUPS)]])
    for name in (*names, f"`{command} --help`"):
        assert name in line
    # A terminal in colours and boxes is told the same.
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert refused(capsys, arguments) == line


def test_of_a_mistyped_option_no_other_command_s_are_named(capsys: Capture) -> None:
    # Its help quotes `rig eval --checkpoint`.
    line = refused(capsys, ["goals", "sets", "--frobnicate"])
    assert "Valid: --help, --of, --delete, --no-delete, --goals, --config, --set." in line


@pytest.mark.parametrize("command", ["demo", "bench seeds"])
def test_a_scene_without_an_exam_is_refused_before_it_costs_minutes(
    capsys: Capture, tmp_path: Path, command: str
) -> None:
    line = refused(capsys, [*command.split(), "--run", str(tmp_path / "run"), "--config", "push"])
    assert "no exam for sim.scene push" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "arguments", [["sim", "--rounds", "0"], ["sim", "--rounds", "-3"], ["seeds", "--seeds"], ["seeds", "--goal-seeds"]]
)
def test_a_bench_of_nothing_is_refused(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert arguments[1] in refused(capsys, ["bench", *arguments])
    assert not list(tmp_path.iterdir())


def test_the_version_is_told(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rig {__version__}\n"


def test_a_mistyped_setting_is_named_with_its_nearest(capsys: Capture, tmp_path: Path) -> None:
    line = refused(capsys, ["collect", "--run", str(tmp_path / "run"), "--set", "vae.betta=2"])
    assert "vae.betta" in line
    assert "did you mean beta?" in line
    assert not (tmp_path / "run").exists()


def test_a_mistyped_key_in_a_file_is_named_with_its_line(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 3\nvae:\n  beta: 2\n  latent_dims: 8\n")
    line = refused(capsys, ["collect", "--run", str(tmp_path / "run"), "--config", str(path)])
    assert "mine.yaml:4" in line
    assert "latent_dim" in line.replace("latent_dims", "")
    assert not (tmp_path / "run").exists()


def test_an_impossible_value_is_refused_with_its_range(capsys: Capture, tmp_path: Path) -> None:
    line = refused(capsys, ["demo", "--run", str(tmp_path / "run"), "--set", "guard.tool_speed_m_s=3"])
    assert "0.25" in line
    assert not (tmp_path / "run").exists()


def test_config_prints_every_setting_and_the_chosen_ones(capsys: Capture) -> None:
    assert main(["config"]) == 0
    everything = capsys.readouterr().out
    for word in ("updates_per_step", "tool_speed_m_s", "goal_seed", "weight of the KL"):
        assert word in everything
    assert main(["config", "--set", "vae.beta=2.5", "--seed", "9", "--goal-seed", "77"]) == 0
    chosen = capsys.readouterr().out
    assert "beta: 2.5" in chosen
    assert "\nseed: 9" in chosen
    assert "goal_seed: 77" in chosen


@pytest.mark.parametrize(
    ("command", "first"),
    [("train", "rig collect"), ("practice", "rig train"), ("eval", "rig practice"), ("report", "rig eval")],
)
def test_a_stage_before_its_time_names_the_one_to_run_first(
    capsys: Capture, tmp_path: Path, command: str, first: str
) -> None:
    run = tmp_path / "run"
    line = refused(capsys, words(command, run))
    assert "there is no run" in line
    assert "`rig collect`" in line
    assert not run.exists()
    RunFolder.claim(run, tiny_config()).close()
    assert f"`{first}`" in refused(capsys, words(command, run))


def test_a_run_that_lost_where_its_play_ended_goes_on_nowhere(capsys: Capture, copied: Path) -> None:
    (copied / "state" / "collect.npz").unlink()
    logs = sorted(path.name for path in (copied / "episodes").iterdir())
    for command in ("collect", "practice"):
        assert "another --run" in refused(capsys, words(command, copied))
    assert sorted(path.name for path in (copied / "episodes").iterdir()) == logs


def test_play_without_a_simulator_becomes_a_policy_without_practice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What nodes have logged: episodes, and no state of a simulated arm to go on from."""
    content(monkeypatch)
    run = tmp_path / "run"
    assert main(words("collect", run, "practice.steps=0")) == 0
    (run / "state" / "collect.npz").unlink()
    for command in ("train", "practice", "eval"):
        assert main(words(command, run, "practice.steps=0")) == 0
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["practice-000000"]


def test_another_configuration_on_the_same_run_is_refused_by_its_keys(capsys: Capture, copied: Path) -> None:
    line = refused(capsys, words("practice", copied, "vae.beta=7", "seed=4"))
    assert "vae.beta 1.0 -> 7.0" in line
    assert "seed 0 -> 4" in line
    assert "--run" in line


def test_a_folder_of_something_else_is_left_alone(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "thesis.tex" in refused(capsys, words("demo", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_there_is_nothing_to_resume(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "`rig demo`" in refused(capsys, ["demo", "--resume"])


def test_data_check_reads_a_fresh_run_and_finds_damage(capsys: Capture, copied: Path) -> None:
    assert main(["data", "check", str(copied / "episodes")]) == 0
    assert "5 episodes, 200 steps, 0 with faults" in capsys.readouterr().out
    first = copied / "episodes" / "collect-000000.mcap"
    first.write_bytes(first.read_bytes()[:9000])
    assert main(["data", "check", str(first)]) == 1
    said = capsys.readouterr().out
    assert "1 with faults" in said
    (row,) = (line.split("│")[1:-1] for line in said.splitlines() if line.startswith("│"))
    file, _, _, seen, verdict = (cell.strip() for cell in row)
    assert (file, seen, verdict) == ("collect-000000.mcap", "truncated", "faults")


def test_data_lag_measures_the_arm_that_has_played_or_says_why_not(capsys: Capture, copied: Path) -> None:
    assert main(["data", "lag", str(copied)]) == 0
    match = re.search(r"lag (\d\.\d{3}) s, from (\d+) moves .* control.lag_s is 0.06", capsys.readouterr().out)
    assert match
    assert 0.0 <= float(match[1]) < 0.1
    for path in sorted((copied / "episodes").iterdir())[1:]:
        path.unlink()
    assert "too few" in refused(capsys, ["data", "lag", str(copied)])
    assert "no run" in refused(capsys, ["data", "lag", str(copied / "absent")])


def test_data_check_of_nothing_says_what_to_name(capsys: Capture, tmp_path: Path) -> None:
    assert "rig collect" in refused(capsys, ["data", "check", str(tmp_path)])
    assert "check the name" in refused(capsys, ["data", "check", str(tmp_path / "absent.mcap")]).lower()
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "rig collect" in refused(capsys, ["data", "check", str(tmp_path / "thesis.tex")])


def test_data_view_draws_a_sheet_and_a_film(capsys: Capture, demo: Demo, tmp_path: Path) -> None:
    source = demo.folder / "episodes" / "practice-000003.mcap"
    assert main(["data", "view", str(source), "--out", str(tmp_path / "seen")]) == 0
    assert {path.suffix for path in (tmp_path / "seen").iterdir()} == {".png", ".mp4"}
    assert "practice-000003.png" in capsys.readouterr().out
    assert (tmp_path / "seen" / "practice-000003.png").read_bytes().startswith(b"\x89PNG")
    assert b"ftyp" in (tmp_path / "seen" / "practice-000003.mp4").read_bytes()[:16]


def test_data_view_of_no_log_is_refused(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "collect-000000.mcap").write_bytes(b"no log at all")
    refused(capsys, ["data", "view", str(tmp_path / "collect-000000.mcap")])
    refused(capsys, ["data", "view", str(tmp_path / "absent.mcap")])
