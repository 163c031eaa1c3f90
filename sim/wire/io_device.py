"""One device of the Intera IO framework: signals with values, and commands that set them. Called by `sim.wire.io_*`.

Knows no ROS and no device in particular. A command is applied once, whatever how often it is repeated, and is always
acknowledged: a client that waits for its own time stamp would otherwise wait for nothing. Why a value was refused is
told in the response, and in the signal's own status until a better value comes.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

READY, UNREADY, ERROR = "ready", "unready", "error"
"""IOStatus.tag of what works, what is not operational, and what was refused."""

KEPT_COMMANDS = 100
"""Acknowledged commands that a state lists, as the vendor's client remembers as many of its own."""

LONGEST_ARGS = 100_000
NO_PORTS = "ports cannot be set"
Value = Any
"""What JSON can hold: bool, int, float, or a mapping for signals of type object."""

CommandTime = tuple[int, int]
"""Seconds and nanoseconds: a command's identity."""


class RefusedValueError(ValueError):
    """A command that changes nothing; the text says why."""


@dataclass(frozen=True)
class Signal:
    """What a signal is. `settable`: clients may set it. `low` and `high` bound numbers; None is no bound.

    `type` is bool, int, float or object; `role` input or output, as the robot announces it; `props` and `params` are
    added to its configuration.
    """

    name: str
    type: str
    initial: Value
    role: str
    settable: bool = False
    low: float | None = None
    high: float | None = None
    format: Mapping[str, Value] = field(default_factory=dict)
    props: Mapping[str, Value] = field(default_factory=dict)
    params: Mapping[str, Value] = field(default_factory=dict)

    def value_of(self, given: Value) -> Value:
        """`given` as this signal's type. Raises RefusedValueError where it has another, or lies out of bounds."""
        if self.type == "object":
            if given != self.initial:
                raise RefusedValueError(f"{self.name} can only be {json.dumps(self.initial)}")
            return given
        if isinstance(given, bool) != (self.type == "bool") or not isinstance(given, (bool, int, float)):
            raise RefusedValueError(f"{self.name} takes one {self.type}")
        if self.type == "bool":
            return given
        try:
            number = float(given)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise RefusedValueError(f"{self.name} takes no number that is not finite")
        if (self.low is not None and given < self.low) or (self.high is not None and given > self.high):
            raise RefusedValueError(f"{self.name} goes from {self.low} to {self.high}")
        return round(given) if self.type == "int" else number

    def data_format(self) -> dict[str, Value]:
        """IODataStatus.format."""
        return {"role": self.role, "type": self.type, **self.format}


@dataclass(frozen=True)
class Port:
    """Where a signal meets the hardware: announced in a device's configuration, absent from its state."""

    name: str
    type: str
    role: str
    default: Value = 0
    props: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A `set` command as it was read: `values` to set, and `refusal`, why nothing or not everything of it can be."""

    time: CommandTime
    values: Mapping[str, Value] = field(default_factory=dict)
    refusal: str = ""


def read_command(time: CommandTime, op: str, args: str) -> Command:
    """The command in `op` and the JSON text `args`; bad ones are commands with a refusal. Safe for any text."""
    try:
        wanted = _wanted(op, args)
        return Command(time, _values(wanted), NO_PORTS if wanted.get("ports") else "")
    except (ValueError, RecursionError) as reason:
        return Command(time, refusal=str(reason) or "it is nested too deep")


def _wanted(op: str, args: str) -> dict[str, Any]:
    if op != "set":
        raise RefusedValueError(f"this device knows no command {op[:32]!r}; valid: 'set'")
    if len(args) > LONGEST_ARGS:
        raise RefusedValueError(f"{len(args)} characters are no command")
    wanted = json.loads(args)
    return wanted if isinstance(wanted, dict) else {}


def _values(wanted: Mapping[str, Any]) -> dict[str, Value]:
    signals = wanted.get("signals", {})
    if not isinstance(signals, dict) or not signals:
        raise RefusedValueError(f"it names no signal; {NO_PORTS}")
    values = {}
    for name, entry in signals.items():
        data = entry.get("data") if isinstance(entry, dict) else None
        if not isinstance(data, list) or len(data) != 1:
            raise RefusedValueError(f"{name[:64]} comes without a list of one value")
        values[name] = data[0]
    return values


def read_devices(op: str, args: str) -> list[str] | None:
    """The devices that a node's `activate` command names; None for any other command. Safe for any text."""
    try:
        wanted = json.loads(args) if op == "activate" and len(args) <= LONGEST_ARGS else None
    except (ValueError, RecursionError):
        return None
    devices = wanted.get("devices") if isinstance(wanted, dict) else None
    return devices if isinstance(devices, list) and all(isinstance(name, str) for name in devices) else None


