"""Names that must never change: a key map's UUIDs are the same on every retry, restart and re-run."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal

import pytest

from ludb.model.keys import NAMESPACE, key_bytes, named_uuid, named_uuids

NAMES = ["1", "", "a|b", 'with "quotes" \\ and\nlines', "Zoë 東京 \U0001f468", "\x00"]


def test_many_uuids_are_those_that_each_name_has_alone():
    assert named_uuids(["telco", "contract_id"], NAMES) == [
        str(named_uuid("telco", "contract_id", name)) for name in NAMES
    ]


def test_a_named_uuid_is_the_uuid5_of_its_parts_as_json():
    (found,) = named_uuids(["telco", "contract_id"], ["4711"])
    assert found == str(uuid.uuid5(NAMESPACE, '["telco","contract_id","4711"]'))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (7, "i", "7"), (True, "b", "True"), ("7", "s", "7"), (b"\x00\xff", "bytes", "00ff"), (Decimal("1.10"), "Decimal", "1.10"),
        (dt.date(2024, 2, 29), "date", "2024-02-29"), (1.5, "float", "1.5"), *((name, "s", name) for name in NAMES),
    ],
)  # fmt: skip
def test_the_bytes_of_a_key_are_json_of_kinds_and_texts(value, kind, text):
    """They stand in key maps of runs that go on: another spelling would give a customer a second number."""
    wanted = json.dumps([[kind, text], ["i", "2"]], separators=(",", ":")).encode()
    assert key_bytes((value, 2)) == wanted
