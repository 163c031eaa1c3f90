"""Local folders for a learner whose data or results lie on another machine, and who carries them. Called by `follow`.

A remote folder has a local twin below runs/mirror. The robot's log is fetched into the one, checkpoints are brought
from the other; the learner works in both as if there were no other machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rich.console import Console

from robot_rig.cli.progress import Advance, stage_bar
from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.run_mark import MARK_FILE
from robot_rig.transport.address import Address, Machine
from robot_rig.transport.carrier import Carrier, Errand
from robot_rig.transport.pull import Pull
from robot_rig.transport.push import Push
from robot_rig.transport.ssh import Ssh
from robot_rig.transport.thin import Thin

LOOK_S = 0.1
"""How often it is asked how far a transfer has come."""


class Carriage:
    """The local folders `data` and `out` of what a person named so; a context manager that ends all transfers.

    Of the checkpoints in `out` on another machine it keeps the newest `keep` and what `stages.retention` says beside.
    Raises UserError for what is no folder and no address, and when a machine does not let us in.
    """

    def __init__(self, data: str, out: str, patience: float, console: Console, keep: int) -> None:
        self._console, self._clock, self._keep = console, WallClock(), keep
        self._carriers: list[Carrier] = []
        source, target = Address.read(data), Address.read(out)
        self.named = data
        self.data = Path(data) if source is None else source.mirror()
        self.out = Path(out) if target is None else target.mirror()
        machines = dict.fromkeys(address.machine for address in (source, target) if address is not None)
        try:
            for machine in machines:
                self._carriers.append(self._carrier(machine, source, target))
            for carrier in self._carriers:
                carrier.meet(patience)
        except BaseException:
            self.close()
            raise
        for carrier in self._carriers:
            carrier.start()

    def _carrier(self, machine: Machine, source: Address | None, target: Address | None) -> Carrier:
        ssh, errands = Ssh(machine), list[Errand]()
        if source is not None and source.machine == machine:
            errands.append(Pull(ssh, source, self.data, self._say))
            self._say(f"fetches {source} into {self.data}")
        if target is not None and target.machine == machine:
            errands.append(Push(ssh, target, self.out, self._say))
            robots = [source.path] if source is not None and source.machine == machine else []
            errands.append(Thin(ssh, target, self.out, self._keep, robots, self._say))
            self._say(f"works in {self.out}; its checkpoints go to {target}")
        return Carrier(ssh, errands, self._say)

    def require_sound(self) -> None:
        """Raise UserError when a transfer has failed for a reason that waiting does not mend."""
        for carrier in self._carriers:
            carrier.require_sound()

    def catch_up(self) -> None:
        """Return when all that lies here or there by now has been carried, however long the link takes.

        Raises as `require_sound` does.
        """
        for carrier in self._carriers:
            is_done, total = carrier.ask(), carrier.behind
            if total == 0:
                self._await(carrier, is_done, _no_bar, 0)
                continue
            with stage_bar(self._console, f"{carrier.name}: {carrier.what_is_behind()}", total) as advance:
                self._await(carrier, is_done, advance, total)

    def no_run(self, error: UserError) -> UserError:
        """The `error` of whoever found no run in `data`, about what a person has named."""
        if self.data == Path(self.named) or (self.data / MARK_FILE).exists():
            return error
        return UserError(
            f"there is no run in {self.named}", next_step="name the folder that the robot's recorder logs into"
        )

    def _await(self, carrier: Carrier, is_done: Callable[[], bool], advance: Advance, total: int) -> None:
        shown = -1
        while not is_done():
            carrier.require_sound()
            left = carrier.behind
            if left != shown:
                shown = left
                advance(max(0, total - left), "")
            self._clock.sleep_until(self._clock.now() + LOOK_S)

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """End all transfers; what has broken off goes on next time."""
        for carrier in self._carriers:
            carrier.close()

    def __enter__(self) -> Carriage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _no_bar(done: int, note: str) -> None:
    """Nothing is to be seen."""
