"""Configuration on disk: YAML overlays and `--set key=value` onto the schema, and the resolved result back as YAML.

Called by the command line, the nodes and `robot_rig.runs`. Later overlays win, `--set` wins over files; a list replaces
a list. Types are strict: no text for a number, no 1.5 for a count, no 1 for true.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from robot_rig import __version__
from robot_rig.config import Config
from robot_rig.errors import UserError, quoted
from robot_rig.strict_yaml import Entry, parse_strict, read_strict

PRESET_FOLDER = Path(__file__).parent / "configs"

Key = tuple[str, ...]
Leaves = dict[Key, Entry]


def presets() -> tuple[str, ...]:
    """Names of the overlays that come with robot-rig."""
    return tuple(sorted(path.stem for path in PRESET_FOLDER.glob("*.yaml")))


def load_config(overlays: Sequence[str | Path], sets: Sequence[str]) -> Config:
    """The schema's defaults with `overlays` (paths, or names of presets) and then `sets` ("a.b=c") laid over them.

    Raises UserError that names file:line (or the --set), the key, what it may be and the next step.
    """
    leaves: Leaves = {}
    for overlay in overlays:
        path = _find(overlay)
        leaves.update(_leaves(read_strict(path), Config, (), str(path)))
    chosen: Leaves = {}
    for text in sets:
        for key, entry in _parse_set(text).items():
            if key in chosen:
                raise UserError(f"--set {text}: {'.'.join(key)} is set twice", next_step=f"drop {chosen[key].where}")
            chosen[key] = entry
    return _validate(leaves | chosen)


def dump_config(config: Config) -> str:
    """All values of `config` as YAML that `load_config` reads back to an equal one, under version, preset and hash."""
    header = f"# robot-rig {__version__}, preset {config.preset}, config {config.hash()}"
    return "\n".join([header, *_lines(config, Config, "", described=False)]) + "\n"


def describe_config() -> str:
    """The schema as a commented YAML file of all defaults, with meaning, unit and range of every key."""
    header = [
        "# Every key with its default. Generated from robot_rig/config.py by `make configs`; do not edit.",
        "# Write an overlay of the lines that you want to change and give it with --config, or use --set key=value.",
    ]
    return "\n".join([*header, *_lines(Config(), Config, "", described=True)]) + "\n"


def _find(overlay: str | Path) -> Path:
    name = str(overlay)
    if name in presets():
        return PRESET_FOLDER / f"{name}.yaml"
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(
            f"there is no preset {name!r}{_nearest(name, presets())}",
            choices=presets(),
            next_step="or give the path of a .yaml file",
        )
    return path


def _parse_set(text: str) -> Leaves:
    where = f"--set {text}"
    dotted, equals, value = text.partition("=")
    key = tuple(part.strip() for part in dotted.split("."))
    if not equals or not all(key):
        raise UserError(f"{where}: not of the form key=value", next_step="write for example --set vae.beta=2")
    if re.search(r"(^|\s)#|[\r\n]", value):
        raise UserError(f"{where}: the value holds a comment or a line break", next_step="quote it inside the value")
    if not value.strip():
        raise UserError(f"{where}: no value", next_step=f"write --set \"{dotted}=''\" for empty text")
    entry = Entry(parse_strict(value, where).value, where)
    for part in reversed(key):
        entry = Entry({part: entry}, where)
    return _leaves(entry, Config, (), where)


def _leaves(entry: Entry, schema: type[BaseModel], prefix: Key, source: str) -> Leaves:
    """The values of a document by their full key, after checking every name and nesting against the schema."""
    if not isinstance(entry.value, dict):
        name = ".".join(prefix) or source
        raise UserError(
            f"{entry.where}: {name} must hold named keys, not a bare value",
            choices=schema.model_fields,
            next_step="write key: value lines, indented below their section",
        )
    result: Leaves = {}
    for name, child in entry.value.items():
        key = (*prefix, name)
        field = schema.model_fields.get(name)
        if field is None:
            raise _unknown(key, schema, child.where)
        section = _section(field)
        if section is not None:
            result.update(_leaves(child, section, key, source))
        elif isinstance(child.value, dict):
            raise _invalid(key, child, field)
        else:
            result[key] = child
    return result


def _validate(leaves: Leaves) -> Config:
    values: dict[str, Any] = {}
    for key, entry in leaves.items():
        section = values
        for part in key[:-1]:
            section = section.setdefault(part, {})
        section[key[-1]] = _plain(entry)
    try:
        # JSON mode, because only there strictness still takes a list for a tuple.
        return Config.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise _explain(error, leaves) from error


def _plain(entry: Entry) -> Any:
    if isinstance(entry.value, list):
        return [_plain(item) for item in entry.value]
    if isinstance(entry.value, dict):
        return {name: _plain(item) for name, item in entry.value.items()}
    return entry.value


def _explain(error: ValidationError, leaves: Leaves) -> UserError:
    first = error.errors(include_url=False)[0]
    location = tuple(str(part) for part in first["loc"])
    for length in range(len(location), 0, -1):
        key = location[:length]
        if key in leaves:
            return _invalid(key, leaves[key], _field(key))
    # A rule between keys: no single line is wrong, so all lines that took part are named.
    inside = {key: entry for key, entry in leaves.items() if key[: len(location)] == location}
    named = {key: entry for key, entry in inside.items() if key[-1] in first["msg"]} or inside
    places = ", ".join(dict.fromkeys(entry.where for entry in named.values()))
    message = first["msg"].removeprefix("Value error, ")
    about = ": ".join(filter(None, [places, ".".join(location), message]))
    return UserError(about, next_step="change these keys together")


def _unknown(key: Key, schema: type[BaseModel], where: str) -> UserError:
    name = key[-1]
    elsewhere = [".".join(path) for path, _ in _all_fields(Config, ()) if path[-1] == name]
    hint = _nearest(name, schema.model_fields)
    if elsewhere and not hint:
        hint = f" (did you mean {' or '.join(elsewhere)}?)"
    section = f"keys of {'.'.join(key[:-1])}" if len(key) > 1 else "top-level keys"
    return UserError(
        f"{where}: unknown key {quoted('.'.join(key))}{hint}",
        choices=schema.model_fields,
        next_step=f"use one of the {section}, see robot_rig/configs/default.yaml",
    )


def _invalid(key: Key, entry: Entry, field: FieldInfo) -> UserError:
    given = json.dumps(_plain(entry))
    shown = given if len(given) <= 60 else given[:57] + "..."
    nearest = ""
    if get_origin(field.annotation) is Literal and isinstance(entry.value, str):
        nearest = _nearest(entry.value, [str(choice) for choice in get_args(field.annotation)])
    return UserError(
        f"{entry.where}: {'.'.join(key)} cannot be {shown}{nearest}",
        next_step=f"give {_expectation(field.annotation, field.metadata)}"
        + (f" ({field.description})" if field.description else ""),
    )


def _nearest(name: str, choices: Sequence[str] | Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(choices), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _all_fields(schema: type[BaseModel], prefix: Key) -> Iterator[tuple[Key, FieldInfo]]:
    for name, field in schema.model_fields.items():
        section = _section(field)
        if section is None:
            yield (*prefix, name), field
        else:
            yield from _all_fields(section, (*prefix, name))


def _field(key: Key) -> FieldInfo:
    return dict(_all_fields(Config, ()))[key]


def _expectation(kind: Any, metadata: Sequence[Any]) -> str:
    """What a key takes, in words: "a number above 0 and at most 0.25"."""
    if get_origin(kind) is Annotated:
        kind, *notes = get_args(kind)
        metadata = [limit for note in notes for limit in getattr(note, "metadata", [note])]
    limits = {
        name: getattr(item, name) for item in metadata for name in _LIMITS if getattr(item, name, None) is not None
    }
    if get_origin(kind) is Literal:
        return f"one of {', '.join(str(choice) for choice in get_args(kind))}"
    if get_origin(kind) is tuple:
        item, *rest = get_args(kind)
        count = str(len(rest) + 1)
        if Ellipsis in rest:
            count = f"{limits.get('min_length', 0)} to {limits.get('max_length', 'any number')}"
        return f"a list of {count}, each {_expectation(item, [])}"
    bounds = " and ".join(f"{words} {limits[name]}" for name, words in _LIMITS.items() if words and name in limits)
    pattern = f"matching {limits['pattern']}" if "pattern" in limits else ""
    return " ".join(filter(None, [_KINDS[kind], bounds, pattern]))


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_LIMITS = {
    "gt": "above",
    "ge": "at least",
    "lt": "below",
    "le": "at most",
    "min_length": "",
    "max_length": "",
    "pattern": "",
}


def _lines(values: BaseModel, schema: type[BaseModel], indent: str, described: bool) -> Iterator[str]:
    for name, field in schema.model_fields.items():
        value, section = getattr(values, name), _section(field)
        if section is not None:
            yield from ["", f"{indent}# {section.__doc__}"] if described else []
            yield f"{indent}{name}:"
            yield from _lines(value, section, indent + "  ", described)
            continue
        if described:
            meaning = f"{field.description}; " if field.description else ""
            yield f"{indent}# {meaning}{_expectation(field.annotation, field.metadata)}"
        yield f"{indent}{name}: {_yaml(value)}"


def _yaml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_yaml(item) for item in value)}]"
    if isinstance(value, str):
        quoted = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=2**31)
        return str(quoted).rstrip("\n")
    return json.dumps(value)
