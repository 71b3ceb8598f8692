"""An HTTP API as a source: read once from end to end, page by page, and always staged."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from ludb.dialects.durable import file_name
from ludb.dialects.files import FileTable, dump_json
from ludb.dialects.files_reader import read, widened
from ludb.dialects.files_records import TableFile
from ludb.dialects.http.auth import by_reference
from ludb.dialects.http.exchange import Exchange
from ludb.dialects.http.pool import Pool, Session
from ludb.dialects.http.settings import Identity, RestSystem
from ludb.dialects.http.tables import ApiTable
from ludb.dialects.settings import Surroundings
from ludb.dialects.types import arrow_type
from ludb.errors import ConfigError
from ludb.model.unit import Column, Fetched, UnitTable
from ludb.sources.rest.documents import Documents, documents
from ludb.sources.rest.pages import Pages
from ludb.sources.rest.shred import Shredder, below, top
from ludb.wording import plural


def _utc() -> datetime:
    return datetime.now(UTC)


class _Rows:
    """The rows of one table as a file of JSON lines, with the kinds of value that each column has."""

    def __init__(self, path: Path) -> None:
        self.path, self.types, self.kinds = path, dict[str, pa.DataType](), dict[str, dict[str, None]]()

    def note(self, record: dict[str, Any]) -> None:
        for name, value in record.items():
            self.types[name] = widened(self.types.get(name, pa.null()), value)
            kinds = self.kinds.setdefault(name, {})
            if value is not None:
                kinds[_KINDS.get(type(value), "number")] = None

    def native(self, name: str) -> str:
        """What the column's type follows from."""
        kinds = list(self.kinds.get(name, {}))
        return f"JSON {' and '.join(kinds)}" if kinds else "JSON, without a value"


_KINDS = {str: "text", bool: "boolean", int: "integer", dict: "object", list: "array"}


