"""A camera whose driver runs in a process of its own, as `interfaces.Camera`: what hangs there is killed from here.

Called by camera_node and `rig doctor` for the RealSense and the OpenCV cameras. A thread takes what the process sends,
keeps the newest picture, and climbs the recovery ladder while none comes; `read` only ever looks at that picture.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, replace

from drivers.camera_device import CameraLost, Source
from drivers.camera_ladder import Ladder, Patience, Rung
from drivers.camera_orders import Order
from drivers.camera_pipe import Facts, Failure, Message, Reader, Shot, Word
from drivers.usb_power import cycle_power
from robot_rig.config import CameraConfig
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError

FIRST_PICTURE_S = 20.0
"""Import of the vendor's library, start, settling of the exposure."""

LOOK_S = 0.02
PIPE_BYTES = 2**20
END_S = 1.0
"""How long a process that was asked to end is waited for before it is killed."""

PROCESS = (sys.executable, "-m", "drivers.camera_process")
"""How the camera's process is started, before the pipe and the source."""

FOCAL_TOLERANCE = 0.03
SAID = {
    Rung.RESTART: "no new picture from {} for a second: its sensor is stopped and started",
    Rung.RESET: "{} still gives no picture: it is reset",
    Rung.KILL: "{} still gives no picture: its process is killed and started anew",
    Rung.POWER: "{} still gives no picture: the power of its USB port is switched off and on",
    Rung.PERSON: "{} gives no picture: replug it into a USB 3 port; it is looked for until it is back",
}

log = logging.getLogger(__name__)


