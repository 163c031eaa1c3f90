"""What goes through the pipe comes out whole, however it is cut; half a picture is none, and nonsense is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from drivers.camera_pipe import FACTS, FAILURE, HEAD, SHOT, WORD, Facts, Failure, Message, Reader, Shot, Word, Writer

MESSAGES: list[Message] = [
    Facts("a camera", "123", {"usb": "3.2"}, 612.5, {"exposure": 156.0}, "/sys/somewhere"),
    Shot(7, 12.345, np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)),
    Word("a word"),
    Shot(8, 12.378, np.zeros((2, 3, 3), np.uint8)),
    Failure("gone", "replug it", lasting=False),
]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    inward, outward = os.pipe()
    os.set_blocking(inward, False)
    yield inward, outward
    for end in (inward, outward):
        try:
            os.close(end)
        except OSError:
            continue


def same(a: Message, b: Message) -> bool:
    if isinstance(a, Shot) and isinstance(b, Shot):
        return (a.number, a.stamp) == (b.number, b.stamp) and np.array_equal(a.rgb, b.rgb)
    return a == b


def test_all_kinds_come_out_as_they_went_in(pipe: tuple[int, int]) -> None:
    inward, outward = pipe
    writer, reader = Writer(outward), Reader(inward)
    for message in MESSAGES:
        writer.send(message)
    got = list(reader.messages())
    assert len(got) == len(MESSAGES)
    assert all(map(same, got, MESSAGES))
    assert not reader.ended


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_message_that_comes_in_pieces_is_given_once_it_is_whole(pipe: tuple[int, int], size: int) -> None:
    inward, outward = pipe
    first_in, first_out = os.pipe()
    for message in MESSAGES:
        Writer(first_out).send(message)
    os.close(first_out)
    data = os.read(first_in, 2**16)
    os.close(first_in)
    reader, got = Reader(inward), []
    for start in range(0, len(data), size):
        os.write(outward, data[start : start + size])
        got += list(reader.messages())
    assert len(got) == len(MESSAGES)
    assert all(map(same, got, MESSAGES))


def test_half_a_picture_of_a_dead_process_is_none(pipe: tuple[int, int]) -> None:
    inward, outward = pipe
    os.write(outward, HEAD.pack(SHOT, 1000) + b"x" * 500)
    os.close(outward)
    reader = Reader(inward)
    assert list(reader.messages()) == []
    assert reader.ended


@pytest.mark.parametrize("data", [HEAD.pack(b"JUNK", 4), HEAD.pack(SHOT, 2**31), HEAD.pack(SHOT, 24) + bytes(24)])
def test_nonsense_is_refused(pipe: tuple[int, int], data: bytes) -> None:
    inward, outward = pipe
    data += b"\x01" * 8
    os.write(outward, data)
    with pytest.raises(ValueError, match=r"sent|px in"):
        list(Reader(inward).messages())


@pytest.mark.parametrize(
    ("kind", "body"), [(SHOT, b"abcd"), (FAILURE, b"{}"), (FACTS, b"null"), (FACTS, b"{"), (WORD, b'{"words": 1}')]
)
def test_a_message_of_its_kind_that_is_none_is_refused_and_the_next_one_is_read(
    pipe: tuple[int, int], kind: bytes, body: bytes
) -> None:
    inward, outward = pipe
    os.write(outward, HEAD.pack(kind, len(body)) + body)
    Writer(outward).send(MESSAGES[2])
    reader = Reader(inward)
    with pytest.raises(ValueError, match=r"."):
        list(reader.messages())
    assert list(reader.messages()) == [MESSAGES[2]]


def test_a_picture_from_the_pipe_is_read_only(pipe: tuple[int, int]) -> None:
    inward, outward = pipe
    Writer(outward).send(MESSAGES[1])
    (shot,) = Reader(inward).messages()
    assert isinstance(shot, Shot)
    assert not shot.rgb.flags.writeable
