"""An API is read whole, each page once, every digit kept; or nothing of it is, and the message says why."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, TransientError
from ludb.sources.rest import RestSource
from ludb.testing.source import unit_table
from tests.unit.paged_api import PagedApi

PEOPLE = [{"id": n, "name": f"p{n}", "owes": Decimal(f"{n}.10"), "updated": f"2026-01-0{n}"} for n in range(1, 6)]
ITEMS = {"get": "/people", "rows": "data.items"}
STYLES = {
    "number": {"by": "number"},
    "number, from nought and with a size": {"by": "number", "start": 1, "size": 50},
    "offset": {"by": "offset", "size": 3},
    "cursor in the body": {"by": "cursor", "next": "$.meta.next"},
    "cursor in a header": {"by": "cursor", "next": "$header.X-Next", "parameter": "after"},
    "Link header": {"by": "link"},
}


@pytest.fixture
def api():
    served = PagedApi()
    served.shelves["people"] = PEOPLE
    yield served
    served.end()


@pytest.fixture
def source(api, tmp_path):
    made = []

    def make(tables, variables=None, **settings):
        told = {"type": "rest", "url": api.url, "retry_for": 5, "tables": tables, **settings}
        around = Surroundings(tmp_path, tmp_path, variables or {})
        made.append(RestSource("crm", RestSource.Settings.model_validate(told), around, jitter=lambda: 0.0))
        return made[-1]

    yield make
    for one in made:
        one.close()


def rows(source, name, **links):
    return pa.concat_tables(piece.rows for piece in source.scan(unit_table(name, **links))).to_pylist()


@pytest.mark.parametrize("style", STYLES)
def test_every_row_comes_once_however_the_api_turns_its_pages(api, source, style):
    """The server gives two rows a page, whatever it was asked for: a short page is not the last one."""
    made = source({"people": {**ITEMS, "page": STYLES[style], "total": "$header.X-Total", "key": ["id"]}})
    assert [row["id"] for row in rows(made, "people")] == [1, 2, 3, 4, 5]
    read = len(api.seen)
    assert len(rows(made, "people")) == 5
    assert len(api.seen) == read, "the API is read once"


def test_without_a_total_an_empty_page_is_the_end(api, source):
    made = source({"people": {**ITEMS, "page": {"by": "number"}}})
    assert len(rows(made, "people")) == 5
    assert api.asked[-1] == "/people?page=4"


def test_no_digit_is_lost_and_types_say_what_they_follow_from(api, source):
    api.shelves["people"] = [
        {"id": 9007199254740993, "big": Decimal("12345678901234567890.10"), "mixed": 1, "nest": {"a": Decimal("1.0")}},
        {"id": 2, "big": Decimal("0.001"), "mixed": "x", "born": "2001-02-03"},
    ]
    made = source({"people": {**ITEMS, "query": {"all": True}, "types": {"born": "date", "gone": "integer"}}})
    found = {column.name: (str(column.type), column.native) for column in made.columns(unit_table("people"))}
    assert found["id"] == ("int64", "JSON integer")
    assert found["big"] == ("decimal128(23, 3)", "JSON number")
    assert found["mixed"] == ("string", "JSON integer and text")
    assert found["nest"] == ("string", "JSON object")
    assert (found["born"], found["gone"]) == (("date32[day]", "declared"), ("int64", "declared"))
    first, second = rows(made, "people")
    assert (first["id"], str(first["big"]), str(second["big"])) == (
        9007199254740993, "12345678901234567890.100", "0.001",
    )  # fmt: skip
    assert (first["nest"], first["mixed"], second["born"]) == ('{"a": 1.0}', "1", dt.date(2001, 2, 3))


def test_nested_arrays_become_tables_that_carry_their_parents_key(api, source):
    api.shelves["people"] = [
        {
            "id": 1,
            "address": {"city": "Ulm"},
            "contracts": [
                {"no": "a", "lines": [{"price": Decimal("1.50")}, {"price": Decimal("2.5")}]},
                {"no": "b", "lines": None},
            ],
            "tags": ["x", "y"],
        },
        {"id": 2, "contracts": [], "tags": []},
    ]
    made = source({
        "people": {**ITEMS, "query": {"all": True}, "fields": {"city": "address.city"}},
        "contracts": {"from": "people", "rows": "contracts", "carry": {"person": "id"}},
        "lines": {"from": "contracts", "rows": "lines", "number": "line", "carry": {"person": "person", "contract": "no"}},
        "tags": {"from": "people", "rows": "tags", "carry": {"person": "id"}},
    })  # fmt: skip
    assert [(row["id"], row["city"]) for row in rows(made, "people")] == [(1, "Ulm"), (2, None)]
    assert [(row["person"], row["no"]) for row in rows(made, "contracts")] == [(1, "a"), (1, "b")]
    assert [(row["person"], row["contract"], row["line"], str(row["price"])) for row in rows(made, "lines")] == [
        (1, "a", 1, "1.50"), (1, "a", 2, "2.50"),
    ]  # fmt: skip
    assert [(row["person"], row["value"]) for row in rows(made, "tags")] == [(1, "x"), (1, "y")]
    assert len(api.seen) == 1, "all tables come out of one reading"


def test_a_document_that_changes_between_two_pages_is_kept_as_it_came_last_and_told(api, source, tmp_path):
    def change(request):
        if request.query.get("cursor") == "c2":
            api.shelves["people"] = [*PEOPLE[:2], {**PEOPLE[0], "name": "new"}, PEOPLE[1], *PEOPLE[2:]]

    api.turned = change
    made = source({"people": {**ITEMS, "page": STYLES["cursor in the body"], "key": ["id"]}})
    told = made.gather(["people"], tmp_path / "take", None)
    assert told == ["people: 1 document came more than once, differing: what came last was kept"]
    assert [(row["id"], row["name"]) for row in rows(made, "people")][:2] == [(1, "new"), (2, "p2")]


def test_only_what_has_changed_is_read_again(api, source, tmp_path):
    tables = {
        "people": {
            **ITEMS, "page": {"by": "link"}, "key": ["id"], "changed": {"field": "updated", "parameter": "since"},
            "query": {"all": True},
        }
    }  # fmt: skip
    source(tables).gather(["people"], tmp_path / "first", None)
    api.shelves["people"] = [*PEOPLE[:3], {**PEOPLE[3], "name": "new", "updated": "2026-02-01"}, PEOPLE[4],
                             {"id": 9, "name": "p9", "owes": 0, "updated": "2026-02-02"}]  # fmt: skip
    again = source(tables)
    assert again.gather(["people"], tmp_path / "second", tmp_path / "first") == []
    assert [(row["id"], row["name"]) for row in rows(again, "people")] == [
        (1, "p1"), (2, "p2"), (3, "p3"), (4, "new"), (5, "p5"), (9, "p9"),
    ]  # fmt: skip
    assert api.asked[-1] == "/people?all=true&since=2026-01-05"
    assert not list((tmp_path / "second").glob("*.fresh"))


@pytest.mark.parametrize(
    "fault",
    [(500, {}, "no"), (429, {"Retry-After": "0"}, ""), (503, {}, ""), "drop"],
    ids=["500", "429", "503", "drop"],
)
def test_what_passes_is_waited_out(api, source, fault):
    api.faults = [fault, fault]
    made = source({"people": {**ITEMS, "page": {"by": "link"}}})
    assert len(rows(made, "people")) == 5


@pytest.mark.parametrize("fault", [(500, {}, "no"), (429, {}, ""), "drop"], ids=["500", "429", "drop"])
def test_what_does_not_pass_is_told_as_such(api, source, fault):
    api.faults = [fault] * 50
    with pytest.raises(TransientError, match="system crm, table people, page 1"):
        rows(source({"people": ITEMS}, retry_for=0), "people")


JSON = {"Content-Type": "application/json"}
ONE = '{"data": {"items": [{"id": 1}]}}'


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ((401, {}, "secret"), "was refused: the server answered 401.*Mend the credential"),
        ((403, {}, ""), "was refused"),
        ((404, {}, ""), "answered 404.*Mend the path"),
        ((302, {"Location": "/login"}, ""), "a redirect, which is not followed"),
        ((200, {"Content-Type": "text/html"}, "<html>"), "text/html, not JSON"),
        ((200, JSON, '{"data": '), "not JSON: line 1, column 10"),
        ((200, JSON, '{"data": {"items": [{"id": NaN}]}}'), "NaN is not JSON"),
        ((200, JSON, '{"data": {"items": [{"id": 1, "id": 2}]}}'), "names a key twice"),
        ((200, JSON, '{"items": []}'), r"nothing that is an array stands at 'data\.items'"),
        ((200, JSON, '{"data": {"items": [7]}}'), "no object"),
        ((200, {**JSON, "Link": '</x>; rel="next"'}, ONE), "a next page, which nobody asks for"),
    ],
)
def test_an_answer_that_is_none_is_refused_with_its_page(api, source, fault, named):
    api.faults = [fault] * 3
    with pytest.raises(ConfigError, match=named) as caught:
        rows(source({"people": ITEMS}), "people")
    assert "system crm, table people, page 1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(api.seen) == 1


def test_pages_that_go_around_in_a_circle_are_refused(api, source):
    with pytest.raises(ConfigError, match="rows of a page that was read"):  # the server knows no such parameter
        rows(source({"people": {**ITEMS, "page": {"by": "number", "parameter": "seite"}}}), "people")
    api.faults = [(200, JSON, f'{{"next": "c", "data": {{"items": [{{"id": {n}}}]}}}}') for n in range(9)]
    with pytest.raises(ConfigError, match="leads back to a page that was read"):
        rows(source({"people": {**ITEMS, "page": {"by": "cursor", "next": "$.next"}}}), "people")


def test_a_credential_does_not_follow_a_link_to_another_server(api, source):
    api.faults = [(200, {**JSON, "Link": '<http://127.0.0.1:1/x>; rel="next"'}, ONE)]
    with pytest.raises(ConfigError, match="another server"):
        rows(source({"people": {**ITEMS, "page": {"by": "link"}}}), "people")


def test_fewer_documents_than_the_api_says_are_refused(api, source):
    api.faults = [(200, {**JSON, "X-Total": "7"}, ONE)]
    with pytest.raises(ConfigError, match="says that there are 7, and 1 document came"):
        rows(source({"people": {**ITEMS, "total": "$header.X-Total"}}), "people")


def test_a_key_that_a_document_has_not_is_named_and_so_is_a_column_that_is_carried_twice(api, source):
    with pytest.raises(ConfigError, match="document 1 has no 'uid', which is its key"):
        rows(source({"people": {**ITEMS, "key": ["uid"]}}), "people")
    api.shelves["people"] = [{"id": 1, "kids": [{"id": 5}]}]
    kids = {"from": "people", "rows": "kids", "carry": {"id": "id"}}
    with pytest.raises(ConfigError, match="table kids: its rows have a member 'id' of their own"):
        rows(source({"people": ITEMS, "kids": kids}), "kids")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"bearer": "t0ken"}, ("Authorization", "Bearer t0ken")),
        ({"api_key": {"key": "k3y"}}, ("X-API-Key", "k3y")),
        ({"basic": {"user": "u", "password": "p"}}, ("Authorization", "Basic dTpw")),
    ],
)
def test_credentials_travel_with_every_page(api, source, auth, header):
    places = {"auth.bearer": ("T",), "auth.api_key.key": ("T",), "auth.basic.password": ("T",)}
    assert len(rows(source({"people": {**ITEMS, "page": {"by": "link"}}}, places, auth=auth), "people")) == 5
    assert all(headers[header[0]] == header[1] for _, _, headers, _ in api.seen)
    with pytest.raises(ConfigError, match="a secret stands in the job's text"):
        source({"people": ITEMS}, auth=auth)


def test_no_more_paths_are_read_at_a_time_than_the_job_allows(api, source, tmp_path):
    """Two paths at once it is: the first waits for the second, and a third would be seen."""
    both = asyncio.Event()

    async def wait_for_two(request):
        if api.open == 2:
            both.set()
        await both.wait()

    api.answer = wait_for_two
    api.shelves = {f"s{n}": PEOPLE for n in range(4)}
    tables = {f"s{n}": {"get": f"/s{n}", "rows": "data.items", "page": {"by": "link"}} for n in range(4)}
    source(tables, in_flight=2).gather(list(tables), tmp_path / "take", None)
    assert (api.most, len(api.seen)) == (2, 12)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, "either get"),
        ({"get": "/a", "from": "people"}, "either get"),
        ({"from": "people"}, "rows"),
        ({"from": "nobody", "rows": "a"}, "no table 'nobody'"),
        ({"from": "t", "rows": "a"}, "leads back"),
        ({"get": "/a", "carry": {"a": "b"}}, "carry: is of tables with from"),
        ({"from": "people", "rows": "a", "key": ["id"]}, "key: is of tables with get"),
        ({"get": "/a", "page": {"by": "cursor"}}, "needs next"),
        ({"get": "/a", "page": {"by": "offset", "next": "$.x"}}, "cursors and links"),
        ({"get": "/a", "changed": {"field": "a", "parameter": "b"}}, "needs key"),
        ({"get": "/a", "types": {"a": "varchar"}}, "varchar"),
        ({"get": "/a", "total": "meta.total"}, "no path"),
    ],
)
def test_a_table_that_cannot_be_is_a_named_mistake(source, table, named):
    with pytest.raises(ValueError, match=named):
        source({"people": ITEMS, "t": table})