class HeldCamera:
    """The colour pictures of `source`. Raises UserError when it cannot be opened or gives no picture in time.

    `facts` is what the device says of itself; `counts` what was dropped and what was tried to bring it back.
    """

    def __init__(self, source: Source, config: CameraConfig, patience: Patience | None = None) -> None:
        self._source, self._config, self._patience = source, config, patience
        self._arrival = threading.Condition()
        self._frame: RawFrame | None = None
        self._read = 0
        self._failure: Failure | None = None
        self._facts: Facts | None = None
        self._dropped: Counter[str] = Counter()
        self._climbed: Counter[str] = Counter()
        self._number = -1
        self._said = Rung.NONE
        self._failed = self._closed = False
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._thread = threading.Thread(target=self._hold, name="held camera", daemon=True)
        self._thread.start()
        try:
            self._wait_for_first()
            self._compare_focal()
        except UserError:
            self.close()
            raise

    @property
    def facts(self) -> Facts:
        """What the device said of itself when it was last started."""
        assert self._facts is not None, "a camera is made with its first picture, which comes after the facts"
        return self._facts

    @property
    def counts(self) -> dict[str, int]:
        """How often each rung of the ladder was taken and left, and how many pictures were dropped, and why."""
        return dict(self._climbed + self._dropped)

    @property
    def process(self) -> int:
        """The process id of the camera's process of now; 0 while none could be started."""
        return 0 if (child := self._child) is None else child.pid

    def read(self) -> RawFrame:
        """The next picture if it comes within a frame period, else the newest again.

        Raises UserError when it is closed, has ended for good (a recording played to its end), or gives pictures of
        another size than configured.
        """
        with self._arrival:
            self._arrival.wait_for(self._has_news, 1 / self._source.rate_hz)
            if self._closed:
                raise UserError("the camera is closed", next_step="open it again")
            if self._frame is None or (self._failure and self._frame.seq == self._read):
                raise self._refusal()
            self._read = self._frame.seq
            return self._frame

    def close(self) -> None:
        """End the camera's process, by force if need be; may be called twice."""
        with self._arrival:
            self._closed = True
            self._arrival.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()

    # What the reader waits for.

    def _has_news(self) -> bool:
        return self._closed or self._failure is not None or (self._frame is not None and self._frame.seq > self._read)

    def _wait_for_first(self) -> None:
        with self._arrival:
            self._arrival.wait_for(self._has_news, FIRST_PICTURE_S)
            if self._frame is None:
                raise self._refusal()

    def _refusal(self) -> UserError:
        if self._failure is not None:
            return CameraLost(self._failure.code, self._failure.problem, self._failure.next_step)
        because = f" ({', '.join(self._dropped)})" if self._dropped else ""
        return UserError(f"no picture from {self._source.title}{because}", next_step="check the camera and its cable")

    def _compare_focal(self) -> None:
        """Say once where the focal length is not the configured one: that changes what the policy sees, no more."""
        seen, told = self.facts.focal_px, self._config.focal_px
        if seen and abs(seen - told) > FOCAL_TOLERANCE * told:
            log.warning("the camera's focal length is %.1f px, camera.focal_px says %.1f", seen, told)

    # The thread: the only one that starts and ends processes, for the kernel ends a child with the thread behind it.

    def _hold(self) -> None:
        try:
            self._start()
            ladder = Ladder(time.monotonic(), self._patience)
            while not self._closed and self._failure is None:
                self._look()
                # Until the first picture the one who opens the camera has the patience, and is told why at once.
                if self._frame is not None and self._failure is None:
                    now = time.monotonic()
                    rung = ladder.tick(now, self._frame.stamp, self._failed)
                    self._climbed = ladder.counts.copy()
                    self._climb(rung, now)
                    if ladder.rung is Rung.NONE:
                        self._said = Rung.NONE
        finally:
            # Also after what nobody foresaw: who looks must not look at the last picture for ever.
            if not self._closed and self._failure is None:
                self._fail(Failure("the camera's thread has died", "see the traceback above", lasting=True))
            self._end(END_S)

    def _look(self) -> None:
        if not self._reader.ended:
            select.select([self._pipe], [], [], LOOK_S)
        else:
            self._failed = True
            time.sleep(LOOK_S)
        try:
            for message in self._reader.messages():
                self._take(message)
        except ValueError as error:
            log.error("%s", error)
            self._failed = True
        if self._reader.ended and self._frame is None:
            self._fail(Failure("the camera's process has died", "see what it said above", lasting=True))

    def _take(self, message: Message) -> None:
        if isinstance(message, Shot):
            self._take_shot(message)
        elif isinstance(message, Facts):
            self._number = -1
            self._facts = message
            # Whatever is started later is this very device, set as it is now.
            self._source = replace(self._source, device=message.device, locked=message.locked)
        elif isinstance(message, Word):
            log.warning("%s: %s", self._source.title, message.text)
        elif message.lasting or self._frame is None:
            self._fail(message)
        else:
            log.error("%s", message.problem)
            # What an earlier order came to, late, says nothing of the one that is being carried out.
            self._failed = self._failed or message.order == self._ordered

    def _fail(self, failure: Failure) -> None:
        with self._arrival:
            self._failure = failure
            self._arrival.notify_all()

    def _take_shot(self, shot: Shot) -> None:
        height, width = shot.rgb.shape[:2]
        wanted = (self._config.width_px, self._config.height_px)
        if (width, height) != wanted:
            problem = f"{self._source.title} gave {width}x{height} px, expected {wanted[0]}x{wanted[1]}"
            mend = "set camera.width_px and camera.height_px and calibrate again"
            self._fail(Failure(problem, mend, lasting=True, code="image_refused"))
            return
        if shot.number == self._number:
            self._drop("pictures with the number of the one before")
            return
        self._number = shot.number
        with self._arrival:
            if self._frame is not None and shot.stamp <= self._frame.stamp:
                self._drop("pictures exposed before the one before")
                return
            self._frame = RawFrame(self._frame.seq + 1 if self._frame else 1, shot.stamp, shot.rgb)
            self._arrival.notify_all()

    def _drop(self, why: str) -> None:
        # A new counter each time: somebody may be reading the one before.
        self._dropped = self._dropped + Counter([why])

    # The rungs.

    def _climb(self, rung: Rung, now: float) -> None:
        if rung is Rung.NONE:
            return
        if rung is not self._said:
            log.error("%s", SAID[rung].format(self._source.title))
        self._said, self._failed = rung, False
        if rung in (Rung.RESTART, Rung.RESET):
            self._ordered += 1
            self._order(Order(self._ordered, rung.value, now))
            return
        self._end(0.0)
        if rung is Rung.POWER and (problem := cycle_power(self.facts.port)):
            log.error("%s", problem)
        self._start()

    def _order(self, order: Order) -> None:
        try:
            if self._child is not None and self._child.stdin is not None:
                self._child.stdin.write(order.line)
                self._child.stdin.flush()
        except OSError:
            self._failed = True

    def _start(self) -> None:
        inward, outward = os.pipe()
        os.set_blocking(inward, False)
        # Room for a whole picture, where permitted: one change of process for each instead of fifteen.
        with contextlib.suppress(OSError):
            fcntl.fcntl(inward, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        command = [*PROCESS, str(outward), json.dumps(asdict(self._source))]
        self._pipe, self._reader, self._ordered = inward, Reader(inward), 0
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[outward])
        except OSError as error:
            # With nobody who holds its other end the pipe has ended, as that of a process that died.
            log.error("the camera's process cannot be started: %s", error)
        finally:
            os.close(outward)

    def _end(self, patience: float) -> None:
        """Let the process end in peace within `patience`, so that the device is not left streaming, else kill it."""
        child, self._child = self._child, None
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)
        if child is None or child.stdin is None:
            return
        # What was not flushed to a dead process is of no use to anybody.
        with contextlib.suppress(OSError):
            child.stdin.close()
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            # The kernel itself may hang over a USB device; then the process stays, and the next one has its chance.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(END_S)