class RestSource:
    """Documents of an API, and the arrays in them, as tables. Implements `Source` and `ReadsOnce`.

    Each path is read once per process, when the first of its tables is asked for, into a folder of its own; `gather` reads
    into a take. A column that nobody declares has the type that holds all of its values; numbers never lose a digit.
    """

    Settings: ClassVar[type[RestSystem]] = RestSystem

    def __init__(
        self,
        name: str,
        settings: RestSystem,
        surroundings: Surroundings,
        *,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = _utc,
    ) -> None:
        """Nothing is opened yet. ConfigError for a secret that stands in the job, or a certificate that cannot be used."""
        by_reference(settings.auth, "auth", surroundings.variables, f"systems.{name}")
        by_reference(settings.tls, "tls", surroundings.variables, f"systems.{name}")
        self._name, self._settings, self._state = name, settings, surroundings.state
        self._identity = Identity.of(name, settings, surroundings)
        self._exchange = Exchange(name, settings, surroundings, jitter, now)
        self._pool = Pool(name, self._exchange.session, settings.in_flight)
        self._exchange.resize = self._pool.resize
        self._rows: dict[str, _Rows] = {}
        self._kept: dict[str, tuple[Path, list[str]]] = {}
        self._scratch = ExitStack()
        self._place: Path | None = None

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """Its columns; the path is read for it, if it was not read yet."""
        rows = self._rows_of(table)
        declared = {**self._table(table).types, **dict(table.types)}
        return tuple(
            Column(field.name, field.type, "declared" if field.name in declared else rows.native(field.name))
            for field in self._carried(table)
        )

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys in the API's order; `ConfigError` for one that is not of its type: such a unit could not be named."""
        for fetched in self.scan(table, columns):
            if fetched.refused:
                bad = fetched.refused[0]
                raise ConfigError(
                    f"a unit key cannot be carried: {table.table}, column {bad.column}, row {bad.row_id}: it {bad.reason}",
                    remedy="Mend the document, or carry the key as text with types:",
                )
            if fetched.rows.num_rows:
                yield fetched.rows

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """All rows in the order of the pages."""
        carried = self._carried(table)
        for name in columns or ():
            if name not in carried.names:
                raise ConfigError(
                    f"table {table.table} has no column {name!r}",
                    remedy=f"Columns that are there: {', '.join(carried.names)}",
                )
        wanted = carried if columns is None else pa.schema([carried.field(name) for name in columns])
        rows = self._rows_of(table)
        file = TableFile(table.table.name, str(rows.path), "jsonl", FileTable())
        yield from read(file, self._own(table), wanted)

    def gather(self, tables: Sequence[str], folder: Path, before: Path | None) -> Sequence[str]:
        """Read what these tables are made of into `folder`; see `ludb.ports.source.ReadsOnce`."""
        folder.mkdir(parents=True, exist_ok=True)
        tops = list(dict.fromkeys(top(name, self._settings.tables) for name in tables if self._known(name)))
        for name in tops:
            if name in self._kept:  # somebody has asked for its columns a moment ago
                for file in self._kept[name][0].glob(f"{file_name(name)}.*"):
                    shutil.copyfile(file, folder / file.name)
        self._read([name for name in tops if name not in self._kept], folder, before)
        return [note for name in tops for note in self._kept[name][1]]

    def close(self) -> None:
        """End connections and their thread, and remove what was kept beside takes; safe to repeat."""
        self._pool.close()
        self._scratch.close()
        self._rows, self._kept, self._place = {}, {}, None

    def _known(self, name: str) -> ApiTable:
        found = self._settings.tables.get(name)
        if found is None:
            there = ", ".join(self._settings.tables) or "none at all"
            raise ConfigError(
                f"system {self._name} has no table {name!r}",
                remedy=f"Say under tables: of the system where it is read. Tables that are there: {there}",
            )
        return found

    def _table(self, table: UnitTable) -> ApiTable:
        return self._known(table.table.name)

    def _rows_of(self, table: UnitTable) -> _Rows:
        self._table(table)
        name = table.table.name
        if name not in self._rows:
            self._read([top(name, self._settings.tables)], self._aside(), None)
        return self._rows[name]

    def _own(self, table: UnitTable) -> pa.Schema:
        rows, declared = self._rows_of(table), self._table(table)
        names = dict.fromkeys([*rows.types, *declared.carry, *declared.fields, *declared.types])
        names |= dict.fromkeys([declared.number] if declared.number else [])
        if not names:
            raise ConfigError(
                f"system {self._name}: no row of table {table.table.name!r} came, so its columns are not known",
                field=f"systems.{self._name}.tables.{table.table.name}.types", remedy="Declare them under types:",
            )  # fmt: skip
        found = {name: rows.types.get(name, pa.null()) for name in names}
        return pa.schema([(name, pa.string() if pa.types.is_null(kind) else kind) for name, kind in found.items()])

    def _carried(self, table: UnitTable) -> pa.Schema:
        own = self._own(table)
        types = {**self._table(table).types, **dict(table.types)}
        for name in types:
            if name not in own.names:
                raise ConfigError(
                    f"types: names column {name!r}, which {table.table} has not",
                    remedy=f"Columns that are there: {', '.join(own.names)}",
                )
        return pa.schema(
            [field.with_type(arrow_type(types[field.name])) if field.name in types else field for field in own]
        )

    def _aside(self) -> Path:
        if self._place is None:
            state = self._state if self._state.is_dir() else None  # where there is room for staged tables too
            made = tempfile.TemporaryDirectory(prefix="reading-", dir=state)
            self._place = Path(self._scratch.enter_context(made))
        return self._place

    def _read(self, names: Iterable[str], folder: Path, before: Path | None) -> None:
        """Read paths, each page by page, several paths at a time."""
        jobs = [partial(self._pass, name, folder, before) for name in names]
        for name, notes in self._pool.run(jobs):
            path = folder / f"{file_name(name)}.jsonl"
            self._shred(name, path)
            if self._settings.tables[name].changed is None:
                path.unlink()  # nobody will merge anything into it
            self._kept[name] = (folder, notes)

    async def _pass(self, name: str, folder: Path, before: Path | None, session: Session) -> tuple[str, list[str]]:
        settings, table = self._settings, self._settings.tables[name]
        base = settings.url.get_secret_value().rstrip("/")
        pages = Pages(name, table, self._exchange, self._identity, base, settings.retry_for)
        with Documents(self._name, name, table, folder, before) as kept:
            await pages.read(session, kept.since, kept.keep)
        if pages.total is not None and pages.total != kept.distinct:
            raise ConfigError(
                f"system {self._name}, table {name}: the API says that there are {pages.total:,}, and "
                f"{plural(kept.distinct, 'document')} came",
                field=f"systems.{self._name}.tables.{name}.total",
                remedy="Read it again when nobody writes to it; or page by cursor; or leave total: out",
            )
        return name, kept.finish(folder)

    def _shred(self, name: str, path: Path) -> None:
        """Write the rows of every table that these documents hold."""
        tables = self._settings.tables
        with ExitStack() as files:
            made = {one: _Rows(self._aside() / f"{file_name(one)}.rows") for one in below(name, tables)}
            open_ = {one: files.enter_context(rows.path.open("wb")) for one, rows in made.items()}

            def keep(one: str, record: dict[str, Any]) -> None:
                made[one].note(record)
                open_[one].write(dump_json(record).encode("utf-8", "backslashreplace") + b"\n")

            shredder = Shredder(name, tables)
            for document in documents(path):
                try:
                    shredder.shred(document, keep)
                except ValueError as error:
                    raise ConfigError(
                        f"system {self._name}: {error}", field=f"systems.{self._name}.tables", remedy="Mend carry:"
                    ) from None
        self._rows |= made
