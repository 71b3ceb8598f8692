"""What cleansing changed is counted value by value, however seldom a function is really asked."""

from __future__ import annotations

import pytest

from ludb.sql.counting import Remembered, UnreadableError, counting
from ludb.sql.dates import parse_date, try_parse_date


def test_an_answer_that_is_remembered_is_counted_each_time():
    asked = Remembered(try_parse_date)
    with counting() as tally:
        found = [asked(value) for value in ("31.12.1999", "31.12.1999", "1999-12-31", "rubbish", "rubbish", None)]
    with counting() as alone:
        assert [
            try_parse_date(value) for value in ("31.12.1999", "31.12.1999", "1999-12-31", "rubbish", "rubbish", None)
        ] == found
    assert tally == alone
    assert tally["parse_date"] == 2
    assert tally["try_parse_date"] == 2


def test_a_value_that_cannot_be_read_raises_each_time():
    asked = Remembered(parse_date)
    for _ in range(2):
        with pytest.raises(UnreadableError):
            asked("rubbish")


def test_arguments_that_differ_in_format_alone_are_different_questions():
    asked = Remembered(parse_date)
    assert asked("01.02.2003", "DMY") != asked("01.02.2003", "MDY")


def test_nothing_is_counted_outside_of_any_block():
    asked = Remembered(parse_date)
    assert asked("31.12.1999") == asked("31.12.1999")
