"""What an undo chunk carries comes back as it was."""

from __future__ import annotations

from dataclasses import replace

from ludb.model.exceptions import decode_exceptions, encode_exceptions
from ludb.model.run import UnitState
from ludb.testing.repository_world import fault


def test_every_field_of_an_exception_survives_the_way_through_the_repository():
    odd = replace(fault(3, UnitState.IN_DOUBT), detail="mojibake \ud83d Ã¼ \x00", trace="line\nline", at=1.5, chunk="c")
    assert decode_exceptions(encode_exceptions([fault(1), odd])) == [fault(1), odd]


def test_no_exceptions_are_no_bytes():
    assert encode_exceptions([]) == b""
    assert decode_exceptions(b"") == []
