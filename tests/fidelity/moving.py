"""One run of the real engine that moves all probes of a source into a target, each beside a good neighbour."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from ludb.errors import ConfigError
from ludb.testing.fidelity.case import PLAN
from ludb.testing.fidelity.forms import same

ROOM = 100
"""Unit keys of one probe: its good neighbour has the first, its values the next ones."""


def into(probes, target):
    """The probes that have a place in the target, with their tables' names and their first unit key."""
    kept = [probe for probe in probes if target in probe.into]
    return {f"p{number:03}": (probe, number * ROOM) for number, probe in enumerate(kept, 1)}


def fill(store, tables, target, arriving):
    """Make the tables of source and target."""
    for table, (probe, first) in tables.items():
        store.create(table, probe.native, [(first + at, value) for at, value in enumerate([probe.good, *probe.values])])
        arriving.create(table, probe.into[target])


def job(old, new, tables):
    """The job's files: a unit for every value, a table and a step for every probe."""
    lines = []
    for table, (probe, _) in tables.items():
        types = f", types: {{v: {json.dumps(probe.carry)}}}" if probe.carry else ""
        lines.append(f"    {table}: {{parent: units, on: {{uid: id}}{types}}}")
    return {
        "job.yaml": "\n".join([
            "name: fidelity",
            "systems:",
            f"  old: {json.dumps(old.settings)}",
            f"  new: {json.dumps(new.settings)}",
            "unit:",
            "  root: old.units",
            "  key: id",
            "  tables:",
            *lines,
            "settings: {chunk_units: 60}",
        ]),
        **{
            f"steps/10/new.{table}.sql": f"select unit_key, uid, {probe.step} as v from old.{table}"
            for table, (probe, _) in tables.items()
        },
    }  # fmt: skip


def moved(desk, old, new, probes, target):
    """Move all of them; gives the outcome of each probe, and fails where a value is changed or lost in silence, where a good
    neighbour stays behind, and where a refusal does not name table and column.
    """
    tables = into(probes, target)
    old.units([first + at for probe, first in tables.values() for at in range(len(probe.values) + 1)])
    fill(old, tables, target, new)
    before = {table: old.texts(table, probe.native) for table, (probe, _) in tables.items()}
    planned = {table: value for table, value in tables.items() if PLAN in value[0].refused}
    for table, (probe, first) in planned.items():
        desk.write(job(old, new, {table: (probe, first)}))
        with pytest.raises(ConfigError, match=probe.refused[PLAN]) as caught:
            desk.run()
        assert f"{table}.v" in str(caught.value)
        desk.forget()
    moving = {table: value for table, value in tables.items() if table not in planned}
    desk.write(job(old, new, moving))
    summary = desk.run()
    aside = desk.set_aside(summary.run.id)
    assert summary.counters.pending == 0, summary.run.reason
    assert {table: old.texts(table, probe.native) for table, (probe, _) in tables.items()} == before
    found = dict.fromkeys(planned, "planning")
    for table, (probe, first) in moving.items():
        arrived = new.texts(table, probe.into[target])
        found[table] = outcome(table, probe, first, before[table], arrived, aside, target)
    wanted = Counter()
    for probe, _ in moving.values():
        if probe.converted:
            wanted[probe.converted] += len(probe.values)
    assert Counter(summary.conversions) == wanted
    return {str(probe): found[table] for table, (probe, _) in tables.items()}


def outcome(table, probe, first, texts, arrived, aside, target):
    """What became of one probe's values: all the same, or the probe must be split."""
    assert str(first) not in aside, f"{probe}: the good neighbour was set aside: {aside[str(first)].reason}"
    assert first in arrived, f"{probe}: the good neighbour did not arrive"
    if not probe.becomes:
        assert same(probe.form, texts[first], arrived[first]), (
            f"{probe}: {texts[first]!r} arrived as {arrived[first]!r}"
        )
    found = set()
    for at, _ in enumerate(probe.values, 1):
        exception = aside.get(str(first + at))
        if exception is not None:
            assert exception.state == "quarantined"
            assert table in exception.reason, exception.reason
            assert re.search(r"\bv\b", exception.reason), exception.reason
            assert probe.reason(target) in exception.reason, exception.reason
            assert first + at not in arrived, f"{probe}: a refused unit has left something"
            found.add("refused")
            continue
        assert first + at in arrived, f"{probe}: {texts[first + at]!r} is done, and not there"
        text = probe.becomes[at - 1] if probe.becomes else texts[first + at]
        assert same(probe.form, text, arrived[first + at]), f"{probe}: {text!r} arrived as {arrived[first + at]!r}"
        found.add("converted" if probe.converted else "arrives")
    assert len(found) == 1, f"{probe}: {found}"
    return found.pop()
