"""What was calibrated, on disk: one dated YAML file for each time and kind, in a folder for each camera's serial.

    calibrations/SERIAL/intrinsics-20260131T120000Z.yaml

Nothing is overwritten: the newest of a kind counts, and the older ones show what has changed. Written by `rig
calibrate`, read by it, by the check at every start (`calibration.check`) and by people.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from calibration.records import FORMAT, KINDS, SERIAL, EyeRecord, Record
from robot_rig.datatypes import Bytes
from robot_rig.disk import appearing, write_atomically
from robot_rig.errors import UserError
from robot_rig.stranger_files import open_regular, read_regular, sha256_of
from robot_rig.strict_yaml import Entry, read_strict
from robot_rig.vision import decode_picture, save_picture

STAMP = "%Y%m%dT%H%M%SZ"
PICTURE_LIMIT = 8 * 2**20
Kind = TypeVar("Kind", bound=Record)


class Results:
    """The results in `folder`, of all cameras."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def serials(self) -> list[str]:
        """The cameras that have a result, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name for path in self.folder.iterdir() if SERIAL.fullmatch(path.name) and self._of(path.name)
        )

    def newest(self, serial: str, kind: type[Kind]) -> Kind | None:
        """The newest result of this kind of the camera `serial`; None where there is none.

        Raises UserError for a file that is damaged or says that it is another camera's.
        """
        paths = sorted(path for path in self._of(serial) if path.name.startswith(f"{kind.kind_name}-"))
        return read_record(paths[-1], kind) if paths else None

    def history(self, serial: str, kind: type[Kind]) -> list[Kind]:
        """All results of this kind of the camera `serial`, the newest last. Raises UserError as `newest` does."""
        paths = sorted(path for path in self._of(serial) if path.name.startswith(f"{kind.kind_name}-"))
        return [read_record(path, kind) for path in paths]

    def keep(self, record: Record) -> Path:
        """Write `record` beside the others of its camera. Raises UserError when it is there, or the disk refuses."""
        path = self.folder / record.serial / f"{record.kind_name}-{_stamp(record.taken)}.yaml"
        # JSON is YAML, and quotes every text.
        lines = [f"{key}: {json.dumps(value)}" for key, value in record.model_dump(mode="json").items()]
        with appearing(path) as fresh:
            write_atomically(fresh, ("\n".join(lines) + "\n").encode())
        return path

    def keep_reference(self, serial: str, taken: str, rgb: Bytes) -> tuple[str, str]:
        """Write the reference picture `rgb` of an eye; returns its name and its SHA-256, for the record."""
        name = f"{EyeRecord.kind_name}-{_stamp(taken)}.png"
        path = self.folder / serial / name
        with appearing(path) as fresh:
            save_picture(fresh, rgb)
        with open_regular(path, "picture") as file:
            return name, sha256_of(file)

    def reference(self, eye: EyeRecord) -> Bytes:
        """The reference picture uint8 (H, W, 3) of `eye`. Raises UserError when it is missing or another."""
        path = self.folder / eye.serial / eye.reference
        content = read_regular(path, "picture", PICTURE_LIMIT)
        if hashlib.sha256(content).hexdigest() != eye.sha256:
            raise UserError(
                f"{path} is not the picture that was calibrated with", next_step="`rig calibrate crop` anew"
            )
        return decode_picture(str(path), content, eye.size)

    def _of(self, serial: str) -> list[Path]:
        return [path for path in (self.folder / serial).glob("*.yaml") if path.name.partition("-")[0] in KINDS]


def now() -> str:
    """The time as records carry it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def check_serial(serial: str) -> str:
    """`serial` itself. Raises UserError for what cannot be a camera's serial number."""
    if not SERIAL.fullmatch(serial):
        raise UserError(
            f"{serial[:80]!r} is no serial number of a camera",
            next_step="give it as --serial, up to 64 letters, digits, '.', '_' and '-', as it stands on the camera",
        )
    return serial


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """The result in `path`. Raises UserError that names what is wrong in it."""
    plain = _plain(read_strict(path))
    again = f"calibrate again with `rig calibrate`, or move {path.name} away"
    if isinstance(plain, dict) and type(version := plain.get("format")) is int and version != FORMAT:
        raise UserError(f"{path} has format {version}, and this is {FORMAT}", next_step=again)
    # What every record says must be said: the schema would take it for granted.
    said = {"format": None, "kind": None, **plain} if isinstance(plain, dict) else plain
    try:
        record = kind.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        wrong = sorted({".".join(map(str, one["loc"])) or "all of it" for one in error.errors()})
        raise UserError(f"{path} is no result of a calibration: see {', '.join(wrong[:5])}", next_step=again) from error
    if record.serial != path.parent.name:
        raise UserError(f"{path} is of the camera {record.serial}", next_step=f"move it to the folder {record.serial}")
    return record


def _stamp(taken: str) -> str:
    return datetime.datetime.fromisoformat(taken).strftime(STAMP)


def _plain(entry: Entry) -> Any:
    if isinstance(entry.value, list):
        return [_plain(item) for item in entry.value]
    if isinstance(entry.value, dict):
        return {key: _plain(child) for key, child in entry.value.items()}
    return entry.value
