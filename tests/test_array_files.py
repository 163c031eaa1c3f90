"""Plain numbers and texts of fixed width come back as they were; what only looks like them is refused."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, unicode_string_dtypes

from robot_rig.array_files import look_through, unpack
from sim.strangers.archives import npy, npz
from sim.strangers.bombs import wide_header

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
