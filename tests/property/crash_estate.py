"""A small estate: customers that are good, or bad in every way that the engine knows, and the job that moves them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.http.answer import Heard
from ludb.engine.migration import Folder, Rule
from ludb.errors import Fault, UnitError
from ludb.model.job import CallSpec, Job, KeySpec, OutputSpec, Settings
from ludb.model.run import UnitState
from ludb.model.unit import POSITION, Column, TableRef, UnitSchema, UnitTable
from ludb.steps.rows import Units
from ludb.testing.memory_calls import MemoryServer
from ludb.testing.memory_target import MemoryStore
from ludb.unitdb.batch import UnitBatch

LEASE = 4.0
MAX_DELAY = 1.0
FIRST_ID = 100


class Kind(StrEnum):
    """What is wrong with a customer."""

    GOOD = "good"
    EARLY = "early"  # rejected by a rule before any call
    ODD = "odd"  # rejected by a rule after the returning call
    NAMED = "named"  # a step raises and names it
    BROKEN = "broken"  # a step raises and names nobody: the chunk is taken apart
    CLASH = "clash"  # a row of somebody else holds its unique value
    UNWANTED = "unwanted"  # the first API answers 400
    UNSERVED = "unserved"  # the second API answers 400
    GONE = "gone"  # its root row is no longer in the source
    TWIN = "twin"  # shares a unique value with all other twins: one of them may move


class Power(StrEnum):
    """What the second API can do about an object that it made."""

    UNDO = "take it back"
    UPDATE = "change it and take it back"
    CHANGE = "change it only"
    NOTHING = "nothing"


EXPECTED: Mapping[Kind, tuple[UnitState, str]] = {
    Kind.GOOD: (UnitState.DONE, ""),
    Kind.EARLY: (UnitState.QUARANTINED, "too early"),
    Kind.ODD: (UnitState.QUARANTINED, "odd customer"),
    Kind.NAMED: (UnitState.QUARANTINED, "named by the step"),
    Kind.BROKEN: (UnitState.QUARANTINED, "somebody broke the step"),
    Kind.CLASH: (UnitState.QUARANTINED, "UNIQUE"),
    Kind.UNWANTED: (UnitState.QUARANTINED, "crm.customer: the API refused the call"),
    Kind.UNSERVED: (UnitState.QUARANTINED, "inventory.service: the API refused the call"),
    Kind.GONE: (UnitState.GONE, "no longer in the source"),
}


class RowStep:
    """A step whose rows a function yields, unit by unit; it may reject its unit by yielding a `Fault`."""

    def __init__(self, name: str, output: str, columns: pa.Schema, make: Callable[[Any], Iterator[Any]]) -> None:
        self.name, self.output, self._make = name, output, make
        self._schema = columns.insert(0, pa.field(POSITION, pa.int64()))

    def run(self, batch: UnitBatch) -> None:
        rows, faults = [], {}
        for position, unit in Units(batch):
            for made in self._make(unit):
                if isinstance(made, Fault):
                    faults[position] = made
                else:
                    rows.append({POSITION: position, **made})
        batch.append_positioned(self.output, pa.Table.from_pylist(rows, schema=self._schema))
        batch.reject(faults, step=self.name)


def customers(unit: Any) -> Iterator[Any]:
    (one,) = unit.customers
    yield {"customer": one.id, "name": one.name, "refuse": True if one.kind == Kind.UNWANTED else None}


def accounts(unit: Any) -> Iterator[Any]:
    (one,) = unit.customers
    if one.kind == Kind.BROKEN:
        raise UnitError("steps/20_account/billing.account: somebody broke the step")
    if one.kind == Kind.NAMED:
        yield Fault("named by the step")
        return
    crm_id = unit.keys.crm_id(one.id)
    yield {"id": unit.keys.account(one.id), "customer": one.id, "name": one.name, "crm_id": crm_id}


def entries(unit: Any) -> Iterator[Any]:
    (one,) = unit.customers
    for order in unit.orders:
        yield {"oid": order.oid, "customer": one.id, "name": one.name}


def tags(unit: Any) -> Iterator[Any]:
    (one,) = unit.customers
    shared = {Kind.CLASH: "taken", Kind.TWIN: "twin"}
    yield {"tag": shared.get(one.kind, f"tag-{one.id}"), "customer": one.id, "name": one.name}


def services(unit: Any) -> Iterator[Any]:
    (one,) = unit.customers
    for order in unit.orders:
        refuse = True if one.kind == Kind.UNSERVED else None
        yield {"oid": order.oid, "number": order.oid, "customer": one.id, "name": one.name, "refuse": refuse}


TYPES = {
    **dict.fromkeys(("id", "customer", "oid", "number", "cid"), pa.int64()),
    **dict.fromkeys(("name", "crm_id", "tag", "kind"), pa.string()),
    "refuse": pa.bool_(),
}


def schema(columns: str) -> pa.Schema:
    return pa.schema([(name, TYPES[name]) for name in columns.split()])


def rule_against(kind: Kind, reason: str, folder: str = "") -> Rule:
    sql = f"""SELECT unit_key, '{reason}' AS reason FROM "legacy"."customers" WHERE kind = '{kind}'"""
    return Rule(f"rules/{folder}{kind}.sql", sql)


FOLDERS = (
    Folder(
        "10_customer",
        (RowStep("steps/10_customer/crm.customer", "crm.customer", schema("customer name refuse"), customers),),
        (rule_against(Kind.EARLY, "too early", "10_customer/"),),
    ),
    Folder(
        "20_account",
        tuple(
            RowStep(f"steps/20_account/{output}", output, schema(columns), make)
            for output, columns, make in [
                ("billing.account", "id customer name crm_id", accounts),
                ("stock.entry", "oid customer name", entries),
                ("stock.tag", "tag customer name", tags),
                ("inventory.service", "oid number customer name refuse", services),
            ]
        ),
    ),
)
RULES = (rule_against(Kind.ODD, "odd customer"),)


def call_to(system: str, table: str, row: str, *, undo: bool, update: bool, returns: Mapping[str, str]) -> OutputSpec:
    probe = f"GET /{table}?characteristic.name=ludbCall&characteristic.value={{call_id}}"
    return OutputSpec(
        system,
        table,
        call=CallSpec(
            "POST", f"/{table}", (row,), marker="$.characteristic.ludbCall", probe=probe, returns=returns,
            undo=f"DELETE /{table}/{{id}}" if undo else None,
            update=f"PATCH /{table}/{{id}}" if update else None,
        ),
    )  # fmt: skip


def job(*, chunk_units: int, power: Power) -> Job:
    """The job. The first API can always take back what it made."""
    updates = power in {Power.UPDATE, Power.CHANGE}
    root = UnitTable("customers", TableRef("legacy", "customers"))
    orders = UnitTable("orders", TableRef("legacy", "orders"), "customers", (("cid", "id"),))
    outputs = (
        call_to("crm", "customer", "unit_key", undo=True, update=updates, returns={"crm_id": "$.id"}),
        OutputSpec("billing", "account"),
        OutputSpec("stock", "entry"),
        OutputSpec("stock", "tag"),
        call_to("inventory", "service", "oid", undo=power in {Power.UNDO, Power.UPDATE}, update=updates, returns={}),
    )
    settings = Settings(chunk_units=chunk_units, lease=LEASE, retry_base=0.1, retry_cap=1.0)
    keys = (KeySpec("account", "customers", ("id",), "sequence", 1000),)
    named = {output.name: output for output in outputs}
    return Job("shop", "v1", "p1", UnitSchema(("id",), (root, orders)), named, keys, settings)


def source_tables(kinds: Sequence[Kind], versions: Sequence[int]) -> dict[str, pa.Table]:
    """The legacy tables: unit at position p has the id 100 + p and p modulo 3 orders (an unserved one at least one)."""
    rows, orders = [], []
    for at, kind in enumerate(kinds):
        if kind is not Kind.GONE:
            rows.append({"id": FIRST_ID + at, "name": f"name-{at}-v{versions[at]}", "kind": str(kind)})
        orders += [{"oid": (FIRST_ID + at) * 10 + i, "cid": FIRST_ID + at} for i in range(order_count(at, kind))]
    return {
        "customers": pa.Table.from_pylist(rows, schema=schema("id name kind")),
        "orders": pa.Table.from_pylist(orders, schema=schema("oid cid")),
    }


def order_count(at: int, kind: Kind) -> int:
    return 1 if kind is Kind.UNSERVED and at % 3 == 0 else at % 3


def stores() -> dict[str, MemoryStore]:
    """Two targets; `stock.entry` has no key at all, so that a row written twice is seen."""

    def columns(text: str) -> tuple[Column, ...]:
        return tuple(Column(field.name, field.type, str(field.type)) for field in schema(text))

    account, entry, tag = columns("id customer name crm_id"), columns("oid customer name"), columns("tag customer name")
    billing = MemoryStore({"account": account}, {"account": (("id",), ("crm_id",))})
    stock = MemoryStore({"entry": entry, "tag": tag}, {"tag": (("tag",),)})
    stock.tables["tag"] = [{"tag": "taken", "customer": 0, "name": "somebody else"}]
    return {"billing": billing, "stock": stock}


class Api(MemoryServer):
    """A server that refuses documents for good where they say so; a request that hangs arrives within `MAX_DELAY`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock, self._hangs_since = clock, float("inf")

    def exchange(self, method: str, path: str, body: str, key: str) -> Heard:
        waiting = len(self._late)
        heard = super().exchange(method, path, body, key)
        if len(self._late) > waiting:
            self._hangs_since = min(self._hangs_since, self._clock())
        return heard

    def arrive(self, *, early: bool = False) -> None:
        """Carry out what hangs, if its time has come."""
        if self._late and (early or self._clock() >= self._hangs_since + MAX_DELAY):
            self.deliver()
            self._hangs_since = float("inf")

    def _carry_out(self, method: str, path: str, body: str, key: str) -> Heard:
        if method == "POST" and json.loads(body).get("refuse"):
            return Heard(400, body=b'{"reason": "refused"}')
        return super()._carry_out(method, path, body, key)


