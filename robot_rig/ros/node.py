"""The life of a node: options, the master, the name's lease, then ROS; and how its end and its errors reach a person.

Every node's module has `main()` that returns `run(...)`. Nothing here knows what the node does.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

import rosgraph.names
import rospy
import tyro

from robot_rig.errors import UserError
from robot_rig.ros.master import Master, MasterSilent, MasterState, answer_within, master_uri
from robot_rig.ros.message_size import limit_messages
from robot_rig.ros.node_lease import NodeLease
from robot_rig.ros.signals import SignalsEndRos
from robot_rig.ros.stamps import HostStamps

Options = TypeVar("Options")
Answer = TypeVar("Answer")

MASTER_LIMIT_S = 1.0
"""How long a node waits for the master's answer before it says that there is none."""

STATE_LIMIT_S = 5.0
"""The same for all that the master knows: several answers, while a launch file starts everything at once."""


LAST_WORDS_S = 0.1
"""How long a node waits at its end, topics open, for rospy's queues to send what was published last."""


class Node:
    """What the wiring of a node gets to work with. `name` is the full one; `stamps` is the process's one HostStamps.

    `master` is what the master said before the node joined its graph.
    """

    def __init__(self, name: str, master: MasterState) -> None:
        self.name, self.master = name, master
        self.stamps = HostStamps()
        self.error: UserError | None = None
        self._failed = threading.Event()
        self._ends = ExitStack()
        self._ends.callback(threading.Event().wait, LAST_WORDS_S)
        rospy.on_shutdown(self._ends.close)

    def closing(self, close: Callable[[], object]) -> None:
        """Call `close` when the node ends, the last one first, while its topics still work; however it ends but killed.

        For whatever moves or writes. One that raises does not keep the others from being called. What one of them
        publishes leaves if the machine has time for it within `LAST_WORDS_S`: no safety may hang on it.
        """
        self._ends.callback(close)
        if rospy.is_shutdown():  # the end came while the node was being wired: all that was opened before is closed
            self._ends.close()

    def fail(self, error: UserError) -> None:
        """End the node from any thread with `error` for a person and exit code 2; the first error counts.

        Returns at once: the main thread ends the node, so that a thread may report its own death.
        """
        self.error = self.error or error
        self._failed.set()

    def others_that_publish(self, topic: str) -> list[str]:
        """The other nodes that publish `topic` and live: one that was killed stays in the master's list.

        Raises UserError when the master does not say.
        """
        master = Master(master_uri(), timeout=STATE_LIMIT_S)
        try:
            others = [name for name in master.state().publishers_of(topic) if name != self.name]
            return [name for name in others if not master.is_gone(name)]
        except MasterSilent as error:
            raise UserError(
                f"the ROS master does not say what runs: {error}", next_step="see `rig doctor`, then start this again"
            ) from error

    def spin(self) -> None:
        """Wait in the main thread until ROS, a signal or `fail` ends the node."""
        while not (rospy.is_shutdown() or self._failed.wait(0.05)):
            pass


def end_if_told() -> None:
    """Raise what ends a node in order, once it has been told to end: for loops that wait while it is being wired."""
    if rospy.is_shutdown():
        raise rospy.ROSInterruptException("the node was told to end")


def run(
    name: str, options: type[Options], wire: Callable[[Options, Node], None], arguments: Sequence[str] | None = None
) -> int:
    """Be the node `name` until ROS or Ctrl-C ends it; returns the process's exit code.

    `options`: a dataclass that tyro fills from `arguments` (the process's own by default; ROS's own `a:=b` are for
    ROS). `wire` gets them and the Node, connects everything and returns; callbacks then do the work. A UserError
    becomes one line on stderr and exit code 2. A second node of the same name in the same graph on this machine is
    refused before the master hears of it: the one that runs is not disturbed.
    """
    argv = [sys.argv[0], *(sys.argv[1:] if arguments is None else arguments)]
    chosen = tyro.cli(options, prog=name, args=rospy.myargv(argv)[1:])
    limit_messages()
    try:
        uri = master_uri()
        await_master(uri)
        master = _answer(uri, STATE_LIMIT_S, Master(uri, timeout=MASTER_LIMIT_S).state)
        lease = NodeLease(uri, full_name(name, argv))
    except UserError as error:
        return _told(name, error)
    try:
        with SignalsEndRos():
            return _live(name, argv, master, lambda node: wire(chosen, node))
    finally:
        lease.close()


def await_master(uri: str) -> None:
    """Return when the master at `uri` answers. Raises UserError within 2 s when it does not."""
    _answer(uri, MASTER_LIMIT_S, Master(uri, timeout=MASTER_LIMIT_S).pid)


def _answer(uri: str, limit_s: float, ask: Callable[[], Answer]) -> Answer:
    try:
        return answer_within(limit_s, ask)
    except MasterSilent as error:
        raise UserError(
            f"the ROS master does not answer (ROS_MASTER_URI is {uri}): {error}",
            next_step="start it with roscore or roslaunch, or set ROS_MASTER_URI to the robot's",
        ) from error


def full_name(name: str, argv: Sequence[str]) -> str:
    """The name that ROS will give to node `name`: `__name:=` and `__ns:=` in `argv` and ROS_NAMESPACE count."""
    base = rosgraph.names.load_mappings(argv).get("__name", name)
    return str(rosgraph.names.ns_join(rosgraph.names.get_ros_namespace(argv=argv), base))


def _live(name: str, argv: list[str], master: MasterState, wire: Callable[[Node], None]) -> int:
    try:
        rospy.init_node(name, argv=argv, disable_signals=True)
        _log_like_rospy()
        node = Node(rospy.get_name(), master)
    except rospy.ROSException as error:
        if rospy.is_shutdown():
            return 0  # a signal came while the node was joining
        return _told(name, UserError(f"cannot join the ROS graph: {error}", next_step="check ROS_IP and the network"))
    try:
        wire(node)
        node.spin()
    except UserError as error:
        node.fail(error)
    except rospy.ROSInterruptException:
        pass  # the ordinary end
    finally:
        rospy.signal_shutdown("the node has ended")
    return _told(name, node.error) if node.error is not None else 0


def _log_like_rospy() -> None:
    """What the house's modules log goes where rospy's own log goes: the terminal, the node's log file and /rosout."""
    for top in ("robot_rig", "drivers", "sim"):
        logging.getLogger(top).parent = logging.getLogger("rosout")


def _told(name: str, error: UserError) -> int:
    sys.stderr.write(f"{name}: {error}\n")
    return 2
