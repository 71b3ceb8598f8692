"""A folder of files as a source: read from end to end, in file order, and staged by the engine."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import ClassVar

import pyarrow as pa

from ludb.dialects.files import COMPRESSIONS, SOURCE_FORMATS, FilesSystem, FileTable
from ludb.dialects.files_place import Place
from ludb.dialects.files_reader import own_schema, read_all
from ludb.dialects.files_records import TableFile
from ludb.dialects.settings import Surroundings
from ludb.dialects.types import arrow_type
from ludb.errors import ConfigError
from ludb.model.findings import Price
from ludb.model.unit import Column, Fetched, UnitTable


class FilesSource:
    """CSV, Parquet and JSON lines files of one folder, a table each. Implements `Source` and `CanPrice`: it cannot look
    rows up.

    A CSV has no types, so its columns are text unless `types:` (of the system's table, or of the unit's) says
    otherwise; a value that is not of its type is refused by row number. The order of rows and keys is the file's.
    """

    Settings: ClassVar[type[FilesSystem]] = FilesSystem

    def __init__(self, name: str, settings: FilesSystem, surroundings: Surroundings) -> None:
        """Nothing is opened yet."""
        self._name, self._settings = name, settings
        self._place = Place(name, settings, surroundings)
        self._schemas: dict[str, pa.Schema] = {}

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The file's columns; of a JSON lines file after one reading, which finds a type that holds every value."""
        own, carried = self._schema(table), self._carried(table)
        return tuple(
            Column(field.name, field.type, str(own.field(field.name).type), nullable=field.nullable)
            for field in carried
        )

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys in file order; `ConfigError` for a key that is not of its type: such a unit could not be named."""
        for fetched in self.scan(table, columns):
            if fetched.refused:
                bad = fetched.refused[0]
                where = f"{table.table}, column {bad.column}, row {bad.row_id}"
                raise ConfigError(
                    f"a unit key cannot be carried: {where}: it {bad.reason}",
                    remedy="Mend the row, or carry the key as text with types:",
                )
            if fetched.rows.num_rows:
                yield fetched.rows

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole file in its order, in pieces."""
        carried = self._carried(table)
        for name in columns or ():
            if name not in carried.names:
                raise ConfigError(
                    f"table {table.table} has no column {name!r}",
                    remedy=f"Columns that are there: {', '.join(carried.names)}",
                )
        wanted = carried if columns is None else pa.schema([carried.field(name) for name in columns])
        try:
            yield from read_all(self._files(table), self._schema(table), wanted)
        except OSError as error:
            raise self._place.meaning(error, f"system {self._name}: cannot read {table.table}") from error

    def size(self, table: UnitTable) -> int:
        """The bytes of its files; `ConfigError` where one may not be read."""
        paths = [file.path for file in self._files(table)]
        closed = next((path for path in paths if not self._settings.remote and not os.access(path, os.R_OK)), None)
        if closed is not None:
            raise ConfigError(
                f"system {self._name}: {closed} cannot be read", remedy="Give the user that runs ludb the right to"
            )
        return sum(found.size or 0 for found in self._place.store.get_file_info(paths))

    def price(self, table: UnitTable, columns: Sequence[str]) -> Price | None:  # noqa: ARG002  (the port names them)
        """Always None: a file is read once, when it is staged."""
        return None

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _schema(self, table: UnitTable) -> pa.Schema:
        name = table.table.name
        if name not in self._schemas:
            try:
                self._schemas[name] = own_schema(self._files(table))
            except OSError as error:
                raise self._place.meaning(error, f"system {self._name}: cannot read {table.table}") from error
        return self._schemas[name]

    def _carried(self, table: UnitTable) -> pa.Schema:
        own = self._schema(table)
        types: Mapping[str, str] = {**self._options(table).types, **dict(table.types)}
        for name in types:
            if name not in own.names:
                raise ConfigError(
                    f"types: names column {name!r}, which {table.table} has not",
                    remedy=f"Columns that are there: {', '.join(own.names)}",
                )
        return pa.schema(
            [field.with_type(arrow_type(types[field.name])) if field.name in types else field for field in own]
        )

    def _options(self, table: UnitTable) -> FileTable:
        return self._settings.tables.get(table.table.name, FileTable())

    def _files(self, table: UnitTable) -> list[TableFile]:
        """The table's files in name order; several only where `file:` is a glob."""
        name, options = table.table.name, self._options(table)
        if options.file is not None:
            found = self._place.matching(options.file)
            several = glob.has_magic(options.file)
        else:
            forms = [options.format] if options.format else list(SOURCE_FORMATS)
            endings = [f"{form}{zipped}" for form in forms for zipped in ("", *(f".{end}" for end in COMPRESSIONS))]
            found = [path for path in self._place.matching(f"{glob.escape(name)}.*") if _ending(path, name) in endings]
            several = False
        if not found or (len(found) > 1 and not several):
            what = "several files" if found else "no file"
            raise ConfigError(
                f"system {self._name} has {what} for table {name!r} in {self._place.shown}",
                remedy=f"Name one under tables: of the system. Tables that are there: {self._known()}",
            )
        return [self._file(name, path, options) for path in found]

    def _file(self, name: str, path: str, options: FileTable) -> TableFile:
        endings = [ending.lstrip(".").lower() for ending in PurePosixPath(path).suffixes] or [""]
        zipped = COMPRESSIONS.get(endings[-1]) if options.compression is None else options.compression
        plain = endings[-2] if endings[-1] in COMPRESSIONS and len(endings) > 1 else endings[-1]
        form = options.format or plain
        if form not in SOURCE_FORMATS or (form == "fixed" and not options.widths):
            raise ConfigError(
                f"system {self._name}: the ending of {PurePosixPath(path).name} is none of {', '.join(SOURCE_FORMATS)}",
                field=f"tables.{name}.format",
                remedy="Give the table a format",
            )
        if form == "xml" and not options.rows:
            raise ConfigError(
                f"system {self._name}: XML has no rows before their path is known",
                field=f"tables.{name}.rows",
                remedy="Give the path of the row elements: root/row",
            )
        return TableFile(name, path, form, options, self._place.store, None if zipped == "none" else zipped)

    def _known(self) -> str:
        endings = {name: set(name.lower().split(".")[1:]) for name in self._place.names()}
        stems = {name.partition(".")[0] for name, parts in endings.items() if parts & set(SOURCE_FORMATS)}
        return ", ".join(sorted(stems | set(self._settings.tables))) or "none at all"


def _ending(path: str, name: str) -> str:
    return PurePosixPath(path).name.removeprefix(f"{name}.")
