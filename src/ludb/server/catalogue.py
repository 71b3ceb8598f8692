"""The jobs that a server knows: folders that hold a `job.yaml`. One that does not load is listed with its error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ludb.errors import ConfigError, ConfigErrors
from ludb.project.content import JOB_FILE
from ludb.project.folder import JobFolder, read_job

FRESH = 2.0
"""Seconds for which what was read of a folder is believed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A job folder: the job that it holds, or why it does not load. `name` is the folder's own where it does not."""

    name: str
    folder: Path
    job: JobFolder | None
    errors: tuple[ConfigError, ...] = ()


class Catalogue:
    """Reads job folders when it is asked, and not again for a moment. Steps in Python are not run by it."""

    def __init__(
        self, places: Sequence[Path], environment: Mapping[str, str], more: Callable[[], Sequence[Path]] = tuple
    ) -> None:  # fmt: skip
        """`places` are job folders, or folders whose sub-folders are jobs; `more` tells those that people have registered."""
        self._places, self._environment, self._more = places, environment, more
        self._lock = threading.Lock()
        self._read: tuple[float, list[Entry]] | None = None

    def all(self) -> list[Entry]:
        """All jobs, by name; of two folders with one name the second does not count as loaded."""
        with self._lock:
            if self._read is None or time.monotonic() - self._read[0] > FRESH:
                self._read = (time.monotonic(), self._look())
            return self._read[1]

    def forget(self) -> None:
        """Read all folders anew when somebody asks next."""
        with self._lock:
            self._read = None

    def find(self, name: str) -> Entry | None:
        """The job of this name, the one that loads before one that does not."""
        found = [one for one in self.all() if one.name == name]
        return next((one for one in found if one.job is not None), found[0] if found else None)

    def _look(self) -> list[Entry]:
        found: dict[str, Entry] = {}
        broken = []
        for folder in self._folders():
            entry = self._entry(folder)
            if entry.job is not None and entry.name in found:
                twice = ConfigError(
                    f"{found[entry.name].folder} is a job {entry.name} too", remedy="Rename one of them"
                )
                entry = Entry(entry.name, folder, None, (twice,))
            if entry.job is None:
                broken.append(entry)
            else:
                found[entry.name] = entry
        return sorted([*found.values(), *broken], key=lambda one: (one.name, str(one.folder)))

    def _folders(self) -> list[Path]:
        folders: dict[Path, None] = {}
        for place in (*self._places, *self._more()):
            if (place / JOB_FILE).is_file():
                folders[place] = None
            elif place.is_dir():
                folders |= {one: None for one in sorted(place.iterdir()) if (one / JOB_FILE).is_file()}
        return list(folders)

    def _entry(self, folder: Path) -> Entry:
        try:
            job = read_job(folder, self._environment)
        except ConfigErrors as error:
            return Entry(folder.name, folder, None, tuple(error.errors))
        except ConfigError as error:
            return Entry(folder.name, folder, None, (error,))
        except OSError as error:
            return Entry(folder.name, folder, None, (ConfigError(f"it cannot be read: {error.strerror}"),))
        return Entry(job.job.name, folder, job)
