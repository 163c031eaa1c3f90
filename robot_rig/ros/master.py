"""What the ROS master knows: who publishes what, and whether it is still the same master. Called by arm_node, the
recorder, the doctor and `node`.

`Master` asks once, with a time limit. `MasterWatch` asks ten times a second on a thread of its own and keeps the last
answer where a tick can read it without waiting.
"""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar
from xml.parsers.expat import ExpatError

import rosgraph

from robot_rig.errors import UserError

T = TypeVar("T")

POLL_PERIOD_S = 0.1
CALL_TIMEOUT_S = 0.5

log = logging.getLogger(__name__)


class MasterSilent(Exception):
    """The master, or a node's XML-RPC server, gave no answer or no good one; the text says which and why."""


def master_uri() -> str:
    """ROS_MASTER_URI as this process has it. Raises UserError when it is set to something that is no URI."""
    try:
        uri = str(rosgraph.get_master_uri()).rstrip("/")
        rosgraph.network.parse_http_host_and_port(uri)
        if not uri.startswith("http://"):
            raise ValueError("a master speaks http")
    except (ValueError, TypeError) as error:
        raise UserError(f"ROS_MASTER_URI is no URI: {error}", next_step="set it to http://HOST:11311") from error
    return uri


def runs_here(uri: str) -> bool:
    """Whether the master at `uri` is this machine's own; False where its name leads nowhere."""
    host, _ = rosgraph.network.parse_http_host_and_port(uri)
    try:
        places = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_is_own(family, address) for family, _, _, _, address in places)


def _is_own(family: int, address: Any) -> bool:
    """Whether the socket `address` is one of this machine's: no other can be bound to."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True


@contextmanager
def _like_a_node(uri: str) -> Iterator[None]:
    """What is in here reads an answer of `uri`; one of another shape than a ROS node gives becomes MasterSilent."""
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise MasterSilent(f"{uri} answers, but not like a ROS node: {str(error)[:120]}") from error


def _names(nodes: object) -> list[str]:
    if not isinstance(nodes, list) or not all(isinstance(node, str) for node in nodes):
        raise TypeError(f"{str(nodes)[:60]} where a list of names belongs")
    return nodes


class TimedTransport(xmlrpc.client.Transport):
    """HTTP that gives up after `timeout` seconds."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """The kept connection or a new one, with the time limit."""
        connection = super().make_connection(host)
        connection.timeout = self._timeout
        return connection


@dataclass(frozen=True, slots=True)
class MasterState:
    """One answer of the master. `publishers`: topic -> node names; `pid` and `run_id` say which master it is.

    `stamp`: monotonic s when it was asked. run_id is empty where no roslaunch has set it.
    """

    stamp: float
    pid: int
    run_id: str
    publishers: Mapping[str, tuple[str, ...]]

    def publishers_of(self, topic: str) -> tuple[str, ...]:
        """The names of the nodes that publish `topic`."""
        return self.publishers.get(topic, ())

    def same_master(self, other: MasterState) -> bool:
        """Whether the same run of the master gave both answers; a new one knows nobody, and rospy does not return."""
        # A master that was started alone gets its run_id from the first roslaunch.
        return self.pid == other.pid and (self.run_id == other.run_id or not (self.run_id and other.run_id))


class Master:
    """The master's API with a time limit on every call. Raises MasterSilent; not for several threads at once."""

    def __init__(self, uri: str, caller: str = "/robot_rig", timeout: float = CALL_TIMEOUT_S) -> None:
        self.uri, self.timeout, self._caller = uri, timeout, caller
        self._proxy = self._connect(uri)

    def pid(self) -> int:
        """The process id of the master on its own machine."""
        with _like_a_node(self.uri):
            return int(self._ask(self._proxy, self.uri, "getPid"))

    def state(self) -> MasterState:
        """What the master knows now."""
        stamp = time.monotonic()
        with _like_a_node(self.uri):
            published, _, _ = self._ask(self._proxy, self.uri, "getSystemState")
            publishers = {str(topic): tuple(_names(nodes)) for topic, nodes in published}
        return MasterState(stamp, self.pid(), self._run_id(), MappingProxyType(publishers))

    def topic_types(self) -> Mapping[str, str]:
        """Topic -> `package/Type`, for every topic that has ever been named to the master."""
        with _like_a_node(self.uri):
            return {str(topic): str(kind) for topic, kind in self._ask(self._proxy, self.uri, "getTopicTypes")}

    def node_uri(self, node: str) -> str:
        """Where the XML-RPC server of `node` is."""
        return str(self._ask(self._proxy, self.uri, "lookupNode", node))

    def is_gone(self, node: str) -> bool:
        """Whether `node` died without taking back what it had told the master: nobody listens at its address any more.

        One that only gives no answer counts as there. Raises MasterSilent when the master does not know it.
        """
        uri = self.node_uri(node)
        try:
            self._ask(self._connect(uri), uri, "getPid")
        except MasterSilent as silent:
            return isinstance(silent.__cause__, ConnectionRefusedError)
        return False

    def request_topic(self, node: str, topic: str) -> tuple[str, int]:
        """Host and port where `node` hands out `topic` over TCP."""
        uri = self.node_uri(node)
        answer = self._ask(self._connect(uri), uri, "requestTopic", topic, [["TCPROS"]])
        if not isinstance(answer, list) or len(answer) < 3 or answer[0] != "TCPROS":
            raise MasterSilent(f"{node} does not hand out {topic} over TCP")
        with _like_a_node(uri):
            return str(answer[1]), int(answer[2])

    def _run_id(self) -> str:
        found = bool(self._ask(self._proxy, self.uri, "hasParam", "/run_id"))
        return str(self._ask(self._proxy, self.uri, "getParam", "/run_id")) if found else ""

    def _connect(self, uri: str) -> xmlrpc.client.ServerProxy:
        try:
            return xmlrpc.client.ServerProxy(uri, transport=TimedTransport(self.timeout))
        except OSError as error:
            raise MasterSilent(f"{uri} is no address: {error}") from error

    def _ask(self, proxy: xmlrpc.client.ServerProxy, uri: str, method: str, *arguments: object) -> Any:
        try:
            code, text, value = getattr(proxy, method)(self._caller, *arguments)
        except (OSError, http.client.HTTPException) as error:
            raise MasterSilent(f"{uri} does not answer: {error or type(error).__name__}") from error
        except (xmlrpc.client.Error, ExpatError, ValueError, TypeError) as error:
            raise MasterSilent(f"{uri} answers, but not like a ROS node: {str(error)[:120]}") from error
        if code != 1:
            raise MasterSilent(f"{uri} refuses {method}: {str(text)[:120]}")
        return value


