"""From a row to a request: what the server reads is what the row held."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludb.dialects.http.request import Route
from ludb.errors import ConfigError, UnitError
from ludb.model.job import CallSpec, OutputSpec

ROW = ("unit_key",)


def route(path="/customer", **call):
    return Route.of(OutputSpec("crm", "customer", call=CallSpec("POST", path, ROW, **call)))


def body(document, **call):
    return route(**call).request(document, "id-1").body


def test_members_stand_in_column_order_and_nested_values_keep_theirs():
    document = {"z": 1, "a": {"y": [3, 1, 2], "b": True}, "m": "ü"}
    assert body(document) == '{"z":1,"a":{"y":[3,1,2],"b":true},"m":"ü"}'


def test_null_members_are_left_out_and_nulls_in_lists_stay():
    assert body({"a": None, "b": {"c": None, "d": 1}, "e": [1, None]}) == '{"b":{"d":1},"e":[1,null]}'


def test_case_61_dates_bytes_and_ids_have_one_text_form():
    document = {
        "day": date(2024, 2, 29),
        "naive": datetime(2024, 2, 29, 1, 2, 3, 456789),  # noqa: DTZ001
        "zoned": datetime(2024, 2, 29, 1, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        "utc": datetime(2024, 2, 29, tzinfo=UTC),
        "time": time(1, 2, 3),
        "bytes": b"\x00\xff",
        "uuid": UUID(int=7),
    }
    assert json.loads(body(document)) == {
        "day": "2024-02-29",
        "naive": "2024-02-29T01:02:03.456789",
        "zoned": "2024-02-29T01:02:03+05:45",
        "utc": "2024-02-29T00:00:00+00:00",
        "time": "01:02:03",
        "bytes": "AP8=",
        "uuid": "00000000-0000-0000-0000-000000000007",
    }


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=10),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_case_61_every_number_comes_back_with_its_digits(decimal, integer, real):
    text = body({"d": decimal, "i": integer, "f": real})
    exact = json.loads(text, parse_float=Decimal)
    assert (str(Decimal(exact["d"]).normalize()), exact["i"]) == (str(decimal.normalize()), integer)
    assert repr(float(exact["f"])) == repr(real)


@given(st.recursive(st.text(st.characters(exclude_categories=["Cs"])) | st.booleans(), st.lists))
def test_case_61_every_text_comes_back_letter_by_letter(value):
    assert json.loads(body({"v": value})) == {"v": value}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        Decimal("NaN"),
        Decimal("Infinity"),
        timedelta(1),
        ("map", 1),
        "Ada \ud800",
        object(),
    ],
    ids=["nan", "inf", "decimal nan", "decimal inf", "span", "tuple", "half a letter", "object"],
)
def test_case_61_what_json_cannot_carry_is_refused_by_place_without_the_value(value):
    with pytest.raises(UnitError, match=r"`\$\.a\.b\[1\]`") as refused:
        body({"name": "Ada", "a": {"b": [1, value]}})
    assert "Ada" not in str(refused.value)


def test_the_marker_joins_the_elements_that_are_there():
    document = {"characteristic": [{"name": "segment", "value": "gold"}]}
    elements = json.loads(body(document, marker="$.characteristic.ludbCall"))["characteristic"]
    assert elements == [{"name": "segment", "value": "gold"}, {"name": "ludbCall", "value": "id-1"}]
    assert len(document["characteristic"]) == 1, "the row itself was changed"


def test_the_marker_makes_its_list_where_the_row_has_none():
    assert json.loads(body({}, marker="$.a.characteristic.mark")) == {
        "a": {"characteristic": [{"name": "mark", "value": "id-1"}]}
    }


def test_a_marker_of_one_segment_is_a_plain_member():
    assert json.loads(body({"name": "Ada"}, marker="$.externalId")) == {"name": "Ada", "externalId": "id-1"}


@pytest.mark.parametrize(
    ("document", "marker"),
    [
        ({"externalId": "mine"}, "$.externalId"),
        ({"characteristic": "text"}, "$.characteristic.ludbCall"),
        ({"characteristic": [{"name": "ludbCall", "value": "mine"}]}, "$.characteristic.ludbCall"),
        ({"a": 1}, "$.a.characteristic.ludbCall"),
    ],
)
def test_a_row_that_uses_the_markers_place_is_refused(document, marker):
    with pytest.raises(UnitError, match=r"crm\.customer"):
        body(document, marker=marker)


def test_path_parameters_stay_within_their_segment_and_their_columns_in_the_body():
    request = route("/party/{party}/customer/{number}").request(
        {"party": "a/b?c#d ü%2F", "number": Decimal("1.10")}, "id"
    )
    assert request.path == "/party/a%2Fb%3Fc%23d%20%C3%BC%252F/customer/1.10"
    assert json.loads(request.body) == {"party": "a/b?c#d ü%2F", "number": 1.10}


@pytest.mark.parametrize("value", [None, "", ".", "..", ["x"], {"y": 1}, float("nan")])
def test_a_path_parameter_that_would_address_something_else_is_refused(value):
    with pytest.raises(UnitError, match="party"):
        route("/party/{party}").request({"party": value}, "id")


def test_a_path_parameter_that_is_no_column_is_refused_by_name():
    with pytest.raises(UnitError, match="no column"):
        route("/party/{party}").request({"name": "Ada"}, "id")


def test_a_changed_payload_has_another_hash_and_a_changed_marker_has_not():
    def sha(document, call_id="id", **call):
        return route(**call).request(document, call_id).sha

    assert (
        sha({"a": 1, "b": None}, "one", marker="$.m") == sha({"b": None, "a": 1}, "two", marker="$.m") == sha({"a": 1})
    )
    assert len({sha({"a": 1}), sha({"a": "1"}), sha({"a": True}), sha({"a": Decimal("1.0")}), sha({"a": [1]})}) == 5


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"undo": "DELETE /customer"}, "undo"),
        ({"undo": "DELETE /customer/{id}/{other}"}, "undo"),
        ({"undo": "/customer/{id}"}, "undo"),
        ({"update": "PATCH customer/{id}"}, "update"),
        ({"probe": "GET /customer?x={call_id}"}, "marker"),
        ({"probe": "GET /customer", "marker": "$.x"}, "probe"),
        ({"marker": "characteristic"}, "marker"),
        ({"marker": "$.list[0]"}, "marker"),
        ({"returns": {"crm_id": "id"}}, "returns.crm_id"),
        ({"path": "/customer/{}"}, "call"),
        ({"path": "/customer/{a"}, "call"),
        ({"path": "/customer#top"}, "call"),
    ],
)
def test_a_mistake_in_the_call_settings_names_its_field(call, field):
    with pytest.raises(ConfigError) as mistake:
        route(**call)
    assert mistake.value.field == f"outputs.crm.customer.{field}"
    assert mistake.value.remedy


def test_an_output_without_a_call_is_a_mistake():
    with pytest.raises(ConfigError, match="has no call"):
        Route.of(OutputSpec("crm", "customer"))
