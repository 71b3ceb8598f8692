"""Many calls of one chunk: the next ones are journaled while some are on their way, and the journal never says too little."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from ludb.model.run import CallState, RunState

UNITS = 300
JOB = """
    name: shop
    systems:
      legacy: {type: sqlite, url: "${LEGACY}"}
      crm:    {type: rest, url: "${CRM}", max_delay: 900s, in_flight: 8, retry_for: 1s}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer:
        {call: POST /customer, row: [unit_key], marker: $.externalId, probe: "GET /customer?externalId={call_id}",
         undo: "DELETE /customer/{id}"}
    settings: {chunk_units: 500, retry: {base: 10ms, cap: 50ms}}
"""


@pytest.fixture
def shop(desk, api):
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text); insert into customers with recursive n(i) as "
        f"(select 1 union all select i + 1 from n where i < {UNITS}) select i, 'c' || i from n",
    )
    desk.environment["CRM"] = api.url
    desk.write({"job.yaml": JOB, "steps/10/crm.customer.sql": "select unit_key, name from legacy.customers"})
    return desk


def in_state(shop, state):
    with contextlib.closing(sqlite3.connect(shop.state / "repository.sqlite", timeout=30)) as connection:
        return connection.execute("select count(*) from call where state = ?", (str(state),)).fetchone()[0]


def names(api):
    return sorted(one["name"] for one in api.store.values())


def test_what_was_journaled_ahead_and_never_sent_is_not_looked_up_later(shop, api):
    """A credential that ends in the middle: with `max_delay: 900s` a call believed to be on its way would hold the run up."""
    api.before = lambda method, *_: (401, None) if method == "POST" and len(api.store) >= 140 else None
    summary = shop.run()
    assert summary.run.state is RunState.PAUSED
    assert (in_state(shop, CallState.DONE), in_state(shop, CallState.SENT)) == (140, 0)
    assert in_state(shop, CallState.UNSENT) == UNITS - 140
    api.before = lambda *_: None
    assert shop.go_on(summary.run.id).counters.done == UNITS
    assert names(api) == sorted(f"c{n}" for n in range(1, UNITS + 1))


@pytest.mark.parametrize(("probe", "most"), [(True, 256), (False, 128)])
def test_no_more_calls_are_ever_in_doubt_at_once_than_the_docs_say(shop, api, probe, most):
    if not probe:
        job = (shop.job / "job.yaml").read_text()
        (shop.job / "job.yaml").write_text(job.replace(', probe: "GET /customer?externalId={call_id}"', ""))
    seen: list[int] = []

    def look(method, *_):
        if method == "POST" and len(api.store) % 25 == 0:
            seen.append(in_state(shop, CallState.SENT))

    api.before = look
    assert shop.run().counters.done == UNITS
    assert seen
    assert 1 <= max(seen) <= most
    assert names(api) == sorted(f"c{n}" for n in range(1, UNITS + 1))
