"""Cleansing functions hold for values that nobody thought of: what is written in a format is read back, nothing is lost."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ludb import sql
from ludb.sql import FUNCTIONS, MisuseError, UnreadableError, counting
from ludb.sql.counting import text_of

unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure, and the first call of a function imports its library."""
DATES = st.dates(min_value=dt.date(1, 1, 1))
TEXTS = st.text(max_size=30)
REGION = {"phone_e164": ("DE",), "try_phone_e164": ("DE",), "valid_phone": ("DE",)}


@unhurried
@given(DATES, st.sampled_from("-/. "), st.booleans())
def test_a_date_in_any_of_the_three_orders_is_read_as_it_was_written(date, mark, padded):
    year, month, day = f"{date.year:04}", str(date.month), str(date.day)
    if padded:
        month, day = month.zfill(2), day.zfill(2)
    assert sql.parse_date(mark.join((year, month, day))) == date
    assert sql.parse_date(mark.join((day, month, year)), "DMY") == date
    assert sql.parse_date(mark.join((month, day, year)), "MDY") == date
    assert sql.parse_date(date) == date


@unhurried
@given(st.dates(min_value=dt.date(1950, 1, 1), max_value=dt.date(2049, 12, 31)))
def test_two_digits_of_a_year_are_read_by_the_pivot_and_by_nothing_else(date):
    text = f"{date.day}.{date.month}.{date.year % 100:02}"
    assert sql.parse_date(text, "DMY", 49) == date
    assert sql.parse_date(text, "%d.%m.%y", 49) == date
    with pytest.raises(UnreadableError):
        sql.parse_date(text, "DMY")


@unhurried
@given(st.datetimes())
def test_a_timestamp_is_read_to_the_microsecond(moment):
    assert sql.parse_timestamp(moment.isoformat(sep=" ")) == moment
    assert sql.parse_timestamp(moment) == moment


@unhurried
@given(TEXTS)
def test_a_rule_that_asks_for_valid_dates_names_exactly_those_that_would_fail(text):
    try:
        sql.parse_date(text)
    except UnreadableError:
        assert sql.valid_date(text) is False
    else:
        assert sql.valid_date(text) is True


@unhurried
@given(
    st.decimals(min_value=-(10**20), max_value=10**20, places=2), st.sampled_from(",."), st.booleans(), st.booleans()
)
def test_a_number_is_read_with_every_digit_however_it_was_grouped(number, mark, grouped, behind):
    whole = f"{abs(number):,.2f}" if grouped else f"{abs(number):.2f}"
    text = whole.replace(".", "#").replace(",", "." if mark == "," else ",").replace("#", mark)
    text = (text + "-" if behind else "-" + text) if number < 0 else text
    assert sql.parse_decimal(text, mark) == number


@unhurried
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_number_with_more_decimals_than_asked_for_is_refused_not_rounded(number):
    text = format(number, "f").replace(".", ",")
    read = sql.try_parse_decimal(text, ",", 2)
    exact = number == round(number, 2)
    assert (read == number) if exact else (read is None)
    assert read is None or isinstance(read, Decimal)


@unhurried
@given(st.text(alphabet="0123456789", min_size=1, max_size=18))
def test_exactly_one_digit_makes_a_number_valid_and_every_wrong_digit_is_noticed(digits):
    fitting = [digit for digit in "0123456789" if sql.valid_luhn(digits + digit)]
    assert len(fitting) == 1
    good = digits + fitting[0]
    for at, digit in enumerate(good):
        other = str((int(digit) + 1) % 10)
        assert not sql.valid_luhn(good[:at] + other + good[at + 1 :])


@unhurried
@given(st.sampled_from((7, 11, 12, 13)), st.data())
def test_a_gtin_has_one_check_digit(length, data):
    digits = data.draw(st.text(alphabet="0123456789", min_size=length, max_size=length))
    assert sum(bool(sql.valid_ean(digits + digit)) for digit in "0123456789") == 1


