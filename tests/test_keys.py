"""Only the trainer that a robot believes moves its arm: whatever is changed, unsigned or another's is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.cli.main import main
from robot_rig.errors import UserError
from robot_rig.keys import FOLDER_VARIABLE, PUBLIC, SECRET, TRUSTED, Pin, TrainerKey, key_folder
from robot_rig.learning.checkpoint import MANIFEST, SIGNATURE, read_checkpoint
from robot_rig.stages.shipping import load_trusted
from tests.house import ROOT
from tests.nodes.test_policy_and_recorder import learnt, run_with_checkpoint

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "keys"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def test_a_key_is_made_once_kept_secret_and_believed_where_it_was_made(keys: Path) -> None:
    with pytest.raises(UserError, match="believes no trainer"):
        Pin.trusted(keys)
    key = TrainerKey.own(keys)
    assert TrainerKey.own(keys).public.name == key.public.name == Pin.trusted(keys).name
    assert (keys / SECRET).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in keys.iterdir()) == [SECRET, PUBLIC, TRUSTED]
    assert key.public.name in key.public._key.public_bytes_raw().hex()


@given(message=st.binary(max_size=200), other=st.binary(max_size=200), bit=st.integers(0, 511))
def test_a_signature_is_of_one_message_by_one_key(message: bytes, other: bytes, bit: int) -> None:
    own, stranger = FIRST, SECOND
    signature = own.sign(message)
    assert own.public.accepts(message, signature)
    assert own.sign(message) == signature
    assert own.public.accepts(other, signature) is (other == message)
    assert not stranger.public.accepts(message, signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not own.public.accepts(message, bytes(flipped))
    assert not own.public.accepts(message, signature[: bit % 64])
    assert not own.public.accepts(message, signature + b"\0")


OWN = """
import sys
from pathlib import Path
from robot_rig.keys import TrainerKey
print(TrainerKey.own(Path(sys.argv[1])).public.name)
"""


def _made(folder: Path) -> TrainerKey:
    return TrainerKey.own(folder)


KEYS = Path(os.environ[FOLDER_VARIABLE])
FIRST, SECOND = _made(KEYS / "first"), _made(KEYS / "second")


def test_processes_that_ask_at_once_get_the_same_key(keys: Path) -> None:
    asked = [
        subprocess.Popen([sys.executable, "-c", OWN, str(keys)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    names = [process.communicate()[0].strip() for process in asked]
    assert len(set(names)) == 1
    assert [process.returncode for process in asked] == [0] * 6
    assert Pin.load(keys / PUBLIC).name == names[0]
    assert sorted(path.name for path in keys.iterdir()) == [SECRET, PUBLIC, TRUSTED]


def test_a_key_that_others_may_read_or_that_is_none_is_refused(keys: Path) -> None:
    TrainerKey.own(keys)
    (keys / SECRET).chmod(0o640)
    with pytest.raises(UserError, match="others may read"):
        TrainerKey.own(keys)
    (keys / SECRET).chmod(0o600)
    for nonsense in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", os.urandom(300)):
        (keys / SECRET).write_bytes(nonsense)
        with pytest.raises(UserError, match="is no key"):
            TrainerKey.own(keys)
    other = generate_private_key(SECP256R1())
    (keys / SECRET).write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(UserError, match="no Ed25519 key"):
        TrainerKey.own(keys)


def refused(folder: Path, match: str) -> None:
    with pytest.raises(UserError, match=match):
        load_trusted(folder)


def test_a_checkpoint_is_believed_only_from_the_trusted_trainer(keys: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = run_with_checkpoint(tmp_path / "run", learnt()) / "checkpoints" / "practice-000000"
    load_trusted(folder)
    (tmp_path / "other").mkdir()
    FIRST.public.save(tmp_path / "other" / PUBLIC)
    assert main(["keys", "trust", str(tmp_path / "other" / PUBLIC)]) == 0
    assert FIRST.public.name in capsys.readouterr().out
    refused(folder, "not signed by the trainer that this robot believes")
    read_checkpoint(folder)
    assert main(["keys", "trust", str(keys / PUBLIC)]) == 0
    load_trusted(folder)
    signature = (folder / SIGNATURE).read_bytes()
    for wrong in (b"", signature[:-1], signature + b"x", bytes(64), b"x" * 2000):
        (folder / SIGNATURE).write_bytes(wrong)
        refused(folder, "not signed by|larger than")
    (folder / SIGNATURE).unlink()
    refused(folder, "is not signed")
    assert main(["keys", "sign", str(tmp_path / "run")]) == 0
    load_trusted(folder)


def test_a_signature_does_not_cover_for_changed_words(keys: Path, tmp_path: Path) -> None:
    folder = run_with_checkpoint(tmp_path / "run", learnt()) / "checkpoints" / "practice-000000"
    text = (folder / MANIFEST).read_text()
    assert '"train_steps": 1' in text
    (folder / MANIFEST).write_text(text.replace('"train_steps": 1', '"train_steps": 9'))
    refused(folder, "not signed by")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["keys", "trust", "nothing.pub"], "nothing.pub"),
        (["keys", "sign", "nowhere"], "there is no checkpoint in nowhere"),
        (["keys"], "needs one more word"),
        (["rollback", "nowhere"], "no checkpoint acts in nowhere"),
    ],
)
def test_bad_input_gets_a_line(words: list[str], said: str, keys: Path, capsys: Capture) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_fresh_robot_can_be_told_whom_to_believe(keys: Path, tmp_path: Path, capsys: Capture) -> None:
    FIRST.public.save(tmp_path / PUBLIC)
    assert main(["keys", "trust", str(tmp_path / PUBLIC)]) == 0
    assert Pin.trusted(keys).name == FIRST.public.name
    assert "this machine signs as nobody" in capsys.readouterr().out
    own = TrainerKey.own(keys)
    assert Pin.trusted(keys).name == FIRST.public.name != own.public.name, "its own key is not believed by itself"


def test_a_maker_that_was_killed_in_between_is_made_good(keys: Path) -> None:
    key = TrainerKey.own(keys)
    (keys / PUBLIC).unlink()
    (keys / TRUSTED).unlink()
    (keys / f".{SECRET}.left").write_bytes(b"")
    assert TrainerKey.own(keys).public.name == key.public.name == Pin.trusted(keys).name == Pin.load(keys / PUBLIC).name


def test_who_has_no_place_for_a_key_is_told_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    with monkeypatch.context() as patch:
        patch.delenv(FOLDER_VARIABLE)
        patch.setattr(Path, "home", nowhere)
        with pytest.raises(UserError, match=f"ame one in {FOLDER_VARIABLE}"):
            key_folder()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"ame a folder of yours in {FOLDER_VARIABLE}"):
        TrainerKey.own(tmp_path / "file")


def test_init_says_what_to_copy_where(keys: Path, capsys: Capture) -> None:
    assert main(["keys", "init"]) == 0
    said = capsys.readouterr().out
    assert f"copy {keys / PUBLIC} to the robot" in said
    assert said.count(Pin.trusted(keys).name) == 3
    assert main(["keys", "show"]) == 0
    assert capsys.readouterr().out.count(Pin.trusted(keys).name) == 2