def answer_within(seconds: float, ask: Callable[[], T]) -> T:
    """`ask()` on a thread of its own: the look-up of a host's name knows no time limit. Too late is MasterSilent."""
    results: list[T] = []
    errors: list[MasterSilent] = []

    def run() -> None:
        try:
            results.append(ask())
        except MasterSilent as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="ask the master")
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    raise errors[0] if errors else MasterSilent(f"no answer within {seconds:g} s")


class MasterWatch:
    """Polls the master on a thread; reading the last answer never waits. `close` ends the thread.

    `on_change` is called on that thread with the first answer of another master (killed and started again): rospy does
    not register anew, so the graph must be started again. Another than the one of `first`, else than the first heard: a
    node that asks before it joins notices a master that died while it was joining.
    """

    def __init__(
        self,
        uri: str,
        caller: str = "/robot_rig",
        on_change: Callable[[MasterState], None] | None = None,
        first: MasterState | None = None,
    ) -> None:
        self._master = Master(uri, caller)
        self._on_change = on_change
        self._first = first
        self._latest: MasterState | None = None
        self._trouble = "not asked yet"
        self._changed = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True, name="master watch")
        self._thread.start()

    @property
    def latest(self) -> MasterState | None:
        """The last answer, however old (see its stamp), or None before the first."""
        return self._latest

    @property
    def trouble(self) -> str:
        """Why the last call failed, or nothing when it was answered."""
        return self._trouble

    @property
    def changed(self) -> bool:
        """Whether another master has answered since the first answer; stays true."""
        return self._changed

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._closing.set()
        self._thread.join(2 * CALL_TIMEOUT_S)

    def _poll(self) -> None:
        while True:
            try:
                self._take(self._master.state())
            except MasterSilent as error:
                self._trouble = str(error)
            except Exception as error:  # noqa: BLE001 - the watch goes on whatever an answer, or on_change, has done
                self._say(error)
            if self._closing.wait(POLL_PERIOD_S):
                return

    def _say(self, error: Exception) -> None:
        trouble = f"the watch over the master failed ({type(error).__name__}: {str(error)[:120]})"
        if trouble != self._trouble:
            log.error("%s", trouble, exc_info=error)
        self._trouble = trouble

    def _take(self, state: MasterState) -> None:
        self._trouble, self._latest = "", state
        if self._first is None:
            self._first = state
        elif not self._changed and not state.same_master(self._first):
            self._changed = True
            if self._on_change is not None:
                self._on_change(state)