@unhurried
@given(st.sampled_from(("DE", "NL", "FR")), st.text(alphabet="0123456789", min_size=11, max_size=30))
def test_an_iban_has_one_pair_of_check_digits_and_no_two_neighbours_can_be_swapped(country, account):
    good = [f"{country}{pair:02}{account}" for pair in range(2, 99) if sql.valid_iban(f"{country}{pair:02}{account}")]
    assert len(good) == 1
    (iban,) = good
    spaced = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)).lower()
    assert sql.parse_iban(spaced) == iban
    swapped = [iban[:at] + iban[at + 1] + iban[at] + iban[at + 2 :] for at in range(4, len(iban) - 1)]
    assert not [other for other in swapped if other != iban and sql.valid_iban(other)]


@unhurried
@given(st.text(alphabet="0123456789", min_size=1, max_size=15))
def test_iso_7064_finds_one_check_character(digits):
    assert sum(bool(sql.valid_mod11(digits + last)) for last in "0123456789X") == 1
    assert sum(bool(sql.valid_mod97(f"{digits}{pair:02}")) for pair in range(2, 99)) == 1


@unhurried
@given(st.sampled_from(("DE", "AT", "FR", "GB", "US")), st.sampled_from((0, 1, 2)))
def test_a_number_in_any_usual_form_is_the_same_number(region, form):
    number = phonenumbers.example_number(region)
    typed = phonenumbers.format_number(number, form)  # E.164, international, national
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert sql.phone_e164(typed, region) == expected
    assert sql.phone_e164(expected, "DE") == expected


@unhurried
@given(TEXTS)
def test_what_was_decoded_as_windows_1252_comes_back_and_ascii_is_never_touched(text):
    if text.isascii():
        assert sql.fix_mojibake(text) == text
    assert sql.fix_mojibake(sql.fix_mojibake("MÃ¼ller")) == "Müller"


@unhurried
@given(TEXTS)
def test_a_text_loses_blanks_and_nothing_else(text):
    assert (sql.collapse_spaces(text) or "").split() == text.split()
    assert sql.blank_to_null(text) == (text.strip() or None)


@unhurried
@given(TEXTS)
def test_every_word_of_a_name_is_in_one_part_of_it(text):
    parts = sql.split_name(text)
    words = sorted(text.replace(",", " ", 1).split() if "," in text else text.split())
    assert sorted(" ".join(filter(None, (parts or {}).values())).split()) == words


@unhurried
@given(TEXTS)
def test_a_name_changes_its_case_and_nothing_else(text):
    assume(text.casefold() == text.lower())
    made = sql.name_case(text)
    assert made.casefold() == text.casefold() or text not in (text.upper(), text.lower())


@unhurried
@given(st.sampled_from(sorted(FUNCTIONS)), TEXTS)
def test_a_function_answers_or_refuses_the_same_way_twice_and_counts_only_what_changed(name, text):
    function = getattr(sql, name)
    answers = []
    for _ in range(2):
        with counting() as counted:
            try:
                answer = function(text, *REGION.get(name, ()))
            except UnreadableError as error:
                answer, refused = UnreadableError, error
        if answer is UnreadableError:
            assert refused.value == text
            assert str(refused) == f"{refused.reason}\n{text}"
        changed = answer is not UnreadableError and text_of(answer) != text
        assert sum(counted.values()) == (changed and bool(FUNCTIONS[name].label))
        answers.append(answer)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_null_stays_null_and_counts_nothing(name):
    with counting() as counted:
        assert getattr(sql, name)(None, *REGION.get(name, ())) is None
    assert not counted


@pytest.mark.parametrize(
    "call",
    [
        lambda: sql.parse_date("x", "DDMM"),
        lambda: sql.parse_date("1.1.01", "%d.%m.%y"),
        lambda: sql.parse_date("1.1.01", "%d.%m.%Y %z"),
        lambda: sql.parse_date("1.1.01", "DMY", 2030),
        lambda: sql.phone_e164("1", "Germany"),
        lambda: sql.parse_decimal("1", ";"),
        lambda: sql.parse_decimal("1", ",", 10),
    ],
)
def test_a_wrong_argument_is_told_apart_from_a_wrong_value(call):
    with pytest.raises(MisuseError):
        call()
