"""What is read for a chunk is what joining by hand says, whatever the tables hold and however the list is cut."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem
from ludb.engine.extract import extract
from ludb.engine.meter import Meter
from ludb.engine.ownership import Owners, unheld
from ludb.engine.plan import scanner, shared_rows
from ludb.engine.unit_list import UnitList, root_keys
from ludb.model.unit import MATCH, POSITION, Fetched, TableRef, UnitSchema, UnitTable
from ludb.sources.sqlite import SqliteSource
from ludb.unitdb.stage import Stage, build_stage
from ludb.unitdb.takes import Scan, write_take

TEXTS = ["a", "A", "a ", "ä", ""]
"""Keys that a collation may take for one another."""
numbers = st.sampled_from([0, 1, 2, 3, None])
homes = st.sampled_from([("one", "one"), ("two", "one"), ("two", "two"), ("one", "two")])
people = st.lists(st.tuples(st.integers(0, 3), numbers), unique_by=lambda row: row[0], min_size=2, max_size=4)
pets = st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=2, max_size=7)
toys = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=7)


def unit_of(kind: str, on_stray: str, *, by_key: bool, walk: bool, homes: tuple[str, str]) -> UnitSchema:
    """People (id, home); pets (owner, no, mother, vet) by id or home; toys (no, seat) below pets, `also` by vet."""
    link = (("owner", "id" if by_key else "home"),)
    types = tuple((name, kind) for name in ("owner", "no", "mother", "vet"))
    return UnitSchema(
        ("id",),
        (
            UnitTable("people", TableRef("one", "people"), types=(("id", kind), ("home", kind))),
            UnitTable(
                "pets", TableRef(homes[0], "pets"), "people", link, types=types, on_stray=on_stray,
                recursive=(("mother", "no"),) if walk else (), also=(("toys", (("vet", "seat"),)),),
            ),
            UnitTable(
                "toys", TableRef(homes[1], "toys"), "pets", (("no", "no"),), on_stray=on_stray,
                types=(("no", kind), ("seat", kind)),
            ),
        ),
    )  # fmt: skip


class World:
    """A SQLite file with the tables, and the answer of a join by hand."""

    def __init__(self, folder: Path, unit: UnitSchema, rows: dict[str, list[tuple[object, ...]]], kind: str) -> None:
        self.rows = rows
        path = folder / "legacy.sqlite"
        connection = sqlite3.connect(path)
        kind = "integer" if kind == "integer" else "text"
        heads = {"people": "id, home", "pets": "owner, no, mother, vet", "toys": "no, seat"}
        for name, head in heads.items():
            connection.execute(f"create table {name} ({', '.join(f'{column} {kind}' for column in head.split(', '))})")
            marks = ", ".join("?" * len(head.split(", ")))
            connection.executemany(f"insert into {name} values ({marks})", rows[name])
        connection.commit()
        connection.close()
        around = Surroundings(folder, folder, {})
        made = {name: SqliteSource(name, SqliteSystem(type="sqlite", url=str(path)), around) for name in ("one", "two")}
        self.migration = SimpleNamespace(job=SimpleNamespace(unit=unit), sources=made)
        self.keys = UnitList.of(root_keys(self.migration)).keys
        self.at = {key: position for position, key in enumerate(self.keys.column("id").to_pylist())}

    def stage(self, folder: Path) -> Stage:
        """Every table read once, and sorted; the sources are asked no more afterwards."""
        unit = self.migration.job.unit
        for name, source in list(self.migration.sources.items()):
            with source.snapshot():
                mine = [table for table in unit.tables if table.table.system == name]
                scans = [Scan(table, source.columns(table), source.scan(table)) for table in mine]
                keys = source.keys(unit.root, unit.key) if unit.root.table.system == name else None
                self.migration.sources[name] = write_take(folder / name, name, scans, keys, taken_at=0.0)
            source.close()
        return build_stage(
            folder / "stage", unit, self.keys, scanner(self.migration), [table.name for table in unit.tables]
        )

    def read(self, size: int, staged: Path | None = None):
        """Every chunk of the list, `size` keys each; from a stage in the folder `staged`, if given."""
        stage = self.stage(staged) if staged else None
        shared = shared_rows(self.migration, UnitList(self.keys))
        at = SimpleNamespace(migration=self.migration, stage=stage, planned_faults={}, shared=shared, meter=Meter())
        for first in range(0, self.keys.num_rows, size):
            part = self.keys.slice(first, size)
            positions = tuple(part.column(POSITION).to_pylist())
            yield extract(SimpleNamespace(positions=positions, keys=part.drop_columns([POSITION])), at)
        for source in self.migration.sources.values():
            source.close()

    def owners(self, *, by_key: bool, walk: bool) -> dict[str, list[set[int]]]:
        """The units of every row, table by table."""
        column = 0 if by_key else 1
        pets = self.rows["pets"]
        mine = [
            {self.at[p[0]] for p in self.rows["people"] if p[column] == pet[0] and pet[0] is not None} for pet in pets
        ]
        while walk:
            wider = [
                held.union(
                    *(there for there, up in zip(mine, pets, strict=True) if up[1] == pet[2] and pet[2] is not None)
                )
                for held, pet in zip(mine, pets, strict=True)
            ]
            if wider == mine:
                break
            mine = wider
        below = [
            set().union(
                *(there for there, up in zip(mine, pets, strict=True) if up[1] == toy[0] and toy[0] is not None)
            )
            for toy in self.rows["toys"]
        ]
        return {"people": [{self.at[p[0]]} for p in self.rows["people"]], "pets": mine, "toys": below}


@given(
    people=people, pets=pets, toys=toys, kind=st.sampled_from(["integer", "text"]), by_key=st.booleans(),
    walk=st.booleans(), homes=homes, size=st.integers(1, 5), staged=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_row_is_read_for_its_own_unit_and_shared_or_stray_rows_are_told(
    people, pets, toys, kind, by_key, walk, homes, size, staged
):
    rows = {"people": people, "pets": pets, "toys": toys}
    if kind == "text":
        rows = {n: [tuple(None if v is None else TEXTS[v] for v in row) for row in some] for n, some in rows.items()}
    unit = unit_of(kind, "reject", by_key=by_key, walk=walk, homes=homes)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), unit, rows, kind)
        chunks = list(world.read(size, Path(folder) / "staged" if staged else None))
    owners = world.owners(by_key=by_key, walk=walk)
    expected = {
        name: Counter((min(held), *row) for row, held in zip(rows[name], owners[name], strict=True) if held)
        for name in rows
    }
    found = {name: Counter() for name in rows}
    for chunk in chunks:
        for name, table in chunk.tables.items():
            found[name].update(tuple(row.values()) for row in table.to_pylist())
    assert found == expected
    shared = {p for name in ("pets", "toys") for held in owners[name] if len(held) > 1 for p in held}
    seats = {(p, toy[1]) for toy, held in zip(rows["toys"], owners["toys"], strict=True) for p in held}
    stray = {
        p
        for pet, held in zip(rows["pets"], owners["pets"], strict=True)
        for p in held
        if pet[3] is not None and (p, pet[3]) not in seats
    }
    faults = {position for chunk in chunks for position in chunk.faults}
    assert faults == shared | stray
    assert not any(chunk.gone or chunk.strays for chunk in chunks)


@given(
    people=people, pets=pets, toys=toys, by_key=st.booleans(), homes=homes,
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_rows_dropped_with_a_warning_and_rows_read_are_the_same_however_the_list_is_cut(
    people, pets, toys, by_key, homes, sizes
):
    rows = {"people": people, "pets": pets, "toys": toys}
    unit = unit_of("integer", "warn", by_key=by_key, walk=False, homes=homes)
    answers = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), unit, rows, "integer")
            chunks = list(world.read(size))
        kept = {name: Counter() for name in rows}
        strays: Counter[tuple[str, int]] = Counter()
        for chunk in chunks:
            assert not chunk.faults
            for name, table in chunk.tables.items():
                kept[name].update(tuple(row.values()) for row in table.to_pylist())
            for name, by_position in chunk.strays.items():
                strays.update({(name, position): count for position, count in by_position.items() if count})
        answers.append((kept, strays))
        owners = world.owners(by_key=by_key, walk=False)
        for name in ("pets", "toys"):  # nothing is lost in silence: what is not kept is counted, each row once
            dropped = sum(count for (table, _), count in strays.items() if table == name)
            assert kept[name].total() + dropped == sum(bool(held) for held in owners[name])
    assert answers[0] == answers[1]


keyed = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 5)), st.sampled_from(TEXTS)), max_size=8
)


@given(held=keyed, asked=keyed, columns=st.sampled_from([["n"], ["t"], ["n", "t"]]), narrow=st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_quick_way_to_find_owners_and_strays_gives_the_answer_of_the_slow_one(held, asked, columns, narrow):
    def table(rows) -> pa.Table:
        number = pa.int32() if narrow and rows is asked else pa.int64()
        values = list(zip(*rows, strict=True)) or [(), (), ()]
        return pa.table(
            {
                POSITION: pa.array(values[0], pa.int64()),
                "n": pa.array(values[1], number),
                "t": pa.array(values[2], pa.string()),
            }
        )

    ours, theirs = table(held), table(asked)
    matched = theirs.drop_columns([POSITION])
    for number, name in enumerate(columns):
        matched = matched.append_column(f"{MATCH}{number}", theirs.column(name))
    fetched = Fetched(matched)
    quick, slow = (Owners(ours, columns, quick=way).tag(fetched) for way in (True, False))
    assert quick.to_pylist() == slow.to_pylist()
    assert quick.schema == slow.schema
    answers = [unheld(theirs, columns, ours, columns, quick=way).to_pylist() for way in (True, False)]
    assert answers[0] == answers[1]
