"""A login that prints text is told from a link that is cut: it is named with what to do, and no rsync hides it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import robot_rig.transport.carrier as carrying
from robot_rig.transport.carrier import Carrier
from robot_rig.transport.pull import Pull
from robot_rig.transport.ssh import EntryRefusedError, LinkError
from sim.faults.bad_line import Relay
from tests.data.episodes import write_log
from tests.ros_graph import eventually
from tests.transport.endings import end_of
from tests.transport.ssh_server import SshServer
from tests.transport.test_pull import held

LIMIT_S = 30.0
FIRST, SECOND = "collect-000000.mcap", "collect-000001.mcap"


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A machine whose login prints what stands in its file `greeting`, as a .bashrc with an echo does."""
    folder = tmp_path_factory.mktemp("chatty")
    made = SshServer(folder, f'ForceCommand cat {folder}/greeting 2>/dev/null; eval "$SSH_ORIGINAL_COMMAND"')
    made.start()
    yield made
    made.kill()


@pytest.fixture
def greeting(chatty: SshServer) -> Iterator[Path]:
    """What it prints."""
    path = chatty.folder / "greeting"
    path.write_text("Welcome to the\trobot\nsecond line\n")
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds, where people would wait for minutes."""
    monkeypatch.setattr(carrying, "LOOK_S", 0.2)
    monkeypatch.setattr(carrying, "FIRST_RETRY_S", 0.1)
    monkeypatch.setattr(carrying, "LAST_RETRY_S", 0.2)


def names_the_way_out(error: str, server: SshServer) -> bool:
    return f"`ssh -p {server.port} 127.0.0.1 true` must print nothing" in error and "\n" not in error


@pytest.mark.parametrize("text", ["Welcome", "no end of line yet", "\x1b[1mloud\x1b[0m\n", "-- robot --\n"])
def test_what_the_login_prints_is_quoted_with_the_next_step(chatty: SshServer, greeting: Path, text: str) -> None:
    greeting.write_text(text)
    with pytest.raises(EntryRefusedError) as refused:
        chatty.ssh().run("echo '-- robot-rig --'; echo one")
    assert "prints text (" in str(refused.value)
    assert str(refused.value).isprintable()
    assert names_the_way_out(str(refused.value), chatty)


def test_a_login_that_prints_nothing_or_bare_lines_is_answered(chatty: SshServer, greeting: Path) -> None:
    for text in ("", "\n"):
        greeting.write_text(text)
        assert chatty.ssh().run("echo '-- robot-rig --'; echo one") == ["one\n"]


@pytest.mark.parametrize("outwards", [True, False])
@pytest.mark.usefixtures("greeting")
def test_an_rsync_that_stumbles_over_it_says_the_same(chatty: SshServer, tmp_path: Path, outwards: bool) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / "in").mkdir(parents=True)
    ssh = chatty.ssh()
    here, there = f"{tmp_path}/here/", ssh.remote(chatty.address(tmp_path / "there"), "in")
    with pytest.raises(EntryRefusedError) as refused:
        ssh.rsync(["--recursive"], *((here, there) if outwards else (there, here)))
    assert names_the_way_out(str(refused.value), chatty)


def carrier_of(server: SshServer, played: Path, tmp_path: Path, told: list[str], port: int | None = None) -> Carrier:
    ssh = server.ssh(port)
    pull = Pull(ssh, server.address(played, port), tmp_path / "mirror", told.append)
    return Carrier(ssh, [pull], told.append)


@pytest.mark.usefixtures("greeting")
def test_it_is_refused_at_the_start_also_by_who_would_wait(chatty: SshServer, played: Path, tmp_path: Path) -> None:
    carrier = carrier_of(chatty, played, tmp_path, [])
    try:
        with pytest.raises(EntryRefusedError, match="prints text"):
            carrier.meet(float("inf"))
    finally:
        carrier.close()


@pytest.mark.usefixtures("greeting")
def test_a_cut_link_is_tried_again_and_the_login_behind_it_then_refused(
    chatty: SshServer, played: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    relay = Relay(chatty.port)
    relay.cut()
    carrier = carrier_of(chatty, played, tmp_path, told, relay.port)
    try:
        carrier.meet(float("inf"))
        carrier.start()
        assert eventually(lambda: any("is lost (" in sentence for sentence in told), LIMIT_S)
        carrier.require_sound()
        relay.mend()
        assert "prints text (Welcome" in end_of(carrier)
    finally:
        carrier.close()
        relay.cut()


def test_one_that_begins_to_print_in_mid_practice_is_told_as_such_and_mended(
    chatty: SshServer, greeting: Path, played: Path, tmp_path: Path
) -> None:
    greeting.write_text("")
    told: list[str] = []
    carrier = carrier_of(chatty, played, tmp_path, told)
    try:
        carrier.meet(float("inf"))
        carrier.start()
        write_log(played / "episodes" / FIRST, 1)
        assert eventually(lambda: held(tmp_path / "mirror") == [FIRST], LIMIT_S)
        greeting.write_text("careful, reboot at noon\n")
        assert eventually(lambda: any("prints text" in sentence for sentence in told), LIMIT_S)
        write_log(played / "episodes" / SECOND, 1)
        carrier.require_sound()
        greeting.write_text("")
        assert eventually(lambda: held(tmp_path / "mirror") == [FIRST, SECOND], LIMIT_S)
        assert eventually(lambda: any("the way into" in sentence for sentence in told), LIMIT_S)
    finally:
        carrier.close()
    (sentence,) = [sentence for sentence in told if "prints text" in sentence]
    assert "(careful, reboot at noon)" in sentence
    assert names_the_way_out(sentence, chatty)
    assert not any("the link" in sentence for sentence in told)


@pytest.mark.usefixtures("greeting")
def test_a_command_that_does_not_follow_ends_with_it(
    chatty: SshServer, greeting: Path, played: Path, tmp_path: Path
) -> None:
    greeting.write_text("")
    carrier = carrier_of(chatty, played, tmp_path, [])
    try:
        carrier.meet(0.0)
        greeting.write_text("hello\n")
        carrier.start()
        assert "prints text (hello)" in end_of(carrier)
    finally:
        carrier.close()


def test_a_link_that_breaks_in_the_middle_of_an_answer_is_no_login_that_prints(chatty: SshServer) -> None:
    with pytest.raises(LinkError):
        chatty.ssh().run("echo half; exit 255")
