"""A configuration is obeyed as written or refused with its place: nothing is accepted by halves."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from robot_rig.config import Config
from robot_rig.config_files import PRESET_FOLDER, describe_config, dump_config, load_config, presets
from robot_rig.errors import UserError
from robot_rig.learning.health import NEAR_STEPS
from robot_rig.strict_yaml import MAX_BYTES, MAX_DEPTH


def leaves(values: BaseModel, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name in type(values).model_fields:
        value = getattr(values, name)
        flat |= leaves(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else {prefix + name: value}
    return flat


DEFAULTS = leaves(Config())
NUMBERS = sorted(
    key for key, value in DEFAULTS.items() if isinstance(value, int | float) and not isinstance(value, bool)
)
COUNTS = sorted(key for key, value in DEFAULTS.items() if type(value) is int)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "typo.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(overlays: list[str | Path], sets: list[str]) -> str:
    with pytest.raises(UserError) as caught:
        load_config(overlays, sets)
    assert caught.value.next_step, "a refusal must say what to do next"
    assert "\n" not in str(caught.value), "a refusal is one line"
    return str(caught.value)


def holds(values: Any, said: Any) -> bool:
    """Whether `values` has everything that `said` says."""
    if isinstance(said, dict):
        return all(key in values and holds(values[key], value) for key, value in said.items())
    return bool(values == said)


def attempt(overlays: list[str | Path], sets: list[str]) -> Config | str:
    """The configuration, or the one line that refuses it; any other exception is a failure."""
    try:
        return load_config(overlays, sets)
    except UserError as error:
        return str(error)


def test_nothing_given_is_the_schemas_defaults() -> None:
    assert load_config([], []) == Config()


def test_later_overlays_win_and_set_wins_over_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("seed: 1\nvae:\n  beta: 2\n  updates: 7\nagent:\n  hidden: [1, 2, 3]\n")
    second.write_text("seed: 2\nvae:\n  beta: 3\nagent:\n  hidden: [9]\n")
    config = load_config([first, second], ["vae.beta=4"])
    assert (config.seed, config.vae.beta, config.vae.updates, config.agent.hidden) == (2, 4.0, 7, (9,))
    assert load_config([second, first], []).vae.beta == 2.0


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_survives_the_round_trip(name: str, tmp_path: Path) -> None:
    config = load_config([name], [])
    path = tmp_path / "resolved.yaml"
    path.write_text(dump_config(config))
    assert load_config([path], []) == config
    assert config.hash() in dump_config(config).splitlines()[0]


def test_presets_are_the_files_in_the_folder_and_say_their_name() -> None:
    assert {"default", "rig", "rig_paper", "reach", "push"} <= set(presets())
    assert load_config(["rig"], []) == Config()
    assert load_config(["rig_paper"], []).preset == "rig_paper"


def test_rig_paper_has_the_papers_settings() -> None:
    config = load_config(["rig_paper"], [])
    assert (config.vae.net, config.vae.latent_dim, config.vae.beta) == ("rlkit", 16, 5.0)
    assert (config.agent.hidden, config.agent.layer_norm, config.agent.discount) == ((400, 300), False, 0.99)
    assert (config.agent.metric, config.agent.goals) == ("identity", "prior")
    assert (config.practice.pretrain_updates, config.practice.tune_every_steps) == (0, 0)


def test_the_shipped_default_file_is_the_schema() -> None:
    shipped = (PRESET_FOLDER / "default.yaml").read_text()
    assert shipped == describe_config(), "the schema has changed: run `make configs` and commit the result"


def test_every_key_says_what_it_means_and_what_it_takes() -> None:
    lines = describe_config().splitlines()
    for key in DEFAULTS:
        name = key.rsplit(".", 1)[-1]
        comments = [lines[i - 1].strip() for i, line in enumerate(lines) if line.strip().startswith(f"{name}:")]
        assert comments, f"{key} is missing"
        for comment in comments:
            assert comment.startswith("# "), f"{key} has no comment"
            assert "; " in comment, f"{key} has no description in the schema"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("seed: 1\nvae:\n  betta: 2\n", 3, ["vae.betta", "did you mean beta", "latent_dim"]),
        ("sede: 1\n", 1, ["sede", "did you mean seed"]),
        ("tool_speed_m_s: 0.1\n", 1, ["did you mean guard.tool_speed_m_s"]),
        ("seed: 1\nseed: 2\n", 2, ["duplicate", "seed"]),
        ("vae:\n  beta: 1\nseed: 3\nvae:\n  updates: 2\n", 4, ["duplicate", "vae"]),
        ("vae:\n  beta: 1\n  'beta': 2\n", 3, ["duplicate"]),
        ("vae:\n  beta: .nan\n", 2, [".nan"]),
        ("vae:\n  beta: -.inf\n", 2, ["-.inf"]),
        ("vae:\n  beta: NaN\n", 2, ["NaN"]),
        ("vae:\n  beta: 1e400\n", 2, ["1e400"]),
        ("vae:\n  beta: 1e-400\n", 2, ["1e-400"]),
        ("seed: 012\n", 1, ["'012'", "decimal"]),
        ("seed: 0o12\n", 1, ["'0o12'"]),
        ("seed: 0x1F\n", 1, ["'0x1F'"]),
        ("seed: 1_000\n", 1, ["'1_000'"]),
        ("seed: 1:30\n", 1, ["'1:30'"]),
        ("sim:\n  mesh_dir: 012\n", 2, ["quote it"]),
        ("agent:\n  layer_norm: on\n", 2, ["true or false"]),
        ("agent:\n  layer_norm: yes\n", 2, ["true or false"]),
        ("agent:\n  layer_norm: 'true'\n", 2, ["true or false"]),
        ("agent:\n  layer_norm: 1\n", 2, ["true or false"]),
        ("seed: on\n", 1, ["a whole number"]),
        ("seed: true\n", 1, ["a whole number"]),
        ("seed: '3'\n", 1, ["a whole number"]),
        ("vae:\n  beta: true\n", 2, ["a number"]),
        ("vae:\n  updates: 1.5\n", 2, ["vae.updates", "1.5", "a whole number"]),
        ("guard:\n\n  tool_speed_m_s: 0.26\n", 3, ["guard.tool_speed_m_s", "at most 0.25", "m/s"]),
        ("agent:\n  hidden: [64, 0]\n", 2, ["agent.hidden", "at least 1"]),
        ("agent:\n  hidden: []\n", 2, ["a list of 1 to 4"]),
        ("agent:\n  hidden: 64\n", 2, ["a list of 1 to 4"]),
        ("agent:\n  metric: identiti\n", 2, ["did you mean identity", "whitened"]),
        ("agent:\n  mix_future: 0.4\n", 2, ["mix_rollout + mix_imagined + mix_future must be 1"]),
        ("guard:\n  box_low_m: [0.8, 0, 0]\n", 2, ["box_low_m must lie below box_high_m"]),
        ("control:\n  axes: [x, x]\n", 2, ["twice"]),
        ("vae: 3\n", 1, ["vae", "named keys"]),
        ("vae: [beta]\n", 1, ["vae", "named keys"]),
        ("seed: {a: 1}\n", 1, ["seed", "a whole number"]),
        ("vae:\nseed: 1\n", 1, ["without a value"]),
        ("seed: ~\n", 1, ["without a value"]),
        ("seed: null\n", 1, ["without a value"]),
        ("- seed\n", 1, ["named keys"]),
        ("seed\n", 1, ["named keys"]),
        ("seed: &a 1\n", 1, ["anchors"]),
        ("seed: 1\nthreads: *a\n", 2, ["aliases"]),
        ("seed: !!int 1\n", 1, ["tags"]),
        ("seed: !!python/object/apply:os.system [ls]\n", 1, ["tags"]),
        ("!!map {seed: 1}\n", 1, ["tags"]),
        ("<<: {seed: 1}\n", 1, ["unknown key"]),
        ("%YAML 1.1\n---\nseed: 1\n", 1, ["directive"]),
        ("seed: 1\n---\nseed: 2\n", 2, ["second document"]),
        ("seed: {a: 1\n", 2, ["not valid YAML"]),
        ("\tseed: 1\n", 1, ["not valid YAML"]),
        ("seed: 1\n? [a]\n: 1\n", 2, ["a key must be a name"]),
        ("seed: " + "[" * 50, 1, [f"deeper than {MAX_DEPTH}"]),
        ("seed: " + "9" * 5000, 1, ["5000 characters"]),
    ],
)
def test_a_typo_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    path = written(tmp_path, text)
    message = refusal([path], [])
    assert f"{path}:{line}" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no keys"),
        (b"# nothing\n", "no keys"),
        (b"seed: 1 # \xff\n", "not UTF-8"),
        (b"seed: 1\nthreads: \x00\n", "not valid YAML"),
        (b"#" * (MAX_BYTES + 1), "larger than 256 KiB"),
        (b"seed: [" + b"1," * 11_000 + b"1]", "more than 10000 values"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refusal([written(tmp_path, content)], [])


def test_places_that_hold_no_file_are_refused(tmp_path: Path) -> None:
    assert "no preset 'rigg' (did you mean rig?)" in refusal(["rigg"], [])
    assert "rig_paper" in refusal(["rigg"], [])
    assert "No such file" in refusal([tmp_path / "absent.yaml"], [])
    (tmp_path / "folder.yaml").mkdir()
    assert "not a file" in refusal([tmp_path / "folder.yaml"], [])
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    assert "not a file" in refusal([tmp_path / "device.yaml"], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed", "key=value"),
        ("=3", "key=value"),
        ("vae.=3", "key=value"),
        ("seed=", "no value"),
        ("sed=1", "did you mean seed"),
        ("vae.beta=-1", "at least 0"),
        (f"collect.held_out_steps={2 * NEAR_STEPS}", f"at least {2 * NEAR_STEPS + 1}"),
        ("vae.beta='2'", "a number"),
        ("seed=1.5", "a whole number"),
        ("seed=1 # one", "comment"),
        ("seed=1\nthreads: 2", "line break"),
        ("seed.x=1", "a whole number"),
        ("vae=3", "named keys"),
        ("vae={beta: 1, beta: 2}", "duplicate"),
        ("seed=.inf", "'.inf'"),
        ("seed=012", "'012'"),
        ("sim.camera_target_m=[1.3, 0, 0.7]", "look at another place"),
    ],
)
def test_a_bad_set_is_refused_by_its_own_text(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config([], [text])
    # A sentence is one line, whatever it quotes.
    assert f"--set {text}".replace("\n", "\\n") in str(caught.value)
    assert words in str(caught.value)


def test_the_same_key_set_twice_is_refused() -> None:
    assert "twice" in refusal([], ["seed=1", "seed=2"])
    assert "twice" in refusal([], ["vae={beta: 1}", "vae.beta=2"])


def test_exponents_are_numbers_and_whole_ones_are_counts(tmp_path: Path) -> None:
    config = load_config([written(tmp_path, "vae:\n  updates: 1e3\n  learning_rate: 1e-4\n  beta: .5\n")], [])
    assert (config.vae.updates, config.vae.learning_rate, config.vae.beta) == (1000, 1e-4, 0.5)
    assert type(config.vae.updates) is int


def test_words_stay_text_where_text_is_meant(tmp_path: Path) -> None:
    assert load_config([written(tmp_path, "sim: {mesh_dir: on}\n")], []).sim.mesh_dir == "on"
    assert load_config([written(tmp_path, "sim: {mesh_dir: '012'}\n")], []).sim.mesh_dir == "012"
    assert load_config([], ["sim.mesh_dir=''"]).sim.mesh_dir == ""


def test_a_rule_between_keys_names_every_line_that_took_part(tmp_path: Path) -> None:
    path = written(tmp_path, "agent:\n  mix_rollout: 0.5\n  layer_norm: false\n")
    message = refusal([path], ["agent.mix_future=0.5"])
    assert f"{path}:2" in message
    assert "--set agent.mix_future=0.5" in message
    assert f"{path}:3" not in message


# --- nothing is accepted silently -------------------------------------------------------------------------------------

plain_numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.tuples(st.integers(-99, 99), st.integers(-5, 5)).map(lambda pair: f"{pair[0]}e{pair[1]}"),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(NUMBERS), number=plain_numbers)
def test_a_number_is_taken_exactly_as_written_or_refused(key: str, number: str) -> None:
    config = attempt([], [f"{key}={number}"])
    if isinstance(config, str):
        assert f"--set {key}" in config
        return
    assert leaves(config)[key] == float(number)
    assert {k: v for k, v in leaves(config).items() if k != key} == {k: v for k, v in DEFAULTS.items() if k != key}


@settings(max_examples=200)
@given(key=st.sampled_from(NUMBERS), text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_text_never_becomes_a_number_unless_it_is_one(key: str, text: str) -> None:
    config = attempt([], [f"{key}={text}"])
    if isinstance(config, str):
        return
    value = leaves(config)[key]
    assert math.isfinite(value)
    assert float(text) == value


def test_the_text_fuzz_is_not_vacuous() -> None:
    assert leaves(load_config([], ["vae.beta= 2 "]))["vae.beta"] == 2.0


@settings(max_examples=200)
@given(key=st.sampled_from(COUNTS), number=st.floats(-1e6, 1e6).filter(lambda x: not x.is_integer()))
def test_a_count_never_loses_its_fraction(key: str, number: float) -> None:
    with pytest.raises(UserError):
        load_config([], [f"{key}={number!r}"])


@settings(max_examples=200)
@given(data=st.data())
def test_a_misspelt_key_is_never_ignored(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(DEFAULTS)))
    at = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcxyz_.0A"))
    misspelt = data.draw(
        st.sampled_from([key[:at] + letter + key[at + 1 :], key[:at] + key[at + 1 :], key[:at] + letter + key[at:]])
    )
    if misspelt in DEFAULTS or misspelt.strip() in DEFAULTS:
        return
    with pytest.raises(UserError):
        load_config([], [f"{misspelt}={json.dumps(DEFAULTS[key])}"])


@settings(max_examples=300)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_refused_in_a_line_or_are_settings(content: bytes, folder: Path) -> None:
    config = attempt([written(folder, content)], [])
    if isinstance(config, str):
        assert "\n" not in config
    elif config != Config():
        # Bytes that happen to set something set what they say.
        assert holds(json.loads(config.model_dump_json()), yaml.safe_load(content))


@settings(max_examples=300)
@given(data=st.data())
def test_a_mutated_file_is_refused_or_changes_only_what_it_says(data: st.DataObject, folder: Path) -> None:
    text = dump_config(load_config(["rig_paper"], []))
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.sampled_from(list("0123456789.:#&*!-[]{}'\"\n\t ex_~%@")))
    mutated = text[:at] + new + text[at + 1 :]
    config = attempt([written(folder, mutated)], [])
    if isinstance(config, str):
        return
    before, after = leaves(load_config(["rig_paper"], [])), leaves(config)
    changed = {key for key in before if before[key] != after[key]}
    line = text.count("\n", 0, at)
    touched = {part.split(":")[0].strip() for part in text.splitlines()[line : line + 2]}
    assert {key.rsplit(".", 1)[-1] for key in changed} <= touched | section_of(text, line)


def section_of(text: str, line: int) -> set[str]:
    """Keys below a section head: turning that head into a comment or another name touches all of them."""
    lines = text.splitlines()
    if line >= len(lines) or lines[line].startswith(" "):
        return set()
    below = []
    for entry in lines[line + 1 :]:
        if not entry.startswith(" "):
            break
        below.append(entry.split(":")[0].strip())
    return set(below)


mesh_dirs = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=200)
@given(
    beta=st.floats(0, 10_000),
    rate=st.floats(0, 0.1, exclude_min=True),
    mesh_dir=mesh_dirs,
    preset=st.from_regex(r"[a-z0-9_]{1,40}", fullmatch=True),
)
def test_what_is_dumped_is_what_is_read(beta: float, rate: float, mesh_dir: str, preset: str, folder: Path) -> None:
    base = Config().model_dump()
    base |= {"preset": preset, "vae": {"beta": beta, "learning_rate": rate}, "sim": {"mesh_dir": mesh_dir}}
    config = Config.model_validate(base)
    again = load_config([written(folder, dump_config(config))], [])
    assert again == config
    assert again.hash() == config.hash()


def test_a_bare_flange_has_neither_tip_nor_mass() -> None:
    said = refusal([], ["tool.kind=none"])
    assert "control.tool_offset_m 0" in said
    assert ": :" not in said
    bare = load_config([], ["tool.kind=none", "tool.mass_kg=0", "control.tool_offset_m=0"])
    assert bare.tool.kind == "none"
