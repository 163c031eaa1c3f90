"""The process that a camera's driver runs in, alone, so that it can be killed: the vendors' libraries can hang.

    python -m drivers.camera_process 5 '{"kind": "realsense", ...}'    pictures to the pipe 5, orders from stdin
    python -m drivers.camera_process list                              the RealSenses that are plugged in, one a line

Started by `held_camera` and, for the list, by `rig doctor`.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time

from drivers.camera_device import Device, Source
from drivers.camera_orders import START, Order, OrderBook, read_order
from drivers.camera_pipe import Failure, Writer
from robot_rig.errors import UserError

WAIT_S = 0.1
GRACE_S = 0.5
"""What the device is given to stop in when nobody wants pictures any more."""

PR_SET_PDEATHSIG = 1


def device_of(source: Source) -> Device:
    """The driver for `source`. Raises UserError when its library is missing."""
    # Each in its own branch: neither library is loaded for the other's sake.
    if source.kind == "realsense":
        from drivers.realsense import RealSense

        return RealSense(source)
    from drivers.opencv_camera import OpenCvDevice

    return OpenCvDevice(source)


def serve(device: Device, writer: Writer, orders: OrderBook) -> None:
    """Send pictures and carry out orders until the end is ordered or nobody reads any more."""
    order: Order | None = START
    try:
        while not orders.ended:
            if order is not None and _carry_out(order, device, writer):
                orders.started(time.monotonic())
            try:
                shot = device.wait(WAIT_S)
            except UserError as error:
                writer.send(Failure(error.problem, error.next_step, lasting=True))
                return
            if shot is not None:
                writer.send(shot)
                orders.shown(shot)
            order = orders.due(time.monotonic())
        device.stop()
    except BrokenPipeError:
        # Whoever looked has gone; there is nobody to tell.
        device.stop()
    except RuntimeError as error:
        # What a vendor's library has to say when it can do no more: another process may do better.
        writer.send(Failure(f"the camera's library gave up ({error})", "replug it", lasting=False))


def _carry_out(order: Order, device: Device, writer: Writer) -> bool:
    """Start, restart or reset the device, and say how that went. Whether it has started."""
    try:
        if order.word == "restart":
            device.stop()
        writer.send(device.reset() if order.word == "reset" else device.start())
    except UserError as error:
        # Never lasting: who has seen pictures tries again whatever it was. A device that comes back from a reset may
        # be there by half, or as USB 2, before it is there as it was.
        writer.send(Failure(error.problem, error.next_step, lasting=False, order=order.number))
        return False
    return True


def listen(orders: queue.Queue[Order | None]) -> None:
    """Pass each line of stdin on; at its end, end this process, in peace or else by force."""
    for line in sys.stdin:
        orders.put(read_order(line))
    orders.put(None)
    time.sleep(GRACE_S)
    os._exit(1)


def list_realsenses() -> int:
    """One line for each, or why the library cannot look, and then 2."""
    from drivers.realsense import plugged_in

    try:
        lines, code = plugged_in(), 0
    except UserError as error:
        lines, code = [str(error)], 2
    os.write(1, "".join(f"{line}\n" for line in lines).encode())
    return code


def main() -> int:
    """Run the process; returns the exit code."""
    if sys.argv[1:] == ["list"]:
        return list_realsenses()
    pipe, source = int(sys.argv[1]), Source(**json.loads(sys.argv[2]))
    # A hanging library must not outlive the one who looks, and Ctrl-C is for that one alone.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever the library has to say, it does not say it among the words of a command.
    os.dup2(2, 1)
    orders: queue.Queue[Order | None] = queue.Queue()
    threading.Thread(target=listen, args=(orders,), daemon=True).start()
    writer = Writer(pipe)
    try:
        device = device_of(source)
    except UserError as error:
        writer.send(Failure(error.problem, error.next_step, lasting=False))
        return 2
    serve(device, writer, OrderBook(orders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
