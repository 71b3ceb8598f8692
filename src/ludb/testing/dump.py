"""What truly stands in the targets, as text that two runs can be compared by (PROTOCOL R10).

Generated keys, server ids and call ids differ from run to run; `Names` says what each of them stands for, and the dumps
hold the names instead. Everything is read from the systems themselves, never from the repository's counters.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ludb.dialects.files import FORMATS
from ludb.dialects.files_writer import Output, read_parts
from ludb.model.keys import key_bytes, key_text
from ludb.ports.repository import Repository

Dump = dict[str, list[str]]
"""Table or collection -> its rows as canonical JSON, sorted. A row that is there twice is in the list twice."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LEDGER = frozenset({"ludb_ledger"})
"""Tables of ours in a target: they tell of transactions, which differ from run to run."""


class Names:
    """What generated values stand for. A value that nobody named stays as it is, so that it is seen as a difference."""

    def __init__(self) -> None:
        """Know no names."""
        self._names: dict[str, str] = {}

    def add(self, value: object, name: str) -> None:
        """The value stands for `name`, as number or as text."""
        self._names[str(value)] = f"<{name}>"

    def __or__(self, other: Names) -> Names:
        """What either of them knows."""
        both = Names()
        both._names = self._names | other._names
        return both

    def put(self, value: Any) -> Any:
        """The value with names in it, in depth; UUIDs within a text (an href) are named too."""
        if isinstance(value, Mapping):
            return {key: self.put(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.put(inner) for inner in value]
        if isinstance(value, str):
            return self._names.get(value) or _UUID.sub(lambda found: self._names.get(found[0], found[0]), value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._names.get(str(value), value)
        return value

    def row(self, value: Any) -> str:
        """The value as one line of canonical JSON."""
        return json.dumps(self.put(value), sort_keys=True, ensure_ascii=False, default=str)


def names_of(repository: Repository, run_id: str, maps: Mapping[str, Iterable[Sequence[object]]]) -> Names:
    """The names of everything that a run generated: ids of its units' calls, and the new keys of `maps` (map name -> old
    keys, each a sequence of its parts). Server ids are named by their output and row, whatever the call's generation.
    """
    names, run = Names(), repository.runs.get(run_id)
    for position in range(run.units):
        for call in repository.views.unit(run_id, position)[2]:
            place = f"{call.output} {call.unit_key} {call.row_key}"
            names.add(call.id, f"call {place}")
            if call.server_id is not None:
                names.add(call.server_id, f"object {place}")
    for name, old in maps.items():
        keys = list(old)
        new = repository.keymap.lookup(run.job, name, [key_bytes(key) for key in keys])
        for key, value in zip(keys, new, strict=True):
            if value is not None:
                names.add(value, f"{name} {key_text(key)}")
    return names


def dump_sqlite(path: Path, names: Names, *, without: Collection[str] = LEDGER) -> Dump:
    """All tables of a SQLite database but those in `without`."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names_there = {row["name"] for row in listed if not row["name"].startswith("sqlite_")}
        tables = sorted(names_there - set(without))
        found: Dump = {}
        for table in tables:
            quoted = table.replace('"', '""')
            rows = connection.execute(f'SELECT * FROM "{quoted}"').fetchall()
            found[table] = sorted(names.row(dict(row)) for row in rows)
    return found


def dump_files(folder: Path, names: Names) -> Dump:
    """All tables below the folder of a files target: one folder each, the published parts of every format."""
    found: Dump = {}
    for table in sorted(path for path in folder.iterdir() if path.is_dir() and path.name != ".ludb"):
        rows: list[Any] = []
        for form in FORMATS:
            rows += read_parts(sorted(table.glob(f"*.{form}")), Output(form), table.name).to_pylist()
        found[table.name] = sorted(names.row(row) for row in rows)
    return found


def dump_documents(documents: Iterable[Mapping[str, Any]], names: Names) -> list[str]:
    """The objects of an API's store."""
    return sorted(names.row(document) for document in documents)


def unfinished_files(folder: Path) -> list[str]:
    """What transactions left below `.ludb` of a files target besides its ledger: nothing once all are settled."""
    own = folder / ".ludb"
    left = (path for path in own.iterdir() if path.name != "ledger" and any(path.iterdir())) if own.is_dir() else ()
    return sorted(path.name for path in left)
