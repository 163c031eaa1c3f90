"""Small files that would cost a careless reader most: used by the forgers of archives and bags, and by tests."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

MEBIBYTE = 1 << 20


def long_array(members: Mapping[str, bytes], victim: str, mebibytes: int) -> bytes:
    """An npz of `members` in which `victim` is a plain list of that many bytes, all zero."""
    buffer = io.BytesIO()
    text = str({"descr": "|u1", "fortran_order": False, "shape": (mebibytes * MEBIBYTE,)}).encode() + b"\n"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            if name != victim:
                archive.writestr(name, content)
        with archive.open(victim, "w") as member:
            member.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
            for _ in range(mebibytes):
                member.write(bytes(MEBIBYTE))
    return buffer.getvalue()


def wide_header(members: Mapping[str, bytes], victim: str, mebibytes: int) -> bytes:
    """An npz of `members` in which `victim` is an npy of version 2.0 whose header, of blanks, is that long."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            if name != victim:
                archive.writestr(name, content)
        with archive.open(victim, "w") as member:
            member.write(b"\x93NUMPY\x02\x00" + struct.pack("<I", mebibytes * MEBIBYTE))
            for _ in range(mebibytes):
                member.write(b" " * MEBIBYTE)
    return buffer.getvalue()
