"""An address is read as it is meant or refused; whatever is typed, it never becomes an option or a word of a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.errors import UserError
from robot_rig.transport.address import MIRRORS, Address, Machine


@pytest.mark.parametrize(
    ("text", "machine", "path"),
    [
        ("ssh://robot/runs/arm2/played", Machine("robot"), "/runs/arm2/played"),
        ("ssh://ann@robot.local:2222/data//a/./b/", Machine("robot.local", "ann", 2222), "/data/a/b"),
        ("ssh://robot/~/rig/runs/a", Machine("robot"), "./rig/runs/a"),
        ("ssh://[fe80::1%eth0]:22/a", Machine("fe80::1%eth0", "", 22), "/a"),
        ("ssh://192.168.0.7/-a=b,c", Machine("192.168.0.7"), "/-a=b,c"),
    ],
)
def test_an_address_is_read(text: str, machine: Machine, path: str) -> None:
    assert Address.read(text) == Address(machine, path)


@pytest.mark.parametrize("text", ["runs/a", "/data/a", "./ssh:/a", "a b", "~/x", "..", "C", "-x"])
def test_a_local_folder_is_none(text: str) -> None:
    assert Address.read(text) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http://robot/a", "ssh://[user@]host[:port]/DIR"),
        ("sftp://robot/a", "ssh://[user@]host[:port]/DIR"),
        ("ssh:/robot/a", "ssh://[user@]host[:port]/DIR"),
        ("ssh:///a", "names no host"),
        ("ssh://ann@/a", "is no [user@]host"),
        ("ssh://:22/a", "names no host"),
        ("ssh://robot", "names no folder"),
        ("ssh://robot/", "names no folder"),
        ("ssh://robot/~/", "names no folder"),
        ("ssh://ann:secret@robot/a", "holds no password"),
        ("ssh://-oProxyCommand=reboot/a", "is no [user@]host"),
        ("ssh://-l@robot/a", "is no [user@]host"),
        ("ssh://robot:0/a", "is no [user@]host"),
        ("ssh://robot:99999/a", "is no [user@]host"),
        ("ssh://robot:-p/a", "is no [user@]host"),
        ("ssh://ro bot/a", "is no [user@]host"),
        ("ssh://robot\n/a", "is no [user@]host"),
        ("ssh://robot/a/../../etc", "leads upwards"),
        ("ssh://robot/a;reboot", "a character that is not taken"),
        ("ssh://robot/$(reboot)", "a character that is not taken"),
        ("ssh://robot/a b", "a character that is not taken"),
        ("ssh://robot/a?b#c", "a character that is not taken"),
        ("ssh://robot/ä", "a character that is not taken"),
        ("ann@robot:runs/a", "write ssh://ann@robot/~/runs/a"),
        ("robot:/runs/a", "write ssh://robot/runs/a"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_without_the_password(text: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        Address.read(text)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_local_folder_may_be_called_like_one_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "robot:a").mkdir()
    assert Address.read("robot:a") is None


AWKWARD = st.text(alphabet="aZ9-._~/@:[]%=+, ;$'\"\\\n&|*?#ä", max_size=24)


@given(AWKWARD, AWKWARD)
def test_nothing_that_is_taken_is_an_option_or_means_anything_to_a_shell(authority: str, path: str) -> None:
    try:
        address = Address.read(f"ssh://{authority}/{path}")
    except UserError:
        return
    assert address is not None
    machine = address.machine
    for word in (machine.host, machine.user, address.path, *address.path.split("/")[:1]):
        assert shlex.split(word) == ([word] if word else [])
        assert not word.startswith("-")
    assert address.path.startswith(("/", "./"))
    assert Address.read(str(address)) == address
    mirror = address.mirror()
    assert mirror.is_relative_to(MIRRORS)
    assert len(mirror.parts) > len(MIRRORS.parts) + 2
    assert ".." not in mirror.parts


def test_two_addresses_never_share_a_mirror() -> None:
    texts = (
        "ssh://[fe80::1]:22/b", "ssh://[fe80::1:22]/b", "ssh://[fe80::1%22]/b", "ssh://[fe80::1]/b", "ssh://fe80/b",
        "ssh://a/b", "ssh://a/~/b", "ssh://a:1/b", "ssh://c@a/b", "ssh://a/b/c", "ssh://a/in-home/b", "ssh://b/b",
    )  # fmt: skip
    mirrors = {address.mirror() for text in texts if (address := Address.read(text)) is not None}
    assert len(mirrors) == len(texts)