@dataclass(frozen=True)
class DeviceState:
    """Everything an IODeviceStatus tells, as it was at one moment."""

    tag: str
    values: Mapping[str, Value]
    refusals: Mapping[str, str]
    commands: Sequence[CommandTime]
    responses: Sequence[str]


class Device:
    """The device `name` of IO node `node`. `kind` is its type in the configuration; `params` and `props` go there too.

    `on_set` holds what the device does with a value that a client has set: name of the signal to a function of the
    value, called after the value was taken over. One thread uses it; `state()` may be handed to others.
    """

    def __init__(
        self,
        node: str,
        name: str,
        kind: str,
        signals: Sequence[Signal],
        ports: Sequence[Port] = (),
        params: Mapping[str, Value] | None = None,
        props: Mapping[str, Value] | None = None,
    ) -> None:
        self.node, self.name, self.kind = node, name, kind
        self.signals = {signal.name: signal for signal in signals}
        self.ports = tuple(ports)
        self.params, self.props = params or {}, props or {}
        self.on_set: dict[str, Callable[[Value], None]] = {}
        self.tag = READY
        self.version = 0
        """Counts the changes of what `state()` tells."""
        self._values = {signal.name: signal.initial for signal in signals}
        self._refusals: dict[str, str] = {}
        self._commands: deque[tuple[CommandTime, str]] = deque(maxlen=KEPT_COMMANDS)

    def __getitem__(self, name: str) -> Value:
        """The value of signal `name`."""
        return self._values[name]

    def show(self, name: str, value: Value) -> None:
        """The device itself gives its signal `name` another value."""
        if self._values[name] != value:
            self._values[name] = value
            self.version += 1

    def show_tag(self, tag: str) -> None:
        """The device itself becomes ready, unready or error."""
        if self.tag != tag:
            self.tag = tag
            self.version += 1

    def apply(self, command: Command) -> None:
        """Carry out a client's command and acknowledge it; once, although clients repeat it until they are heard."""
        if any(time == command.time for time, _ in self._commands):
            return
        refusals = [command.refusal] if command.refusal else []
        for name, value in command.values.items():
            refusal = self._set(name, value)
            if refusal:
                refusals.append(refusal)
        self._commands.append((command.time, "; ".join(refusals)))
        self.version += 1

    def _set(self, name: str, given: Value) -> str:
        """Set signal `name` to what a client has `given`; why not, or nothing."""
        signal = self.signals.get(name)
        if signal is None:
            return f"{self.name} has no signal {name[:64]}"
        if not signal.settable:
            return f"{name} is not for clients to set"
        try:
            value = signal.value_of(given)
        except RefusedValueError as reason:
            self._refusals[name] = str(reason)
            return str(reason)
        self._refusals.pop(name, None)
        self._values[name] = value
        if name in self.on_set:
            self.on_set[name](value)
        return ""

    def state(self) -> DeviceState:
        """What the device tells now; nothing changes it afterwards."""
        return DeviceState(
            self.tag,
            dict(self._values),
            dict(self._refusals),
            [time for time, _ in self._commands],
            [response for _, response in self._commands],
        )
