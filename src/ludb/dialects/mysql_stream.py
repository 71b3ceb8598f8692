"""A query's rows out of MySQL and MariaDB as Arrow columns, unpacked from the server's own packets, a column at a time.

The text protocol sends each row as a packet: 3 bytes of length, 1 of sequence, then each value as a length and its bytes, or
0xFB for NULL. Only the way from packet to packet is walked in Python; lengths, values and NULLs of all rows of a piece are
found together (numpy), and the values are gathered by Arrow. Nothing is decoded: a value is the bytes that the server sent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Literal, NoReturn

import numpy as np
import pyarrow as pa
import pymysql
from pymysql.constants import CR
from pymysql.protocol import MysqlPacket

Values = list[pa.Array]
"""Columns of one piece of rows, each value as the bytes of its text."""

PIECE = 4 << 20
"""Bytes of packets that are unpacked together, once so many are there."""
READ = 1 << 18
"""Bytes that are asked of the socket at a time."""
_LONGEST = 0xFFFFFF
"""A packet of this length is continued by the next one."""
_NULL, _TWO, _THREE, _EIGHT = 0xFB, 0xFC, 0xFD, 0xFE
_EOF, _ERROR = 0xFE, 0xFF
_WORD = struct.Struct("<I")

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int64]]


class Packets:
    """The row packets of a query that was begun unbuffered on a PyMySQL connection. Read once, to the end.

    Driver errors leave as they are; a lost connection is closed and raises 2013, as the driver does.
    """

    def __init__(self, raw: Any, size: int) -> None:
        """`raw` has read the description of the columns, and no row yet; a piece has at most `size` rows."""
        self._raw, self._result, self._size = raw, raw._result, size  # noqa: SLF001  (the driver has no door to packets)
        self._sequence = int(raw._next_seq_id)  # noqa: SLF001
        self._held = bytearray()
        self._at = 0
        self._starts: list[int] = []

    def pieces(self) -> Iterator[Values]:
        """The rows, piece by piece; nothing for a query without rows."""
        while self._result is not None and self._result.unbuffered_active:
            found = self._walk()
            if self._starts and (found != "more" or self._at >= PIECE):
                yield self._cut()
            if found == "more":
                self._more()
            elif found == "long":
                yield self._long()
            elif found == "end":
                self._end()

    def drain(self) -> None:
        """Read what nobody wants: there is no way to stop the server from sending it."""
        for _ in self.pieces():
            pass

    def _walk(self) -> Literal["more", "full", "long", "end"]:
        """Note where the rows start that are there in full; returns why it stopped: bytes are wanting, the piece is full, the
        next packet is a long one, or the last.
        """
        held, at, starts = self._held, self._at, self._starts
        word, end, room = _WORD.unpack_from, len(held), self._size - len(starts)
        found: Literal["more", "full", "long", "end"] = "more"
        while at + 5 <= end:
            length = word(held, at)[0] & _LONGEST
            if length == _LONGEST:
                found = "long"
                break
            after = at + 4 + length
            if after > end:
                break
            first = held[at + 4]
            if first >= _EOF and (first == _ERROR or length < 9):
                found = "end"
                break
            if not room:
                found = "full"
                break
            starts.append(at + 4)
            room -= 1
            at = after
        self._at = at
        return found

    def _cut(self) -> Values:
        """The noted rows, which are no longer held."""
        data = np.frombuffer(bytes(self._held[: self._at]), np.uint8)
        starts = np.array(self._starts, np.int64)
        del self._held[: self._at]
        self._at, self._starts = 0, []
        sequence = (np.arange(len(starts)) + self._sequence) & 0xFF
        if not np.array_equal(data[starts - 1], sequence):
            self._lost("packets came out of order")
        self._sequence = (self._sequence + len(starts)) & 0xFF
        return unpack(data, starts, int(self._result.field_count))

    def _long(self) -> Values:
        """The one row that several packets make up."""
        parts, length = [], _LONGEST
        while length == _LONGEST:
            self._need(4)
            length = _WORD.unpack_from(self._held)[0] & _LONGEST
            parts.append(self._packet(length))
        row = np.frombuffer(b"".join(parts), np.uint8)
        return unpack(row, np.zeros(1, np.int64), int(self._result.field_count))

    def _end(self) -> None:
        """Read the packet that ends the rows: well, or with an error."""
        sequence = self._held[3]
        if sequence != self._sequence:
            # MariaDB says goodbye in a packet of number 0 when it shuts down.
            self._lost("the server shut down" if not sequence else "packets came out of order")
        packet = MysqlPacket(self._packet(_WORD.unpack_from(self._held)[0] & _LONGEST), self._raw.encoding)
        self._result.unbuffered_active = False
        packet.raise_for_error() if packet.is_error_packet() else self._result._check_packet_is_eof(packet)  # noqa: SLF001
        self._result.connection = None

    def _packet(self, length: int) -> bytes:
        self._need(4 + length)
        if self._held[3] != self._sequence:
            self._lost("packets came out of order")
        self._sequence = (self._sequence + 1) & 0xFF
        payload = bytes(self._held[4 : 4 + length])
        del self._held[: 4 + length]
        return payload

    def _need(self, count: int) -> None:
        while len(self._held) < count:
            self._more()

    def _more(self) -> None:
        try:
            data = self._raw._rfile.read1(READ)  # noqa: SLF001
        except OSError as error:
            self._lost(str(error))
        if not data:
            self._lost("the server closed it")
        self._held += data

    def _lost(self, why: str) -> NoReturn:
        self._result.unbuffered_active = False
        self._raw._force_close()  # noqa: SLF001
        raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, f"Lost connection to MySQL server during query ({why})")


def unpack(data: Bytes, starts: Places, width: int) -> Values:
    """The columns of rows that start at these places of `data`, in ascending order, each as `pa.binary()`."""
    columns, at = [], starts
    for _ in range(width):
        length = data[at].astype(np.int64)
        begin, null = at + 1, None
        if (length >= _NULL).any():
            null = length == _NULL
            length[null] = 0
            for mark, size in ((_TWO, 2), (_THREE, 3), (_EIGHT, 8)):
                rows = np.flatnonzero(data[at] == mark)
                if len(rows):
                    places = at[rows, None] + np.arange(1, size + 1)
                    length[rows] = data[places].astype(np.int64) @ (1 << (8 * np.arange(size, dtype=np.int64)))
                    begin[rows] += size
        at = begin + length
        columns.append(_gathered(data, begin, at, null))
    return columns


def _gathered(data: Bytes, begin: Places, end: Places, null: Flags | None) -> pa.Array:
    """The bytes between `begin` and `end` of each row. To Arrow the whole of `data` is one column first, in which every
    other value is what lies between; then it takes ours.
    """
    edges = np.empty(2 * len(begin), np.int32 if len(data) < 1 << 31 else np.int64)
    edges[0::2], edges[1::2] = begin, end
    valid = None
    if null is not None:
        bits = np.ones(len(edges) - 1, np.bool_)
        bits[0::2] = ~null
        valid = pa.py_buffer(np.packbits(bits, bitorder="little"))
    kind = pa.binary() if edges.dtype == np.int32 else pa.large_binary()
    whole = pa.Array.from_buffers(kind, len(edges) - 1, [valid, pa.py_buffer(edges), pa.py_buffer(data)])
    return whole.take(pa.array(np.arange(0, len(edges) - 1, 2))).cast(pa.binary())
