"""Files in an object store: parts are put in `prepare`, and one manifest put with If-None-Match makes them count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from ludb.dialects.durable import file_name
from ludb.dialects.files import FilesSystem, refuse_plain_secret
from ludb.dialects.files_reader import read, schema_of
from ludb.dialects.files_writer import Output, encode
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, FatalError, LudbError, PauseError, RoomError, TransientError
from ludb.model.run import Txn
from ludb.model.unit import POSITION

_PROBE, _SUCCESS = "_manifest.probe", "_SUCCESS"


class ObjectFolder:
    """The objects below one URL, with every error of the store named by what happens next."""

    def __init__(self, name: str, settings: FilesSystem, surroundings: Surroundings) -> None:
        """Nothing is asked of the store yet. `ConfigError` where a secret stands in the job as such, or the extra is missing."""
        self.name, self.url, self.output = name, settings.path, Output.of(settings)
        self._credential = ", ".join(surroundings.variables.get("secret_key", ())) or "secret_key"
        refuse_plain_secret(name, settings, surroundings)
        try:
            import obstore  # noqa: PLC0415  (an extra)
            from obstore.store import S3Store  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(f"system {name}: {settings.path} needs obstore", remedy="Install ludb[s3]") from error
        bucket, _, prefix = settings.path.removeprefix("s3://").partition("/")
        given = {
            "region": settings.region,
            "endpoint": settings.endpoint,
            "access_key_id": settings.access_key.get_secret_value() if settings.access_key else None,
            "secret_access_key": settings.secret_key.get_secret_value() if settings.secret_key else None,
        }
        plain = (settings.endpoint or "").startswith("http://")
        self._objects: Any = obstore
        self._store = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            config={key: value for key, value in given.items() if value is not None},  # type: ignore[arg-type]
            client_options={"allow_http": plain, "timeout": "60s", "connect_timeout": "10s"},
            retry_config={"max_retries": 2},
        )

    def put(self, path: str, content: bytes, *, new: bool = False) -> bool:
        """Store an object; False if it should be new and is there already."""
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415

        with self.errors(f"put {path}"):
            try:
                self._objects.put(self._store, path, content, mode="create" if new else "overwrite")
            except AlreadyExistsError:
                return False
            return True

    def get(self, path: str) -> bytes | None:
        """An object's content, None if there is no such object; a missing bucket is a `ConfigError`."""
        with self.errors(f"read {path}"):
            try:
                return bytes(self._objects.get(self._store, path).bytes())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def names(self, below: str) -> list[str]:
        """The paths of all objects in a folder, sorted."""
        with self.errors(f"list {below}"):
            return sorted(str(item["path"]) for some in self._objects.list(self._store, prefix=below) for item in some)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are not there are fine."""
        if paths:
            with self.errors("delete objects"), suppress(FileNotFoundError):
                self._objects.delete(self._store, list(paths))

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """The store's errors as those of the engine; what stands in the server's answer stays out but for its code."""
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            yield
        except (BaseError, OSError) as error:
            raise self._meaning(error, f"system {self.name}: could not {doing} in {self.url}") from error

    def _meaning(self, error: Exception, what: str) -> LudbError:
        text, kind = str(error), type(error).__name__
        if "NoSuchBucket" in text:
            return ConfigError(
                f"{what}: there is no such bucket", remedy="Create the bucket, or mend the system's path"
            )
        refused = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or any(code in text for code in refused):
            return PauseError(f"{what}: the credentials were refused", system=self.name, credential=self._credential)
        if any(code in text for code in ("QuotaExceeded", "StorageFull", "507 Insufficient")):
            return RoomError(f"{what}: the store is full", system=self.name, path=self.url)
        if "EntityTooLarge" in text:
            return FatalError(f"{what}: the store takes no object of this size; use smaller chunks")
        return TransientError(f"{what}: the store is away or failed ({kind})", system=self.name)

    def manifest(self, txn: str) -> str:
        """Where a transaction's manifest stands."""
        return f"_manifest/{file_name(txn)}.json"

    def manifests(self) -> list[dict[str, Any]]:
        """All manifests; they are fetched sixteen at a time."""
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(self.get, self.names("_manifest/")))
        return [json.loads(content) for content in found if content is not None]

    def committed(self) -> dict[str, Mapping[str, Any]]:
        """Parts that count, by path: those of `_SUCCESS`, and those of manifests."""
        earlier = self.get(_SUCCESS)
        parts: dict[str, Mapping[str, Any]] = json.loads(earlier)["parts"] if earlier else {}
        for manifest in self.manifests():
            parts |= manifest["parts"]
        return parts

    def probe(self) -> None:
        """`ConfigError` unless the store refuses to put a new object over one that is there: exactly once hangs on that."""
        self.put(_PROBE, b"", new=True)
        again = self.put(_PROBE, b"", new=True)
        self.delete([_PROBE])
        if again:
            raise ConfigError(
                f"system {self.name}: {self.url} ignores If-None-Match", remedy="Use a store with conditional writes"
            )

    def sweep(self, chunk: str | None, but: str = "") -> None:
        """Delete what undecided transactions of a chunk (None: of all) left."""
        below = "_prepared/"
        for path in self.names(below):
            own, _, txn = path.removeprefix(below).removesuffix(".json").partition("~")
            if (chunk is None or own == file_name(chunk)) and txn != file_name(but):
                content = self.get(path)
                if content is not None and self.get(self.manifest(txn)) is None:
                    self.delete(list(json.loads(content)))
                self.delete([path])

    def close_ledger(self) -> None:
        """Sum all manifests up in `_SUCCESS`, then delete them; a reader finds the same parts before, meanwhile, after."""
        self.sweep(None)
        names = self.names("_manifest/")
        if names:
            self.put(_SUCCESS, json.dumps({"parts": self.committed()}).encode())
            self.delete(names)

    def read(self, table: str) -> pa.Table:
        """The rows of all parts of a table that count, in the order of their paths."""
        tables: list[pa.Table] = []
        for path, part in sorted(self.committed().items()):
            if part["table"] == table:
                content = self.get(path)
                if content is None:
                    raise FatalError(f"system {self.name}: {path} is committed, but gone")
                held = self.output.part(table, path, _Held(content))
                own = schema_of(held)
                tables.extend(fetched.rows for fetched in read(held, own, own))
        return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})