_RULE = re.compile(r"SELECT unit_key, '(.*)' AS reason FROM (\S+) WHERE (\w+) = '(.*)'")
_DELETE = re.compile(r"DELETE FROM (\S+) WHERE")
_DROP = re.compile(r"DROP TABLE (?:IF EXISTS )?(\S+)")


class TinyDatabase:
    """As much of a database as this job's UnitBatch asks for: DuckDB takes longer to open than a chunk to move here."""

    def __init__(self, *, memory_limit: str = "", spill: str | None = None) -> None:
        self.tables: dict[str, pa.Table] = {}

    def execute(self, sql: str, *, file: str = "") -> None:
        if found := _DELETE.match(sql):
            rows, leaving = self.tables[found[1]], self.tables["ludb.leaving"].column("unit_key")
            self.tables[found[1]] = rows.filter(pc.invert(pc.is_in(rows.column("unit_key"), value_set=leaving)))
        elif found := _DROP.match(sql):
            self.tables.pop(found[1], None)
        else:
            assert sql.startswith("CREATE SCHEMA"), sql

    def query(self, sql: str, *, file: str = "") -> pa.Table:
        reason, table, column, value = _RULE.fullmatch(sql).groups()
        rows = self.tables[table]
        keys = rows.filter(pc.equal(rows.column(column), value)).column("unit_key")
        return pa.table({"unit_key": keys, "reason": [reason] * len(keys)})

    def put(self, name: str, rows: pa.Table, columns: str = "*") -> None:
        self.tables[name] = rows

    def add(self, name: str, rows: pa.Table) -> None:
        self.tables[name] = pa.concat_tables([self.tables[name], rows])

    def variables(self, values: Mapping[str, object]) -> None:
        pass

    def seal(self) -> None:
        pass

    def close(self) -> None:
        self.tables.clear()
