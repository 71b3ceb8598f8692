"""Whoever lacks the right `personal` meets no row value anywhere: all that the API tells of a run in which everything goes wrong,
what stands in its logs, and what is sent to people.
"""

from __future__ import annotations

import re
from dataclasses import replace

import httpx2
import pytest

from ludb.model.access import Role
from ludb.model.run import RunState
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.watchman import Watchman
from ludb.server.world import World
from ludb.service.alerts_channels import WEBHOOK
from tests.engine.conftest import Api

NAMES = {
    1: "Xanthippe Moved", 2: "Xanthippe Twice", 3: "Xanthippe Null", 4: "Xanthippe Cast", 5: "Xanthippe Raised",
    6: "Xanthippe Refused", 7: "Xanthippe Ruled", 8: "Xanthippe Lost", 9: "Xanthippe Long" + "g" * 300,
    10: "Xanthippe Type", 11: "Xanthippe Late", 12: "Xanthippe Date",
}  # fmt: skip
"""Customers, each by what becomes of it."""
VALUE = "Xanthippe"
JOB = """
    name: shop
    systems:
      legacy:  {{type: sqlite, url: "${{LEGACY}}"}}
      billing: {{type: {kind}, url: "${{BILLING}}"}}
      crm:     {{type: rest, url: "${{CRM}}", max_delay: 0, timeout: 2s, retry_for: 1s}}
    unit:
      root: legacy.customers
      key: id
      tables:
        orders: {{parent: customers, on: {{cid: id}}}}
    outputs:
      crm.customer: {{call: POST /customer, row: [unit_key], marker: $.externalId, undo: "DELETE /customer/{{id}}"}}
    settings: {{chunk_units: 4, workers: 1, quarantine_limit: 95%, retry: {{base: 1ms, cap: 5ms}}}}
"""
STEPS = {
    "steps/10_customer/billing.account.sql": """
        select unit_key, case when name like '%Type%' then name else id::text end as id,
        case when name like '%Null%' then null else name end as name,
        case when name like '%Twice%' then 'Xan' || 'thippe Taken' else name end as mail,
        case when name like '%Date%' then name else '2020-01-01' end as born,
        (case when name like '%Cast%' then name else '1' end)::integer as level from legacy.customers
    """,
    "steps/20_order/billing.charge.py": """
        def transform(unit):
            for one in unit.customers:
                if "Raised" in one.name:
                    raise ValueError("cannot read " + one.name)
                yield {"oid": one.id, "account": 4711 if "Late" in one.name else one.id}
    """,
    "rules/20_order/named.sql": "select unit_key, 'ruled out' as reason from legacy.customers where name like '%Ruled%'",
    "steps/30_crm/crm.customer.sql": "select unit_key, name from legacy.customers",
}
TARGET = """
create table account (id integer primary key, name varchar(200) not null, mail varchar(200) unique, born date, level integer);
create table charge (oid integer primary key, account integer not null references account(id));
insert into account values (1000, 'Xanthippe Taken', 'Xanthippe Taken', null, 1);
"""


@pytest.fixture
def api():
    made = Api()

    def before(method, _, document):
        text = str(document)
        if method == "POST" and "Refused" in text:
            return 422, {"wrong": f"no such customer: {text}"}
        if method == "POST" and "Lost" in text:
            return 500, {"wrong": text}
        return None

    made.before = before
    yield made
    made.close()


def describe(desk, api, kind, url):
    """The job, and customers of whom each goes another way."""
    people = ",".join(f"({number},'{name}')" for number, name in NAMES.items())
    desk.database("legacy", f"""
        create table customers (id integer primary key, name text);
        create table orders (oid integer primary key, cid integer references customers(id), what text);
        insert into customers values {people};
        insert into orders select id, id, name from customers;
        insert into orders values (99, 77, 'Xanthippe Orphan');
    """)  # fmt: skip
    desk.environment |= {"CRM": api.url, "BILLING": url}
    desk.write({"job.yaml": JOB.format(kind=kind), **STEPS})


ASIDE = {"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}


def everything(people, run):
    """(path, answer's text) of all that can be read by somebody with every right but that to see row values."""
    client = people.token(Role.ADMIN)
    ids = {"run": run, "other": run, "job": "shop", "task": "none", "name": "the-admin"}
    for path, operations in people.app.openapi()["paths"].items():
        if "get" not in operations or path.endswith(("/login", "/callback", "/stream", "/preflight")):
            continue
        keys = sorted(NAMES) if path.endswith("/units/{key}") else [1]
        for key in keys if "{key}" in path else [0]:
            asked = re.sub(r"\{(\w+)\}", lambda found, key=key: str((ids | {"key": key})[found[1]]), path)
            more = {"found": True, "level": "debug", "all": True, "lines": 2000, "limit": 50, "named": 50}
            known = {one["name"] for one in operations["get"].get("parameters", [])}
            answer = client.get(asked, params={name: value for name, value in more.items() if name in known})
            assert answer.status_code in {200, 404}, (asked, answer.text)
            yield asked, answer


def heard(url, client, run):
    """What a listener is told first: all events, and how the run stands."""
    secret = {"Authorization": client.headers["Authorization"]}
    with httpx2.stream("GET", f"{url}/api/v1/runs/{run}/stream?after=0", headers=secret, timeout=60) as answer:
        for line in answer.iter_lines():
            yield line
            if line.startswith("event: progress"):
                return


@pytest.mark.parametrize(
    "kind",
    ["sqlite", *(pytest.param(one, marks=pytest.mark.long) for one in ("postgres", "mysql"))],
)
def test_no_row_value_is_met_by_whoever_may_not_see_them(desk, api, people, listen, hook, kind, request):
    """Otherwise whoever watches a migration reads its customers, in the words of a database or of an API."""
    make = {"sqlite": "", "postgres": "postgres_database", "mysql": "mariadb_database"}[kind]
    url = request.getfixturevalue(make)(TARGET) if make else str(desk.database("billing", TARGET))
    describe(desk, api, kind, url)
    site = replace(desk.site, environment=desk.environment | {WEBHOOK: hook.url})
    people.world = World(site, ServerConfig(jobs=(desk.folder,)), passwords=people.world.passwords)
    people.app = create_app(people.world)
    run = desk.run().run.id
    site.repository.runs.change(run, RunState.RUNNING, "tried again")
    Watchman(people.world, later=lambda do: do(), wait=lambda _: None).look()
    assert set(desk.set_aside(run)) - {"12"} == ASIDE, "each went wrong"
    told = dict(everything(people, run))
    assert [path for path, answer in told.items() if VALUE in answer.text] == []
    assert len(told) > 50
    sent = {document["rule"]: document for _, document, _ in hook.got}
    assert ("in_doubt" in sent, VALUE in str(sent)) == (True, False)
    lines = list(heard(listen(people.app), people.token(Role.VIEWER), run))
    assert (len(lines) > 10, VALUE in str(lines)) == (True, False)
    logs = [path.read_text() for path in site.logs(run).rglob("*") if path.is_file()]
    assert (bool(logs), VALUE in str(logs)) == (True, False)
    open_ = people.token(Role.VIEWER, owner=Role.EDITOR, personal=True)
    shown = [key for key in sorted(ASIDE) if VALUE in open_.get(f"/api/v1/runs/{run}/units/{key}").text]
    assert set(shown) == ASIDE, "whoever may sees them"
