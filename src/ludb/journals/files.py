"""The journal in a folder: one Arrow file per chunk, claim and target."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow as pa

from ludb.dialects.durable import disk_error, file_name, sha256, sync_file, sync_folders, write_new
from ludb.errors import FatalError, TransientError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Chunk

_TABLE = b"ludb_table"
"""Schema metadata that names the table of a stream."""
_KEY = b"ludb_key"
"""Schema metadata of a table that is merged: its key columns, as JSON."""
_REMOVAL = b"ludb_removal"
"""Schema metadata of a stream that holds no rows but units whose rows go: parent table and link, as JSON."""


class FileJournal:
    """Write-sets as `<folder>/<run>/<chunk>/<txn>/<target>.arrow`: create-only, fsynced by `sync`, checked by sha256.

    A part is a row of zstd-compressed Arrow IPC streams: one per removal, then one per table, in writing order. The
    folder must be on a disk that every worker of the run sees. A failing disk is a `TransientError`, a full one a `RoomError`.
    """

    def __init__(self, folder: Path) -> None:
        """The folder is made when the first part is written."""
        self._folder = folder

    def append(self, chunk: Chunk, writes: WriteSet) -> str:
        """Write one target's part; the same part again is the same part, another one is a `FatalError`."""
        content = _encoded(writes)
        sha = hashlib.sha256(content).hexdigest()
        path = self._part(chunk, writes.target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_new(path, content)
        except FileExistsError:
            if sha256(path) != sha:
                raise FatalError(f"journal: {path} is there already, with other content") from None
        except OSError as error:
            raise disk_error(error, f"journal: cannot write {path}", system="journal", path=path) from error
        return sha

    def sync(self, chunk: Chunk) -> None:
        """Sync the claim's files, then every folder from it up to the journal's own."""
        claim = self._claim(chunk)
        try:
            if claim.is_dir():
                for part in sorted(claim.iterdir()):
                    sync_file(part)
                sync_folders(claim, self._folder.parent)
        except OSError as error:
            raise disk_error(error, f"journal: cannot sync {claim}", system="journal", path=claim) from error

    def read(self, chunk: Chunk, target: str, sha: str) -> WriteSet:
        """The part, with the schemas it was appended with; `FatalError` if it is missing or not the one of `sha`."""
        path = self._part(chunk, target)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise FatalError(f"journal: {path} is missing, and its chunk was decided") from None
        except OSError as error:
            raise TransientError(f"journal: cannot read {path}: {error.strerror}", system="journal") from error
        if hashlib.sha256(content).hexdigest() != sha:
            raise FatalError(f"journal: {path} is not what was written: its sha256 differs from the decision's")
        return _decoded(target, content)

    def parts(self, chunk: Chunk) -> dict[str, str]:
        """What stands there for the chunk's txn: sha256 by the name of the part's file, without its ending."""
        claim = self._claim(chunk)
        found = sorted(claim.glob("*.arrow")) if claim.is_dir() else []
        return {path.stem: sha256(path) for path in found}

    def discard(self, chunk: Chunk) -> None:
        """Delete the parts of the chunk's present txn, if any."""
        shutil.rmtree(self._claim(chunk), ignore_errors=True)

    def drop(self, run: str) -> None:
        """Delete the run's folder, if any."""
        shutil.rmtree(self._folder / file_name(run), ignore_errors=True)

    def _claim(self, chunk: Chunk) -> Path:
        return self._folder / file_name(chunk.run) / file_name(chunk.id) / file_name(chunk.txn)

    def _part(self, chunk: Chunk, target: str) -> Path:
        return self._claim(chunk) / f"{file_name(target)}.arrow"


def _encoded(writes: WriteSet) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    for name, removal in writes.removals.items():
        told = json.dumps({"parent": removal.parent, "through": removal.through}).encode()
        _put(sink, options, removal.units, {_TABLE: name.encode(), _REMOVAL: told})
    for name, table in writes.tables.items():
        key = {_KEY: json.dumps(writes.keys[name]).encode()} if name in writes.keys else {}
        _put(sink, options, table, {_TABLE: name.encode(), **key})
    return bytes(sink.getvalue())


def _put(
    sink: pa.BufferOutputStream, options: pa.ipc.IpcWriteOptions, table: pa.Table, said: dict[bytes, bytes]
) -> None:
    schema = table.schema.with_metadata({**(table.schema.metadata or {}), **said})
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_table(table.replace_schema_metadata(schema.metadata))


def _decoded(target: str, content: bytes) -> WriteSet:
    source = pa.BufferReader(content)
    tables: dict[str, pa.Table] = {}
    keys: dict[str, tuple[str, ...]] = {}
    removals: dict[str, Removal] = {}
    while source.tell() < source.size():
        with pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
        metadata = dict(table.schema.metadata or {})
        name = metadata.pop(_TABLE).decode()
        key, told = metadata.pop(_KEY, None), metadata.pop(_REMOVAL, None)
        table = table.replace_schema_metadata(metadata or None)
        if told is not None:
            said = json.loads(told)
            removals[name] = Removal(table, said["parent"], tuple((one, other) for one, other in said["through"]))
            continue
        tables[name] = table
        if key is not None:
            keys[name] = tuple(json.loads(key))
    return WriteSet(target, tables, keys, removals)
