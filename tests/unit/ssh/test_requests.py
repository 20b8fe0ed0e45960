"""The requests of an SFTP session, and which writes are taken as one."""

import struct

import pytest

from gateway.ssh.pipe import Flow, Pipe
from gateway.ssh.requests import MERGED_MAX, MERGED_MAX_BYTES, next_request
from gateway.ssh.wire import PACKET_MAX_BYTES, Ask, BadPacketError, string

ONE, OTHER = bytes(4), b"\0\0\0\1"


def write(number, offset, data, handle=ONE, tail=b""):
    return string(
        struct.pack(">BI", Ask.WRITE, number) + string(handle) + struct.pack(">Q", offset) + string(data) + tail
    )


async def requests(*packets):
    """Return what a session reads if this has come: numbers, and the fields of a write."""
    pipe = Pipe(Flow(), lambda: None)
    pipe.feed(b"".join(packets))
    pipe.end()
    found = []
    try:
        while True:
            request = await next_request(pipe)
            fields = request.packet.string(), request.packet.uint64(), request.packet.string()
            found.append((request.numbers, *fields))
    except EOFError:
        return found


async def test_writes_that_follow_each_other_are_one():
    """Writes to one file that go on where the one before ends are one write, which answers to all their numbers."""
    found = await requests(write(5, 100, b"abc"), write(9, 103, b"d"), write(7, 104, b"ef"))
    assert found == [((5, 9, 7), ONE, 100, b"abcdef")]


@pytest.mark.parametrize(
    "second",
    [
        write(2, 4, b"x"),
        write(2, 2, b"x"),
        write(2, 3, b"x", handle=OTHER),
        write(2, 3, b"x", tail=b"tail"),
        write(2, 3, b"x", handle=b"\0" * 5),
        string(struct.pack(">BI", Ask.READ, 2) + string(ONE) + struct.pack(">Q", 3) + string(b"x")),
    ],
    ids=["gap", "overlap", "other file", "tail", "long handle", "read"],
)
async def test_what_does_not_follow_is_alone(second):
    """A gap, an overlap, another file, an odd packet or another request: it is a request of its own."""
    first, other = await requests(write(1, 0, b"abc"), second)
    assert first == ((1,), ONE, 0, b"abc")
    assert other[0] == (2,)
    assert other[3] == b"x"


async def test_a_tail_ends_what_is_one():
    """Behind a write that is longer than its data nothing is added, and its tail does not count."""
    assert await requests(write(1, 0, b"abc", tail=b"tail"), write(2, 3, b"d")) == [
        ((1,), ONE, 0, b"abc"),
        ((2,), ONE, 3, b"d"),
    ]


async def test_a_write_whose_end_is_still_to_come_is_not_waited_for():
    """What has come is written; a half write is read when it is whole."""
    assert await requests(write(1, 0, b"abc"), write(2, 3, b"defg")[:-1]) == [((1,), ONE, 0, b"abc")]


async def test_there_is_a_bound_to_what_is_one():
    """Neither very many small writes nor large ones become more than the bound."""
    small = await requests(*(write(number, number, b"x") for number in range(3 * MERGED_MAX)))
    assert [len(numbers) for numbers, *_ in small] == [MERGED_MAX] * 3
    size = MERGED_MAX_BYTES // 8 + 1
    large = await requests(*(write(number, number * size, bytes(size)) for number in range(8)))
    assert [len(data) for *_, data in large] == [7 * size, size]


async def test_no_offset_leads_around():
    """Behind the last byte that can be named comes nothing."""
    last = 2**64 - 1
    assert [found[0] for found in await requests(write(1, last, b"x"), write(2, 0, b"y"))] == [(1,), (2,)]


@pytest.mark.parametrize("size", [0, PACKET_MAX_BYTES + 1, 2**32 - 1])
async def test_a_request_has_a_size(size):
    """No request is empty or larger than a packet may be; nothing is read of it."""
    with pytest.raises(BadPacketError):
        await requests(size.to_bytes(4) + b"x" * 100)


async def test_a_short_write_cannot_be_read():
    """A write without its fields is a request that cannot be read, not the end of the session."""
    with pytest.raises(BadPacketError):
        await requests(string(struct.pack(">BI", Ask.WRITE, 1) + string(ONE)))
