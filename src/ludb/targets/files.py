"""A folder of files as a target: each chunk adds one file per table, which appears whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from ludb.dialects.durable import disk_error, file_name, publish, sha256, sync_file, sync_folder, write_new
from ludb.dialects.files import FilesSystem, folder_of
from ludb.dialects.files_inspect import inspect, standing
from ludb.dialects.files_objects import ObjectFolder, ObjectParticipant
from ludb.dialects.files_writer import Output, encode, read_parts
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, FatalError, UnitError
from ludb.model.data import Applied, WriteSet
from ludb.model.findings import Finding
from ludb.model.run import Txn
from ludb.model.unit import POSITION, Column

_SCHEMA = pa.schema([("txn", pa.string()), ("seq", pa.int64()), ("run", pa.string()), ("chunk", pa.string())])


class FilesTarget:
    """Files below one folder: `<table>/part-<txn>.<format>`. Implements `Target`, `CanRead`, `CanRehearse`,
    `CanInspect`, `CanSweep`, `HasRoom` and `HasLedger`.

    `.ludb/<chunk>~<txn>/` holds a transaction's parts until they are renamed; it bears its chunk's name, so that the
    chunk's next claim can delete what an earlier one left. `.ludb/ledger/<txn>.json` is written once all parts are in
    their places. Between the two a reader may see a part of a chunk whose other tables are still on their way. The
    folder must be on one file system that knows hard links.

    Below `s3://` a part has its final name at once, and counts when `_manifest/<txn>.json` is there (`files_objects`).
    """

    Settings: ClassVar[type[FilesSystem]] = FilesSystem

    def __init__(
        self, name: str, settings: FilesSystem, surroundings: Surroundings, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Nothing is made yet. `clock` dates ledger entries."""
        self._name, self._settings, self._clock = name, settings, clock
        self._folder = folder_of(settings, surroundings)
        self._objects = ObjectFolder(name, settings, surroundings) if settings.remote else None

    def columns(self, table: str) -> Sequence[Column]:  # noqa: ARG002  (the port names it)
        """Always empty: a file takes the columns that a step gives it."""
        return ()

    def misfits(self, table: str, made: pa.Schema) -> Sequence[ConfigError]:
        """Columns that CSV has no form for: bytes, lists and structs."""
        errors: list[ConfigError] = []
        for field in made if self._settings.format == "csv" else ():
            try:
                encode(pa.schema([field]).empty_table(), Output.of(self._settings), f"{self._name}.{table}")
            except ConfigError as error:
                errors.append(error)
        return errors

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """By name: files know no foreign keys."""
        return sorted(tables)

    def begin(self, txn: Txn) -> FilesParticipant | ObjectParticipant:
        """Nothing is on the disk before `prepare`. `FatalError` if the transaction was committed before.

        What an earlier claim of the same chunk left is deleted: a chunk that begins anew was never decided.
        """
        if self._is_committed(txn):
            raise FatalError(f"system {self._name}: transaction {txn.id} was committed before")
        self.sweep(txn)
        return self._participant(txn)

    def sweep(self, txn: Txn) -> None:
        """Delete what other claims of the chunk left; see `ludb.ports.target.CanSweep`."""
        if self._objects:
            self._objects.sweep(txn.chunk, but=txn.id)
            return
        own = _own_folder(self._folder, txn)
        with self._errors("delete what an earlier try left"):
            for left in own.parent.glob(f"{glob.escape(file_name(txn.chunk))}~*"):
                if left != own:
                    shutil.rmtree(left, ignore_errors=True)

    def rehearse(self, txn: Txn) -> FilesRehearsal:
        """Nothing is on the disk, ever."""
        return FilesRehearsal(self._name, self._folder, Output.of(self._settings), txn, self._clock)

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Finish a decided transaction: what is published stays, what is prepared is renamed, the rest is written
        again.

        `FatalError` where a published part holds something else.
        """
        participant = self._participant(txn)
        if self._is_committed(txn):
            participant.forget()  # what a commit that was cut off had not yet deleted
            return Applied(already=True)
        if not participant.prepared():
            participant.rollback()
            for table, rows in writes.tables.items():
                try:
                    participant.write(table, rows)
                except UnitError as error:
                    raise FatalError(f"system {self._name}: a decided chunk cannot be written: {error}") from error
            participant.prepare()
        participant.commit()
        return Applied(already=False)

    def ledger(self, repository: str) -> pa.Table:
        """The transactions whose parts are all published, in the order of their sequence numbers."""
        entries = self._entries()
        mine = sorted((e["seq"], e["txn"], e["run"], e["chunk"]) for e in entries if e["repository_id"] == repository)
        columns = {"txn": 1, "seq": 0, "run": 2, "chunk": 3}
        return pa.table({name: [entry[at] for entry in mine] for name, at in columns.items()}, schema=_SCHEMA)

    def prepare_schema(self) -> None:
        """Make the folder and its ledger; `ConfigError` if the folder above it is missing or cannot be written."""
        if self._objects:
            self._objects.probe()
            return
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / ".ludb" / "ledger").mkdir(parents=True, exist_ok=True)
            for folder in (self._folder / ".ludb", self._folder, self._folder.parent):
                sync_folder(folder)
        except OSError as error:
            raise ConfigError(
                f"system {self._name}: cannot make {self._folder}: {error.strerror}",
                remedy="Create the folder above it, or mend the system's path",
            ) from error

    def inspect(self, tables: Sequence[str]) -> Sequence[Finding]:
        """Whether the folder is there, or can be made, and can be written; tables that have parts already."""
        if self._objects:
            self._entries()  # which tells a bucket that is not there, and refused credentials
            return []
        return list(inspect(self._name, self._folder, tables))

    def room(self) -> tuple[Path, int] | None:
        """Of the disk that the folder is on, or will be."""
        if self._objects:
            return None
        place = standing(self._folder)
        return place, shutil.disk_usage(place).free

    def ledger_ddl(self) -> str:
        """A comment: a folder of files needs rights, no table."""
        if self._objects:
            return (
                f"-- {self._name} (files): no table. The ledger is _manifest/ in {self._objects.url}, one object per\n"
                "-- committed transaction, put by ludb with If-None-Match. Needs: to get, put, list and delete objects.\n"
            )
        return (
            f"-- {self._name} (files): no table. The ledger is the folder .ludb in {self._folder}, one small file per\n"
            "-- committed transaction; `ludb run` makes it. Needs: the right to make, link and rename files there.\n"
        )

    def ledger_entries(self) -> dict[str, int]:
        """Entries by repository."""
        return dict(sorted(Counter(str(entry["repository_id"]) for entry in self._entries()).items()))

    def drop_ledger(self) -> None:
        """Delete `.ludb`, with what killed chunks left in it; published parts stay."""
        if self._objects:
            self._objects.close_ledger()
            return
        with self._errors("drop the ledger"), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder / ".ludb")

    def read(self, table: str) -> pa.Table:
        """All published rows, part by part in the order of their names; CSV columns are text."""
        if self._objects:
            return self._objects.read(table)
        output = Output.of(self._settings)
        with self._errors(f"read {self._name}.{table}"):
            return read_parts(sorted((self._folder / file_name(table)).glob(f"part-*.{output.ending}")), output, table)

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _entries(self) -> list[dict[str, Any]]:
        if self._objects:
            return self._objects.manifests()
        with self._errors("read the ledger"):
            return [json.loads(path.read_text()) for path in (self._folder / ".ludb" / "ledger").glob("*.json")]

    def _is_committed(self, txn: Txn) -> bool:
        if self._objects:
            return self._objects.get(self._objects.manifest(txn.id)) is not None
        return self._marker(txn).is_file()

    def _participant(self, txn: Txn) -> FilesParticipant | ObjectParticipant:
        if self._objects:
            return ObjectParticipant(self._objects, txn, self._clock)
        return FilesParticipant(self._name, self._folder, Output.of(self._settings), txn, self._clock)

    def _marker(self, txn: Txn) -> Path:
        return self._folder / ".ludb" / "ledger" / f"{file_name(txn.id)}.json"

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        with _translated(self._name, self._folder, doing):
            yield


class FilesParticipant:
    """One chunk's part in a folder of files; see `ludb.ports.target.Participant`."""

    def __init__(self, system: str, folder: Path, output: Output, txn: Txn, clock: Callable[[], float]) -> None:
        """`output` says how parts are written."""
        self._system, self._folder, self._output, self._txn, self._clock = system, folder, output, txn, clock
        self._own = _own_folder(folder, txn)
        self._manifest = self._own / "manifest.json"
        self._marker = folder / ".ludb" / "ledger" / f"{file_name(txn.id)}.json"
        self._pieces: dict[str, list[pa.Table]] = {}
        self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Keep the rows for `prepare`; `UnitError` with every unit that the format cannot hold (NaN in JSON)."""
        place = f"{self._system}.{table}"
        if self._output.form != "parquet":
            encode(rows, self._output, place)  # values that cannot be written speak here, before any call is made
        if rows.num_rows:
            self._pieces.setdefault(table, []).append(rows.drop_columns([POSITION]))

    def prepare(self) -> None:
        """Write the parts and then their manifest below `.ludb`, all of it synced to the disk."""
        with _translated(self._system, self._folder, "prepare the parts"):
            self._own.mkdir(parents=True)
            parts = {}
            for number, (table, pieces) in enumerate(self._pieces.items()):
                path = self._own / f"{number}.{self._output.ending}"
                rows = pa.concat_tables(pieces, promote_options="permissive")
                write_new(path, encode(rows, self._output, f"{self._system}.{table}"))
                sync_file(path)
                parts[table] = {"file": path.name, "sha256": sha256(path), "rows": rows.num_rows}
            write_new(self._manifest.with_suffix(".new"), json.dumps(parts).encode())
            sync_file(self._manifest.with_suffix(".new"))
            publish(self._manifest.with_suffix(".new"), self._manifest)
            sync_folder(self._own)
            sync_folder(self._own.parent)

    def prepared(self) -> bool:
        """Whether an earlier `prepare` of this transaction was finished, and each of its parts is still there or
        published.
        """
        if not self._manifest.is_file():
            return False
        parts = json.loads(self._manifest.read_text())
        return all(
            (self._own / part["file"]).is_file() or self._final(table).is_file() for table, part in parts.items()
        )

    def commit(self) -> None:
        """Rename each part to its place, then write the ledger entry. What is done already is checked, not done
        again.
        """
        if self._committed:
            return
        with _translated(self._system, self._folder, "publish the parts"):
            if not self._marker.is_file():
                parts = json.loads(self._manifest.read_text())
                for table, part in parts.items():
                    self._publish(table, part)
                self._mark(parts)
            self._committed = True
            shutil.rmtree(self._own, ignore_errors=True)

    def forget(self) -> None:
        """Delete what stands beside the published parts of a committed transaction."""
        shutil.rmtree(self._own, ignore_errors=True)

    def rollback(self) -> None:
        """Delete what `prepare` wrote; nothing after `commit`."""
        if not self._committed:
            shutil.rmtree(self._own, ignore_errors=True)
            self._pieces.clear()

    def _publish(self, table: str, part: Mapping[str, Any]) -> None:
        final = self._final(table)
        temporary = self._own / part["file"]
        final.parent.mkdir(exist_ok=True)
        try:
            if temporary.is_file():
                publish(temporary, final)
        except FileExistsError:
            pass  # a commit that was cut off: whether it is ours is seen below
        if not final.is_file() or sha256(final) != part["sha256"]:
            raise FatalError(f"system {self._system}: {final} is not what was prepared")
        sync_folder(final.parent)
        sync_folder(self._folder)

    def _final(self, table: str) -> Path:
        return self._folder / file_name(table) / f"part-{file_name(self._txn.id)}.{self._output.ending}"

    def _mark(self, parts: Mapping[str, Any]) -> None:
        txn = self._txn
        entry = {
            "txn": txn.id,
            "kind": txn.kind,
            "repository_id": txn.repository,
            "seq": txn.seq,
            "run": txn.run,
            "chunk": txn.chunk,
            "parts": parts,
            "at": self._clock(),
        }
        temporary = self._own / "ledger.json"
        temporary.unlink(missing_ok=True)
        write_new(temporary, json.dumps(entry).encode())
        sync_file(temporary)
        with contextlib.suppress(FileExistsError):  # somebody finished this very transaction meanwhile
            publish(temporary, self._marker)
        sync_folder(self._marker.parent)


class FilesRehearsal(FilesParticipant):
    """A participant that makes its parts in memory and throws them away."""

    def prepare(self) -> None:
        """Encode the parts as they would be written."""
        for table, pieces in self._pieces.items():
            encode(pa.concat_tables(pieces, promote_options="permissive"), self._output, f"{self._system}.{table}")

    def commit(self) -> None:
        """Forget the rows."""
        self._pieces.clear()

    def rollback(self) -> None:
        """Forget the rows."""
        self._pieces.clear()


def _own_folder(folder: Path, txn: Txn) -> Path:
    return folder / ".ludb" / f"{file_name(txn.chunk)}~{file_name(txn.id)}"


@contextmanager
def _translated(system: str, folder: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path = Path(error.filename) if error.filename else folder
        raise disk_error(error, f"system {system}: could not {doing}", system=system, path=path) from error
