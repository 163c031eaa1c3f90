"""Plain numbers and texts of fixed width come back as they were; what only looks like them is refused."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, unicode_string_dtypes

from robot_rig.array_files import look_through, require_bytes, require_rows, unpack
from sim.strangers.archives import npy, npz
from sim.strangers.bombs import long_array, wide_header

TEXTS = arrays(unicode_string_dtypes(endianness="=", min_len=1, max_len=9), array_shapes(max_dims=2, max_side=5))
NUMBERS = arrays(st.sampled_from(["u1", "i8", "f4", "f8", "?"]), array_shapes(min_dims=0, max_dims=3, max_side=5))


@given(values=st.one_of(TEXTS, NUMBERS), columns_first=st.booleans())
def test_what_numpy_has_written_comes_back(values: np.ndarray, columns_first: bool) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, values=np.asfortranarray(values) if columns_first else values)
    found = unpack(file, look_through(file))["values"]
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (npy((10**12,), "<U0"), "texts of"),
        (npy((2,), ">U1", "ab".encode("utf-32-be")), "texts of"),
        (npy((1,), "<U1", b"\xff\xff\xff\xff"), "characters that there are not"),
        (npy((1,), "<U1", b"\x00\x00\x11\x00"), "characters that there are not"),
        (npy((3,), "<U4", b"\0" * 16), "contradict"),
        (npy((1,), "|O", b"\x80\x04N."), "only plain numbers"),
        (npy((1,), "|S4", b"abcd"), "only plain numbers"),
        (npy((1,), "|V4", b"abcd"), "only plain numbers"),
    ],
)
def test_what_only_looks_like_texts_is_refused(content: bytes, match: str) -> None:
    file = io.BytesIO(npz({"values.npy": content}))
    with pytest.raises(ValueError, match=match):
        unpack(file, look_through(file))


def test_a_header_of_megabytes_is_refused_by_its_length_alone() -> None:
    file = io.BytesIO(wide_header({}, "values.npy", mebibytes=32))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="header"):
            look_through(file)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def _spoilt(content: bytes) -> io.BytesIO:
    """`content` with a checksum that is wrong, in the directory and in front of the array."""
    at = content.index(b"PK\x01\x02") + 16
    crc = content[at : at + 4]
    return io.BytesIO(content.replace(crc, bytes(byte ^ 1 for byte in crc)))


def test_what_belongs_there_is_compared_before_any_checksum() -> None:
    """A checksum costs a pass over all that a small file declares; names, types, forms and sizes cost nothing."""
    file = _spoilt(long_array({}, "values.npy", mebibytes=1))
    with pytest.raises(ValueError, match="CRC"):
        look_through(file)
    with pytest.raises(ValueError, match="1 MiB of arrays, more than 0 MiB"):
        look_through(file, lambda headers: require_bytes(headers, 1000))
    with pytest.raises(ValueError, match="has \\(1048576,\\)"):
        look_through(file, lambda headers: require_rows(headers, 2, ["values"]))


def test_what_belongs_to_no_array_is_not_read() -> None:
    good = npz({"values.npy": npy((3,), body=b"abc")})
    assert look_through(io.BytesIO(b"x" + good))["values"].shape == (3,)
    with pytest.raises(ValueError, match="gaps"):
        look_through(io.BytesIO(bytes(300 * 1024) + good))
