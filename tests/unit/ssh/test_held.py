"""Bytes that wait to be read."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.ssh.held import SMALL_BYTES, Held

PIECES = st.lists(st.one_of(st.binary(max_size=40), st.integers(1, 3).map(lambda count: b"%d" % count * SMALL_BYTES)))
COUNTS = st.lists(st.one_of(st.integers(0, 50), st.integers(SMALL_BYTES - 2, 3 * SMALL_BYTES)))


@given(pieces=PIECES, counts=COUNTS)
def test_what_was_added_is_taken_in_its_order(pieces, counts):
    """However bytes are added and taken, they come in their order, as many as were asked for or as there are."""
    held, expected = Held(), b""
    for number in range(max(len(pieces), len(counts))):
        for piece in pieces[number : number + 1]:
            held.add(memoryview(piece) if number % 2 else piece)
            expected += piece
        for count in counts[number : number + 1]:
            assert held.peek(count) == expected[:count]
            assert b"".join(held.take(count)) == expected[:count]
            expected = expected[count:]
        assert len(held) == len(expected)
    assert b"".join(held.take(len(held))) == expected


def test_small_pieces_are_kept_together():
    """Very many small pieces need no more memory than their bytes."""
    held = Held()
    for _ in range(10_000):
        held.add(b"x")
    assert len(held._pieces) == 1


def test_a_large_piece_is_not_copied_before_it_is_taken():
    """A large piece is kept as it came, also when a part of it has been taken."""
    held, piece = Held(), bytes(SMALL_BYTES)
    held.add(piece)
    held.take(10)
    (taken,) = held.take(SMALL_BYTES - 20)
    assert taken.obj is piece
