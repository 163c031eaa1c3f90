"""YAML read strictly: what could silently mean something else is refused with its line. Called by `config_files`.

A subset of YAML 1.2: mappings with text keys, lists, text, numbers, true and false. Refused: duplicate keys, anchors,
aliases, tags, directives, several documents, missing values, numbers in YAML 1.1 spellings (012, 0x1F, 1_000, 1:30),
non-finite numbers, deep nesting, 10,000 values and files above 256 KiB. `1e3` is a number; `on` and `yes` are text.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from robot_rig.errors import UserError, plain, quoted

MAX_BYTES = 256 * 1024
MAX_DEPTH = 8
MAX_VALUES = 10_000
"""Keys and list items of a document: the whole schema has 200, and ten thousand are read in a quarter of a second."""

MAX_NUMBER_CHARS = 40
MAX_KEY_CHARS = 100

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ALMOST_NUMBER = re.compile(r"[-+]?\.?[0-9][0-9a-fA-FoOxX_.:+-]*|[-+]?\.?(?:nan|inf|infinity)", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_INTEGER_LIMIT = 2.0**53


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and where it stands. `where` reads `file:line` or `--set key=value`."""

    value: Value
    where: str


Value = bool | int | float | str | list[Entry] | dict[str, Entry]


def read_strict(path: Path) -> Entry:
    """The document in `path`. Raises UserError naming file and line for anything outside the subset."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path} is not a file", next_step="give the path of a YAML file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"cannot read {path}: {reason}", next_step="check the path and its permissions") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 1024} KiB", next_step="this is no configuration file")
    return strict_document(path, data)


def strict_document(path: Path, data: bytes) -> Entry:
    """The document in `data`, the content of `path`, which its reader has bounded; raises as `read_strict` does."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8 text", next_step="save the file as UTF-8") from error
    return parse_strict(text, str(path), numbered=str(path))


def parse_strict(text: str, source: str, numbered: str = "") -> Entry:
    """The one document in `text`; `source` names it in errors, with a line number where `numbered` is given."""
    return _Parser(text, numbered or source, bool(numbered)).document()


class _Parser:
    """Consumes parser events one by one, so that a bomb is refused before it is built."""

    def __init__(self, text: str, source: str, numbered: bool) -> None:
        self._text = text
        self._source = source
        self._numbered = numbered
        self._values = 0
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.SafeLoader))

    def document(self) -> Entry:
        try:
            next(self._events)
            start = next(self._events)
            if isinstance(start, yaml.StreamEndEvent):
                raise UserError(f"{self._source} has no keys", next_step="write a key, or leave it out")
            if getattr(start, "version", None) or getattr(start, "tags", None):
                self._refuse(start, "%-directives are not read", "delete the line that begins with %")
            entry = self._value(next(self._events), depth=0)
            next(self._events)
            if not isinstance(extra := next(self._events), yaml.StreamEndEvent):
                self._refuse(extra, "a second document begins here", "keep one document")
        except yaml.YAMLError as error:
            raise self._malformed(error) from error
        return entry

    def _value(self, event: yaml.Event, depth: int) -> Entry:
        self._refuse_reference(event)
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse(event, f"more than {MAX_VALUES} values", "this is no configuration file")
        where = self._where(event)
        if isinstance(event, yaml.MappingStartEvent):
            return Entry(self._mapping(depth), where)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Entry] = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._value(item, depth + 1))
            return Entry(items, where)
        return Entry(self._scalar(event), where)

    def _mapping(self, depth: int) -> dict[str, Entry]:
        result: dict[str, Entry] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            self._refuse_reference(key)
            if not isinstance(key, yaml.ScalarEvent):
                self._refuse(key, "a key must be a name", "write name: value")
            if len(key.value) > MAX_KEY_CHARS:
                self._refuse(key, f"a key of {len(key.value)} characters", "check the quotes and colons")
            if key.value in result:
                first = result[key.value].where
                self._refuse(key, f"duplicate key {quoted(key.value)}, first at {first}", "keep one of the two")
            value = self._value(next(self._events), depth + 1)
            result[key.value] = Entry(value.value, self._where(key))
        return result

    def _scalar(self, event: yaml.Event) -> bool | int | float | str:
        text = str(getattr(event, "value", ""))
        if getattr(event, "style", None):
            return text
        if text in ("", "~") or text.lower() == "null":
            self._refuse(event, "a key without a value", "write a value, '' for empty text, or delete the line")
        if text in ("true", "false"):
            return text == "true"
        if _NUMBER.fullmatch(text):
            return self._number(event, text)
        if _ALMOST_NUMBER.fullmatch(text) and not _DATE.fullmatch(text):
            self._refuse(
                event,
                f"{quoted(text[:MAX_NUMBER_CHARS])} is not a plain decimal number",
                "write it as 10, 0.5 or 1e3; quote it if text is meant",
            )
        return text

    def _number(self, event: yaml.Event, text: str) -> int | float:
        if len(text) > MAX_NUMBER_CHARS:
            self._refuse(event, f"a number of {len(text)} characters", f"use at most {MAX_NUMBER_CHARS}")
        if text.lstrip("+-").isdigit():
            return int(text)
        number = float(text)
        mantissa = re.split("[eE]", text)[0]
        if number in (float("inf"), float("-inf")) or (number == 0.0 and re.search("[1-9]", mantissa)):
            self._refuse(
                event, f"{text!r} does not fit a floating-point number", "use a value between 1e-300 and 1e300"
            )
        # A whole number is handed on as int, so that `1e3` may count steps; float fields take it all the same.
        return int(number) if number.is_integer() and abs(number) < _INTEGER_LIMIT else number

    def _refuse_reference(self, event: yaml.Event) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or anchor:
            told = plain(str(anchor))
            self._refuse(event, f"anchors and aliases are not read (&{told})", "write the value out, or quote it")
        if tag:
            self._refuse(event, f"tags are not read ({plain(str(tag))})", "delete the tag, or quote the text")

    def _where(self, event: yaml.Event) -> str:
        mark = event.start_mark
        return f"{self._source}:{mark.line + 1}" if self._numbered and mark is not None else self._source

    def _refuse(self, event: yaml.Event, problem: str, next_step: str) -> NoReturn:
        raise UserError(f"{self._where(event)}: {problem}", next_step=next_step)

    def _malformed(self, error: yaml.YAMLError) -> UserError:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else self._text.count("\n", 0, getattr(error, "position", 0)) + 1
        where = f"{self._source}:{line}" if self._numbered else self._source
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        return UserError(f"{where}: not valid YAML: {plain(str(reason))}", next_step="compare with `name: value` lines")
