"""The Intera message definitions of each robot software release, read from `intera_fields.yaml`; needs no ROS.

Called by `intera_messages`, which makes Python classes of them, and by whoever must tell a release by an md5.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from robot_rig.errors import UserError

FIELDS = Path(__file__).with_name("intera_fields.yaml")
ACTION_PARTS = {
    "ActionGoal": "Header header\nactionlib_msgs/GoalID goal_id\n{0}Goal goal\n",
    "ActionResult": "Header header\nactionlib_msgs/GoalStatus status\n{0}Result result\n",
    "ActionFeedback": "Header header\nactionlib_msgs/GoalStatus status\n{0}Feedback feedback\n",
    "Action": "{0}ActionGoal action_goal\n{0}ActionResult action_result\n{0}ActionFeedback action_feedback\n",
}


class Kind(enum.Enum):
    """What a definition is: a message, a whole service, or a service's request or response."""

    MESSAGE = "message"
    SERVICE = "service"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Definition:
    """One type of one release. `text` is what its md5 is made of; of a service, request and response around a `---`."""

    package: str
    name: str
    kind: Kind
    md5: str
    text: str

    @property
    def full_name(self) -> str:
        """`package/Name`, as ROS writes it."""
        return f"{self.package}/{self.name}"


Definitions = Mapping[str, Definition]


def releases() -> tuple[str, ...]:
    """The robot software releases whose messages are known, newest first."""
    return tuple(_all_releases())


def definitions(release: str) -> Definitions:
    """All definitions of `release` by their short name. Raises UserError for an unknown release."""
    every = _all_releases()
    if release not in every:
        raise UserError(
            f"robot software release {release!r} is not known",
            choices=every,
            next_step="take the one whose md5 sums the robot's topics have",
        )
    return every[release]


def definition(release: str, type_name: str) -> Definition:
    """The definition of `Name` or `package/Name` in `release`.

    Raises UserError when the release has no such type, with the releases that have it.
    """
    found = definitions(release).get(type_name.rpartition("/")[2])
    if found is not None and type_name in (found.name, found.full_name):
        return found
    having = [other for other, types in _all_releases().items() if type_name.rpartition("/")[2] in types]
    if not having:
        raise UserError(
            f"there is no Intera type {type_name!r}", next_step="look it up in robot_rig/ros/intera_fields.yaml"
        )
    raise UserError(
        f"robot software {release} has no {type_name}, which belongs to {', '.join(having)}",
        next_step="load the release that the robot runs, or do without this type",
    )


def md5(release: str, type_name: str) -> str:
    """The published md5 sum of `Name` or `package/Name` in `release`; UserError when the release lacks it."""
    return definition(release, type_name).md5


def fitting_releases(observed: Mapping[str, str]) -> tuple[str, ...]:
    """Releases, newest first, in which every observed type (`Name` or `package/Name`) has the observed md5.

    Several fit when the observed types did not change between them: the newest is then as good as any.
    Raises UserError when none fits.
    """
    wanted = {name.rpartition("/")[2]: observed_md5 for name, observed_md5 in observed.items()}
    fitting = tuple(
        release
        for release, types in _all_releases().items()
        if all(name in types and types[name].md5 == seen for name, seen in wanted.items())
    )
    if not fitting:
        seen = ", ".join(f"{name} {observed_md5}" for name, observed_md5 in sorted(wanted.items()))
        raise UserError(
            f"the robot's messages belong to no known release ({seen})",
            choices=releases(),
            next_step="compare the robot's software version with these; a new one needs its message definitions here",
        )
    return fitting


@functools.cache
def _all_releases() -> Mapping[str, Definitions]:
    table = yaml.safe_load(FIELDS.read_text(encoding="utf-8"))
    types = dict(_definitions(table["packages"], {}))
    every = {table["newest"]: MappingProxyType(types)}
    for step in table["older"]:
        lost = set(step.get("gone", ()))
        packages = set(step.get("gone_packages", ()))
        kept = {name: one for name, one in types.items() if name not in lost and one.package not in packages}
        types = kept | dict(_definitions(step["packages"], kept))
        every[step["release"]] = MappingProxyType(types)
    return MappingProxyType(every)


def _definitions(packages: Mapping[str, Any], newer: Mapping[str, Definition]) -> Iterator[tuple[str, Definition]]:
    for package, kinds in packages.items():
        for name, row in kinds.get("messages", {}).items():
            text = row["text"] if "text" in row else newer[name].text
            yield name, Definition(package, name, Kind.MESSAGE, row["md5"], text)
        for name, row in kinds.get("services", {}).items():
            text = row["text"] if "text" in row else newer[name].text
            yield name, Definition(package, name, Kind.SERVICE, row["md5"], text)
            request, response = text.split("---\n")
            yield f"{name}Request", Definition(package, f"{name}Request", Kind.PART, row["request_md5"], request)
            yield f"{name}Response", Definition(package, f"{name}Response", Kind.PART, row["response_md5"], response)
        for action, row in kinds.get("actions", {}).items():
            for part, text in ACTION_PARTS.items():
                sum_ = row[f"{part.removeprefix('Action').lower() or 'action'}_md5"]
                yield action + part, Definition(package, action + part, Kind.MESSAGE, sum_, text.format(action))
