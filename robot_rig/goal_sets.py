"""Named sets of goals, for evaluation: FOLDER/sets/NAME.yaml says which goals, and which picture each of them is.

Called by the command line. An exam on a set must ask the same questions next month, so a set remembers the digest of
every picture: a goal that was deleted, or taken anew under its old name, breaks it aloud.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from robot_rig.disk import unwritable, write_atomically
from robot_rig.errors import UserError, quoted
from robot_rig.goal_library import NAME, GoalLibrary, StoredGoal
from robot_rig.stranger_files import read_regular
from robot_rig.strict_yaml import MAX_BYTES, Entry, strict_document

FORMAT = 1
FOLDER = "sets"
MOST_GOALS = 2000
"""In a set; what is read is bounded, whoever wrote it."""

KEYS = ("format", "goals")


class GoalSets:
    """The sets of `library`. The first one that is made makes their folder."""

    def __init__(self, library: GoalLibrary) -> None:
        self.library = library
        self.folder = library.folder / FOLDER

    def names(self) -> list[str]:
        """The names of all sets, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.yaml") if NAME.fullmatch(path.stem))

    def make(self, name: str, members: Sequence[str]) -> list[StoredGoal]:
        """Call the goals `members` the set `name`, in this order; returns them.

        Raises UserError for a name that is taken or no name, a goal that is named twice, missing or of another
        calibration, and for a disk that refuses.
        """
        self._refuse_name(name)
        path = self.folder / f"{name}.yaml"
        if path.exists():
            raise UserError(
                f"there is a set {name!r} already",
                next_step="an exam on it would ask something else: choose another name, or delete it",
            )
        if not 0 < len(members) <= MOST_GOALS:
            raise UserError(f"a set of {len(members)} goals is none", next_step=f"name 1 to {MOST_GOALS} goals")
        if twice := sorted({member for member in members if members.count(member) > 1}):
            raise UserError(f"{', '.join(twice[:3])} would be in the set twice", next_step="name each goal once")
        goals = [self.library.load(member) for member in members]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        lines = [
            f"format: {FORMAT}",
            "goals:",
            *(f"  {_quoted(one.name)}: {_quoted(one.note.sha256)}" for one in goals),
        ]
        write_atomically(path, ("\n".join(lines) + "\n").encode())
        return goals

    def members(self, name: str) -> dict[str, str]:
        """Goal -> digest of its picture, in the set's order. Raises UserError for no set, or one that is damaged."""
        self._refuse_name(name)
        path = self.folder / f"{name}.yaml"
        if not path.exists() and not path.is_symlink():
            raise UserError(
                f"there is no set {name!r} in {self.folder}",
                choices=self.names(),
                next_step=f"make it with `rig goals sets {name} --of GOAL GOAL ...`",
            )
        said = strict_document(path, read_regular(path, "set of goals", MAX_BYTES)).value
        found = said if isinstance(said, dict) else {}
        version, goals = (child.value if isinstance(child := found.get(key), Entry) else None for key in KEYS)
        if type(version) is int and version != FORMAT:
            raise UserError(
                f"{path} has format {quoted(version)}, and this is {FORMAT}", next_step="make the set again"
            )
        sound = type(version) is int and set(found) == set(KEYS)
        members = {key: child.value for key, child in goals.items()} if sound and isinstance(goals, dict) else {}
        whole = all(NAME.fullmatch(key) and isinstance(value, str) for key, value in members.items())
        if not whole or not 0 < len(members) <= MOST_GOALS:
            raise UserError(f"{path} is no set of goals", next_step="delete it, and make the set again")
        return {key: str(value) for key, value in members.items()}

    def load(self, name: str) -> list[StoredGoal]:
        """The goals of the set `name`, in its order.

        Raises UserError when one is missing, damaged, of another calibration, or not the picture that it was.
        """
        goals = []
        for member, digest in self.members(name).items():
            try:
                goal = self.library.load(member)
            except UserError as error:
                raise UserError(
                    f"the set {name!r} is broken: {error.problem}", next_step=error.next_step or "make the set again"
                ) from error
            if goal.note.sha256 != digest:
                raise UserError(
                    f"the set {name!r} is broken: {member} is another picture than it was when the set was made",
                    next_step="make a new set of today's pictures, under another name",
                )
            goals.append(goal)
        return goals

    def holding(self, goal: str) -> list[str]:
        """The sets that the goal is in. Raises UserError for a set that cannot be read, for nobody knows then."""
        return [name for name in self.names() if goal in self.members(name)]

    def delete_goal(self, goal: str) -> None:
        """Remove the goal from the library. Raises UserError when there is none, or a set would be broken."""
        if sets := self.holding(goal):
            one = sets[0]
            raise UserError(
                f"{goal} is in the set{'s' * (len(sets) > 1)} {', '.join(sets[:5])}, which would be broken",
                next_step=f"delete the set first: `rig goals sets {one} --delete`",
            )
        self.library.delete(goal)

    def delete(self, name: str) -> None:
        """Remove the set `name`, however damaged; its goals stay. Raises UserError when there is none."""
        self._refuse_name(name)
        path = self.folder / f"{name}.yaml"
        if not path.exists() and not path.is_symlink():
            raise UserError(f"there is no set {name!r} in {self.folder}", choices=self.names())
        try:
            path.unlink()
        except OSError as error:
            raise UserError(f"cannot delete {path}: {error.strerror}", next_step="remove it by hand") from error

    @staticmethod
    def _refuse_name(name: str) -> None:
        if not NAME.fullmatch(name):
            raise UserError(
                f"{name[:80]!r} is no name for a set",
                next_step="use up to 60 letters, digits, - and _, as in table-corners",
            )


def _quoted(text: str) -> str:
    """JSON is YAML, and quotes every text: a goal may be called 012 or yes."""
    return json.dumps(text)
