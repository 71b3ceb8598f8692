"""Rows that are unpacked together are the rows that were sent, however the network cuts them."""

from __future__ import annotations

import io
import random

import pymysql
import pytest

from ludb.dialects.mysql_stream import Packets

LONGEST = 0xFFFFFF
EOF = b"\xfe\x00\x00\x02\x00"


def length(size):
    if size < 251:
        return bytes([size])
    for mark, width in ((0xFC, 2), (0xFD, 3), (0xFE, 8)):
        if size < 1 << (8 * width):
            return bytes([mark]) + size.to_bytes(width, "little")
    raise AssertionError


def payload(row):
    return b"".join(b"\xfb" if value is None else length(len(value)) + value for value in row)


def packets(payloads, first=7):
    """The payloads as a server sends them, cut where they are longer than a packet."""
    sent, sequence = [], first
    for one in payloads:
        parts = [one[at : at + LONGEST] for at in range(0, len(one) + 1, LONGEST)]
        for part in parts:
            sent.append(len(part).to_bytes(3, "little") + bytes([sequence & 0xFF]) + part)
            sequence += 1
    return b"".join(sent)


class Network(io.RawIOBase):
    """Gives what was sent in pieces of these sizes, then nothing."""

    def __init__(self, sent, sizes):
        self.sent, self.sizes = io.BytesIO(sent), sizes

    def read1(self, size):
        return self.sent.read(min(size, next(self.sizes)))


class Result:
    unbuffered_active, connection, warning_count, has_next = True, object(), 0, False

    def __init__(self, width):
        self.field_count = width

    def _check_packet_is_eof(self, packet):
        assert packet.is_eof_packet()


class Raw:
    encoding = "utf8"
    closed = False

    def __init__(self, sent, width, sizes):
        self._next_seq_id, self._result, self._rfile = 7, Result(width), Network(sent, sizes)

    def _force_close(self):
        self.closed = True


def forever(*sizes):
    while True:
        yield from sizes


def read(sent, width, *, size=50_000, sizes=(1 << 20,)):
    raw = Raw(sent, width, forever(*sizes))
    pieces = [
        list(zip(*(column.to_pylist() for column in piece), strict=True)) for piece in Packets(raw, size).pieces()
    ]
    assert not raw._result.unbuffered_active
    return pieces


def rows_of(pieces):
    return [row for piece in pieces for row in piece]


EDGES = [
    (b"", None, b"a"), (None, None, None), (b"x" * 250, b"y" * 251, b"z" * 252), (b"\xfb\xfe\xff\x00", b"\xfc", b"\xfd"),
    (b"x" * 65_535, b"", b"y" * 65_536), (b"\xff", b"\xfe", None),
]  # fmt: skip


@pytest.mark.parametrize("sizes", [(1 << 20,), (1,), (3, 1, 4, 1, 5), (9, 4096)])
def test_values_of_every_length_arrive_in_whatever_pieces_the_network_gives(sizes):
    sent = packets([*(payload(row) for row in EDGES), EOF])
    assert rows_of(read(sent, 3, sizes=sizes)) == EDGES


def test_more_rows_than_sequence_numbers_and_than_a_piece_holds():
    chance = random.Random(3)
    rows = [
        (str(at).encode(), None if chance.random() < 0.2 else chance.randbytes(chance.randrange(300)))
        for at in range(2_000)
    ]
    pieces = read(packets([*map(payload, rows), EOF]), 2, size=300, sizes=(7_001,))
    assert rows_of(pieces) == rows
    assert max(map(len, pieces)) == 300


@pytest.mark.parametrize("beyond", [-5, -4, 0, 1, 100])
def test_a_row_longer_than_a_packet_is_one_row_among_others(beyond):
    rows = [(b"1", b"before"), (b"2", b"x" * (LONGEST + beyond)), (b"3", None)]
    assert rows_of(read(packets([*map(payload, rows), EOF]), 2)) == rows


def test_no_rows_are_no_pieces():
    assert read(packets([EOF]), 2) == []


def test_an_error_among_the_rows_is_raised_after_them():
    error = b"\xff" + (1317).to_bytes(2, "little") + b"#70100Query execution was interrupted"
    raw = Raw(packets([payload((b"1",)), error]), 1, forever(100))
    pieces = Packets(raw, 10).pieces()
    assert next(pieces)[0].to_pylist() == [b"1"]
    with pytest.raises(pymysql.err.OperationalError, match="interrupted"):
        next(pieces)
    assert not raw.closed


@pytest.mark.parametrize(
    "sent",
    [
        packets([payload((b"1",)), payload((b"2",))]),
        packets([payload((b"1",)), EOF])[:-2],
        packets([payload((b"1",))]) + packets([payload((b"2",)), EOF], first=9),
        packets([payload((b"1",))]) + packets([b"\xff\x1d\x04goodbye"], first=0),
    ],
    ids=["the end is missing", "half a packet", "a packet is missing", "the server shuts down"],
)
def test_a_stream_that_breaks_off_is_a_lost_connection_and_never_fewer_rows(sent):
    raw = Raw(sent, 1, forever(1 << 20))
    with pytest.raises(pymysql.err.OperationalError) as raised:
        list(Packets(raw, 10).pieces())
    assert raised.value.args[0] == 2013
    assert raw.closed
