"""A bad line between two programs on this machine: it delays, throttles, drops and loses TCP connections.

Called by rows 29 and 30 and by tests/transport.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading

CHUNK = 32 * 1024
AGAIN_S = 0.4
"""What a lost piece costs: TCP sends it again after about as long, twice a round trip of 0.2 s."""


class Relay:
    """Forwards a loopback port of its own to `target`.

    delay_s: how long each piece of up to 32 kB is on its way. rate: bytes/s, of each direction of a connection.
    loss: share of pieces that come late, as a lost one does. drop_after: bytes after which a connection is broken; 0:
    never. `cut` breaks all and lets nobody in, `freeze` lets them stand and forwards nothing, as a cable that is out;
    `mend` ends both. `carried` counts bytes, `late` the pieces that were lost, `dropped` the connections that broke.
    """

    def __init__(
        self, target: int, delay_s: float = 0.0, rate: float = 0.0, drop_after: int = 0, loss: float = 0.0
    ) -> None:
        self._target = target
        self.delay_s, self.rate, self.drop_after, self.loss = delay_s, rate, drop_after, loss
        self._pause = threading.Event()
        self.carried = self.late = self.dropped = 0
        self._flowing = threading.Event()
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Let everything through again."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        self._flowing.set()

    def freeze(self) -> None:
        """Forward nothing more, and say so to nobody."""
        self._flowing.clear()

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # A thread that waits in accept keeps a closed socket alive.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in self._open:
            _break(end)
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                self._flowing.wait()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _break(near)
                    continue
                self._open += [near, far]
                left = [self.drop_after]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink, left), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, left: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                lost = random.random() < self.loss
                self.late += lost
                late_s = AGAIN_S if lost else 0.0
                self._pause.wait(self.delay_s + late_s + (len(data) / self.rate if self.rate else 0.0))
                self._flowing.wait()
                sink.sendall(data)
                self.carried += len(data)
                left[0] -= len(data)
                if self.drop_after and left[0] <= 0:
                    self.dropped += 1
                    break
        for end in (source, sink):
            _break(end)


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
