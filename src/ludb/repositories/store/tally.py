"""Counters of units set aside, by run, state, step, system and reason: kept in the transaction that sets them aside, so that
they are true at every instant, and read without counting anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, case, delete, func, insert, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from ludb.model.run import UnitException
from ludb.ports.evidence import Miscount
from ludb.repositories.store import tables as t
from ludb.repositories.store.types import MYSQL

_GROUP = ("state", "phase", "step", "reason")
_AT_SYSTEMS = frozenset({"prepare", "call", "recover"})
"""Phases whose step is an output, or a target."""


_Names = tuple[str, str, str, str, str]
"""State, phase, step, system, reason."""


@dataclass(slots=True)
class _Group:
    """How many units more (or, below 0, fewer) one group has, and when the newest of them was set aside."""

    units: int = 0
    last_at: float = 0.0


def system_of(phase: str, step: str) -> str:
    """The system that refused a unit; empty where none did."""
    return step.partition(".")[0] if phase in _AT_SYSTEMS else ""


def count(connection: Connection, run: str, exceptions: Iterable[UnitException], sign: int = 1) -> None:
    """Count these units as set aside, or (`sign` -1) as so no more."""
    found: dict[tuple[str, ...], _Group] = {}
    for each in exceptions:
        group = found.setdefault((str(each.state), each.phase, each.step, each.reason), _Group())
        group.units += sign
        group.last_at = max(group.last_at, each.at)
    if found:
        rows = [_row(run, names, group) for names, group in found.items()]
        # In one order, so that two transactions never wait for each other.
        connection.execute(_added(connection), sorted(rows, key=lambda row: row["digest"]))


def recount(connection: Connection, run: str | None = None) -> None:
    """Make the counters of a run, or of all, anew from the units that are set aside."""
    e = t.unit_exception.c
    names = [e[name] for name in _GROUP]
    query = select(e.run, *names, func.count(), func.max(e.at)).group_by(e.run, *names)
    old = delete(t.tally)
    if run is not None:
        query, old = query.where(e.run == run), old.where(t.tally.c.run == run)
    rows = [
        _row(mine, group, _Group(int(units), float(last)))
        for mine, *group, units, last in connection.execute(query)
    ]  # fmt: skip
    connection.execute(old)
    if rows:
        connection.execute(insert(t.tally), rows)


def agrees(connection: Connection, run: str) -> bool:
    """Whether the counters of a run are those of its units: a process of an older version sets aside without counting."""
    e, k = t.unit_exception.c, t.tally.c
    rows = connection.execute(select(e.state, func.count()).where(e.run == run).group_by(e.state))
    kept = connection.execute(select(k.state, func.sum(k.n)).where(k.run == run, k.n != 0).group_by(k.state))
    return {state: int(units) for state, units in rows} == {state: int(units) for state, units in kept}


def miscounts(connection: Connection, run: str) -> list[Miscount]:
    """Groups whose counter is not the number of their units, by name."""
    e, k = t.unit_exception.c, t.tally.c
    units = select(e.state, e.phase, e.step, e.reason, func.count()).where(e.run == run)
    counters = select(k.state, k.phase, k.step, k.system, k.reason, func.sum(k.n)).where(k.run == run)
    counted: Counter[_Names] = Counter()
    for state, phase, step, reason, n in connection.execute(units.group_by(e.state, e.phase, e.step, e.reason)):
        counted[(state, phase, step, system_of(phase, step), reason)] = int(n)
    kept: Counter[_Names] = Counter()
    rows = connection.execute(counters.group_by(k.state, k.phase, k.step, k.system, k.reason))
    for state, phase, step, system, reason, n in rows:
        kept[(state, phase, step, system, reason)] = int(n)
    wrong = sorted(group for group in counted.keys() | kept.keys() if counted[group] != kept[group])
    return [Miscount(*group, counted[group], kept[group]) for group in wrong]


def aside(connection: Connection, runs: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """Units set aside of these runs, by run and state."""
    k = t.tally.c
    query = select(k.run, k.state, func.sum(k.n)).where(k.run.in_(runs), k.n != 0).group_by(k.run, k.state)
    found: dict[str, dict[str, int]] = {}
    for run, state, units in connection.execute(query):
        found.setdefault(run, {})[state] = int(units)
    return found


def _row(run: str, names: Sequence[str], group: _Group) -> dict[str, Any]:
    state, phase, step, reason = names
    # As every repository gives it back: PostgreSQL keeps no NUL.
    text = json.dumps([name.replace("\0", "\u2400") for name in names]).encode()
    return {
        "run": run, "digest": hashlib.sha256(text).digest()[:16], "state": state, "phase": phase, "step": step,
        "system": system_of(phase, step), "reason": reason, "n": group.units, "last_at": group.last_at,
    }  # fmt: skip


def _added(connection: Connection) -> Insert:
    """An insert that adds to what is there."""
    k = t.tally.c
    if connection.dialect.name in MYSQL:
        new = mysql.insert(t.tally)
        newest = case((new.inserted.last_at > k.last_at, new.inserted.last_at), else_=k.last_at)
        return new.on_duplicate_key_update(n=k.n + new.inserted.n, last_at=newest)
    made: postgresql.Insert | sqlite.Insert = (
        postgresql.insert(t.tally) if connection.dialect.name == "postgresql" else sqlite.insert(t.tally)
    )
    newest = case((made.excluded.last_at > k.last_at, made.excluded.last_at), else_=k.last_at)
    values = {"n": k.n + made.excluded.n, "last_at": newest}
    return made.on_conflict_do_update(index_elements=["run", "digest"], set_=values)
