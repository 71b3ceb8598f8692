"""Where a source's files are: a folder, or what is below a prefix of an object store."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.fs as pafs

from ludb.dialects.files import FilesSystem, folder_of, refuse_plain_secret
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, LudbError, PauseError, TransientError

_REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_CLIENT_TOKEN_ID",
    "HTTP status 403",
)


class Place:
    """A system's files by name, relative to its path; `store` opens what `matching` finds."""

    def __init__(self, name: str, settings: FilesSystem, surroundings: Surroundings) -> None:
        """Nothing is opened; `ConfigError` where a secret stands in the job as such."""
        refuse_plain_secret(name, settings, surroundings)
        self.name, self._settings = name, settings
        self._folder = folder_of(settings, surroundings)
        self._credential = ", ".join(surroundings.variables.get("secret_key", ())) or "secret_key"
        self._s3: Any = None

    @property
    def shown(self) -> str:
        """The place as a person knows it."""
        return self._settings.path if self._settings.remote else str(self._folder)

    @property
    def store(self) -> Any:
        """The Arrow file system that the paths are in, made at first use."""
        if not self._settings.remote:
            return pafs.LocalFileSystem()
        if self._s3 is None:
            given = self._settings
            self._s3 = pafs.S3FileSystem(
                access_key=given.access_key.get_secret_value() if given.access_key else None,
                secret_key=given.secret_key.get_secret_value() if given.secret_key else None,
                region=given.region,
                endpoint_override=given.endpoint,
                connect_timeout=10,
                request_timeout=60,
                retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=3),
            )
        return self._s3

    def matching(self, pattern: str) -> list[str]:
        """Paths of the files whose name fits the glob, sorted; in an object store `*` never crosses a slash."""
        if not self._settings.remote:
            return sorted(str(path) for path in self._folder.glob(pattern) if path.is_file())
        depth = len(PurePosixPath(pattern).parts)
        fitting = [name for name in self._remote() if PurePosixPath(name).match(pattern)]
        return [f"{self._root}/{name}" for name in fitting if len(PurePosixPath(name).parts) == depth]

    def names(self) -> list[str]:
        """The names of all files directly at the place."""
        if not self._settings.remote:
            return sorted(path.name for path in self._folder.glob("*.*"))
        return [name for name in self._remote() if "/" not in name]

    def meaning(self, error: OSError, what: str) -> LudbError:
        """What a failing read means: refused credentials pause, a store or disk that is away passes."""
        text = str(error)
        if any(code in text for code in _REFUSED):
            return PauseError(f"{what}: the credentials were refused", system=self.name, credential=self._credential)
        shown = f"{self.shown} is away or failed" if self._settings.remote else text
        return TransientError(f"{what}: {shown}", system=self.name)

    @property
    def _root(self) -> str:
        return self._settings.path.removeprefix("s3://").rstrip("/")

    def _remote(self) -> list[str]:
        bucket = self._root.partition("/")[0]
        if self.store.get_file_info(bucket).type == pafs.FileType.NotFound:
            raise ConfigError(f"system {self.name}: there is no bucket {bucket}", remedy="Mend the system's path")
        found = self.store.get_file_info(pafs.FileSelector(self._root, recursive=True, allow_not_found=True))
        return sorted(str(Path(one.path).relative_to(self._root)) for one in found if one.type == pafs.FileType.File)
