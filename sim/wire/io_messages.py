"""Nodes and devices of the IO framework as messages of one robot software release. Called by `sim.wire.io_network`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import genpy

from robot_rig.ros.intera_messages import InteraTypes
from sim.wire.io_device import ERROR, READY, Device, DeviceState, Port, Signal, Value
from sim.wire.io_robot import IoNode

STATE_RATE_HZ, UPDATE_RATE_HZ = 5.0, 50.0
REVISION = 1
NO_DETAIL = "{}"


def _text(value: Value) -> str:
    return json.dumps(value, separators=(",", ":"))


def _signal(signal: Signal) -> dict[str, Value]:
    props = {"format": signal.data_format(), "name": signal.name, "rev": REVISION, **signal.props}
    return {"params": {"default": [signal.initial], **signal.params}, "props": props}


def _port(port: Port) -> dict[str, Value]:
    form = {"role": port.role, "type": port.type}
    props = {"format": form, "name": port.name, "rev": REVISION, **port.props}
    return {"params": {"default": [port.default]}, "props": props}


def _device(device: Device) -> dict[str, Value]:
    props = {
        "id": f"/io/{device.node}/{device.name}",
        "name": device.name,
        "owner": "system",
        "rev": REVISION,
        "state_pub_rate_hz": STATE_RATE_HZ,
        "type": device.kind,
        "update_rate_hz": UPDATE_RATE_HZ,
        **device.props,
    }
    return {
        "params": device.params,
        "ports": {port.name: _port(port) for port in device.ports},
        "props": props,
        "signals": {name: _signal(signal) for name, signal in device.signals.items()},
    }


def _node(node: IoNode) -> dict[str, Value]:
    props = {"id": f"/io/{node.name}", "name": node.title, "owner": "system", "rev": REVISION}
    return {"params": {}, "plugins": node.plugins, "props": props}


class IoMessages:
    """Makes the messages of one release's classes."""

    def __init__(self, types: InteraTypes) -> None:
        self._types = types

    def _configurations(self, parts: Mapping[str, Value]) -> list[Any]:
        return [self._types.IOComponentConfiguration(name, _text(config)) for name, config in parts.items()]

    def node_configuration(self, node: IoNode, stamp: genpy.Time) -> Any:
        """IONodeConfiguration with the devices that are there."""
        return self._types.IONodeConfiguration(
            time=stamp,
            node=self._types.IOComponentConfiguration(node.title, _text(_node(node))),
            devices=self._configurations({device.name: _device(device) for device in node.devices}),
            plugins=self._configurations(node.plugins),
        )

    def node_status(
        self, node: IoNode, tags: Mapping[str, str], commands: Sequence[genpy.Time], stamp: genpy.Time
    ) -> Any:
        """IONodeStatus; `tags` holds how each device does."""
        status = self._types.IOComponentStatus
        return self._types.IONodeStatus(
            time=stamp,
            node=status(node.title, self._status(READY)),
            devices=[status(name, self._status(tag)) for name, tag in tags.items()],
            commands=list(commands),
        )

    def _status(self, tag: str, detail: str = NO_DETAIL) -> Any:
        return self._types.IOStatus(tag=tag, id="", detail=detail)

    def device_configuration(self, device: Device, stamp: genpy.Time) -> Any:
        """IODeviceConfiguration: as commanded, as upgraded and as it is, which are one here."""
        config = _device(device)
        return self._types.IODeviceConfiguration(
            time=stamp,
            commanded=_text(config),
            upgraded=_text(config),
            device=self._types.IOComponentConfiguration(device.name, _text(config)),
            ports=self._configurations(config["ports"]),
            signals=self._configurations(config["signals"]),
        )

    def device_status(self, device: Device, state: DeviceState, stamp: genpy.Time) -> Any:
        """IODeviceStatus of a device that was in `state`. A signal that refused its last value says why."""
        return self._types.IODeviceStatus(
            time=stamp,
            device=self._types.IOComponentStatus(device.name, self._status(state.tag)),
            signals=[self._data(signal, state) for signal in device.signals.values()],
            commands=[genpy.Time(*time) for time in state.commands],
            responses=list(state.responses),
        )

    def _data(self, signal: Signal, state: DeviceState) -> Any:
        refusal = state.refusals.get(signal.name)
        status = self._status(READY) if refusal is None else self._status(ERROR, _text({"reason": refusal}))
        return self._types.IODataStatus(
            signal.name, _text(signal.data_format()), _text([state.values[signal.name]]), status
        )
