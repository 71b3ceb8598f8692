"""Where runs live: the state directory and the repository, opened for one process."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ludb.dialects.durable import disk_error
from ludb.dialects.settings import DRY_RUNS
from ludb.errors import ConfigError
from ludb.ports.repository import Repository
from ludb.project.registry import adapter

_TYPES = {"postgresql": "postgres", "mariadb": "mysql"}
"""Repository types whose addresses begin with another word."""


@dataclass(frozen=True, slots=True)
class Site:
    """The state directory, the repository and who is acting. Everything in the directory is private to its owner.

    `keys_of` is the URL of the repository that a dry run reads known keys from; its workers have it in `$LUDB_KEYS_OF`, not on
    their command line, because it may hold a password.
    """

    state: Path
    repository: Repository
    repository_url: str
    environment: Mapping[str, str]
    actor: str
    host: str
    keys_of: str = ""

    @property
    def journal(self) -> Path:
        """Where write-sets are journaled."""
        return self.state / "journal"

    @property
    def staged(self) -> Path:
        """Where takes of sources are kept; a dry run uses those of its job."""
        dry = self.state.parent.name == DRY_RUNS
        return (self.state.parent.parent if dry else self.state) / "staged"

    @property
    def locks(self) -> Path:
        """Where living processes hold their locks."""
        return self.state / "locks"

    def logs(self, run_id: str) -> Path:
        """The log folder of a run."""
        return self.state / "logs" / run_id

    def pinned(self, run_id: str) -> Path:
        """What a run has pinned: job content, shared tables, staged tables."""
        return self.state / "pinned" / run_id


@contextmanager
def writing_below(place: Path) -> Iterator[None]:
    """A disk that fails while the block writes below `place` is told with the place: `RoomError` if it is full."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, f"cannot write below {place}", system="state directory", path=place) from error


def state_directory(state: Path | None, folder: Path | None, environment: Mapping[str, str]) -> Path:
    """`--state`, else `$LUDB_STATE`, else `.ludb` beside `job.yaml` (or in the current folder)."""
    if state is not None:
        return state.resolve()
    if environment.get("LUDB_STATE"):
        return Path(environment["LUDB_STATE"]).resolve()
    return ((folder or Path.cwd()) / ".ludb").resolve()


def open_site(
    *,
    state: Path | None = None,
    repository: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    create: bool = True,
) -> Site:
    """Open the state directory and its repository. Without `create`, a state directory that is not there is a
    `ConfigError` instead of an empty new one. A dry run is never kept in a shared repository.
    """
    environment = os.environ if environment is None else environment
    place = state_directory(state, folder, environment)
    shared = "" if place.parent.name == DRY_RUNS else environment.get("LUDB_REPOSITORY")
    url = repository or shared or f"sqlite:///{place / 'repository.sqlite'}"
    if not create and url.startswith("sqlite") and not (place / "repository.sqlite").exists() and not repository:
        raise ConfigError(
            f"no runs are kept in {place}", remedy="Name the state directory with --state, or the job folder with --job"
        )
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"the state directory {place} cannot be made: {error.strerror}",
            remedy="Name a folder that can be written with --state",
        ) from error
    known = environment.get("LUDB_KEYS_OF", "")
    return Site(place, open_repository(url), url, environment, _actor(environment), socket.gethostname(), known)


def open_repository(url: str) -> Repository:
    """The repository behind a URL."""
    return cast("Repository", repository_type(url)(url))


def repository_type(url: str) -> Callable[[str], object]:
    """The adapter that the URL's scheme names, loaded."""
    scheme = url.split(":", 1)[0].split("+", 1)[0]
    return cast("Callable[[str], object]", adapter("ludb.repositories", _TYPES.get(scheme, scheme)))


def open_scratch(environment: Mapping[str, str] | None = None) -> Site:
    """A site in memory: nothing is kept, and no state directory is made. `state` is a place that is not there."""
    environment = os.environ if environment is None else environment
    memory = cast("Repository", adapter("ludb.repositories", "memory")())
    return Site(Path(os.devnull) / "none", memory, "memory:", environment, _actor(environment), socket.gethostname())


def _actor(environment: Mapping[str, str]) -> str:
    if environment.get("LUDB_ACTOR"):
        return environment["LUDB_ACTOR"]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