class ObjectParticipant:
    """One chunk's part in an object store; see `ludb.ports.target.Participant`."""

    def __init__(self, folder: ObjectFolder, txn: Txn, clock: Callable[[], float]) -> None:
        """Nothing is put before `prepare`."""
        self._folder, self._txn, self._clock = folder, txn, clock
        self._intent = f"_prepared/{file_name(txn.chunk)}~{file_name(txn.id)}.json"
        self._pieces: dict[str, list[pa.Table]] = {}
        self._parts: dict[str, dict[str, Any]] | None = None
        self._decided = self._committed = False

    def write(self, table: str, rows: pa.Table) -> None:
        """Keep the rows for `prepare`; `UnitError` with every unit that the format cannot hold."""
        if self._folder.output.form != "parquet":
            encode(rows, self._folder.output, f"{self._folder.name}.{table}")
        if rows.num_rows:
            self._pieces.setdefault(table, []).append(rows.drop_columns([POSITION]))

    def prepare(self) -> None:
        """Put a note of what is to come, so that it can be deleted, and then the parts. No reader counts them yet."""
        parts, contents = {}, {}
        for table, pieces in self._pieces.items():
            path = f"{file_name(table)}/part-{file_name(self._txn.id)}.{self._folder.output.ending}"
            rows = pa.concat_tables(pieces, promote_options="permissive")
            contents[path] = encode(rows, self._folder.output, f"{self._folder.name}.{table}")
            digest = hashlib.sha256(contents[path]).hexdigest()
            parts[path] = {"table": table, "sha256": digest, "rows": rows.num_rows}
        self._folder.put(self._intent, json.dumps(parts).encode())
        for path, content in contents.items():
            self._folder.put(path, content)
        self._parts = parts

    def prepared(self) -> bool:
        """Whether every part that an earlier `prepare` announced is there, byte for byte."""
        note = self._folder.get(self._intent)
        if note is None:
            return False
        parts = json.loads(note)
        for path, part in parts.items():
            content = self._folder.get(path)
            if content is None or hashlib.sha256(content).hexdigest() != part["sha256"]:
                return False
        self._parts = parts
        return True

    def commit(self) -> None:
        """Put the manifest, unless it is there; `FatalError` if the one that is there names other parts."""
        if self._committed:
            return
        assert self._parts is not None
        self._decided = True
        txn = self._txn
        entry = {
            "txn": txn.id, "kind": txn.kind, "repository_id": txn.repository, "seq": txn.seq, "run": txn.run,
            "chunk": txn.chunk, "parts": self._parts, "at": self._clock(),
        }  # fmt: skip
        path = self._folder.manifest(txn.id)
        if not self._folder.put(path, json.dumps(entry).encode(), new=True):
            other = self._folder.get(path)
            if other is None or json.loads(other)["parts"] != self._parts:
                raise FatalError(f"system {self._folder.name}: {path} is not what was prepared")
        self._committed = True
        self.forget()

    def forget(self) -> None:
        """Delete the note of `prepare`; one that stays is harmless."""
        with suppress(LudbError):
            self._folder.delete([self._intent])

    def rollback(self) -> None:
        """Delete what `prepare` put; nothing once `commit` was tried, for its answer may have been lost."""
        if not self._decided:
            with suppress(LudbError):  # what stays is deleted by the chunk's next claim
                note = self._folder.get(self._intent)
                self._folder.delete(list(json.loads(note)) if note else [])
                self._folder.delete([self._intent])
            self._pieces.clear()


class _Held:
    """One object's content, opened as a file system opens files."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open_input_stream(self, path: str, compression: str | None) -> Any:  # noqa: ARG002
        return pa.input_stream(pa.BufferReader(self._content), compression=compression)

    def open_input_file(self, path: str) -> Any:  # noqa: ARG002
        return pa.BufferReader(self._content)
