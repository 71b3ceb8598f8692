"""Old keys to new keys: the `KeyMap` port over SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ludb.errors import FatalError, UnitError
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import Database, batches


class StoreKeyMap:
    """The `KeyMap` port: what was given once is given for ever."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def allocate(self, job: str, name: str, old: Sequence[bytes], start: int) -> list[int]:
        """New numbers for old keys, in order; a block of the counter is taken only for keys that the map lacks."""
        with self._db.read() as connection:
            known = _known(connection, job, name, old)
        if not all(key in known for key in old):
            with self._db.write() as connection:
                lock_counter(connection, job, name, start)
                known = _known(connection, job, name, old)
                missing = [key for key in dict.fromkeys(old) if key not in known]
                if missing:
                    first = take_block(connection, job, name, len(missing))
                    fresh = {key: str(first + number) for number, key in enumerate(missing)}
                    try:
                        _insert(connection, job, name, fresh)
                    except IntegrityError as error:
                        raise FatalError(
                            f"job {job}: key map {name} already gave out a number from {first} to "
                            f"{first + len(missing) - 1}, though its counter stood at {first}. Restore the repository"
                        ) from error
                    known |= fresh
        return [int(known[key]) for key in old]

    def next(self, job: str, name: str, start: int) -> int:
        """Where the counter stands; `start` while nothing was given out."""
        c = t.key_counter.c
        with self._db.read() as connection:
            found = connection.execute(select(c.next).where(c.job == job, c.map == name)).scalar_one_or_none()
        return start if found is None else int(found)

    def store(self, job: str, name: str, pairs: Mapping[bytes, str]) -> None:
        """Keep values that a server returned. `UnitError` (no unit named) if another key holds one of them already."""
        if not pairs:
            return
        with self._db.write() as connection:
            for some in batches(list(pairs)):
                m = t.key_map.c
                connection.execute(delete(t.key_map).where(m.job == job, m.map == name, m.old.in_(some)))
            try:
                _insert(connection, job, name, pairs)
            except IntegrityError as error:
                raise UnitError(
                    f"job {job}: a value returned for key map {name} belongs to another key already; "
                    "two units would share one object"
                ) from error

    def lookup(self, job: str, name: str, old: Sequence[bytes]) -> list[str | None]:
        """The new values as text, in order; None where the map has none."""
        with self._db.read() as connection:
            known = _known(connection, job, name, old)
        return [known.get(key) for key in old]


def _known(connection: Connection, job: str, name: str, old: Sequence[bytes]) -> dict[bytes, str]:
    m, found = t.key_map.c, {}
    for some in batches(list(dict.fromkeys(old))):
        query = select(m.old, m.new).where(m.job == job, m.map == name, m.old.in_(some))
        found.update({bytes(row.old): row.new for row in connection.execute(query)})
    return found


def lock_counter(connection: Connection, job: str, name: str, start: int) -> None:
    """Make others wait who want numbers of this map, from before the look at what is missing."""
    c = t.key_counter.c
    mine = select(c.next).where(c.job == job, c.map == name).with_for_update()
    if connection.execute(mine).first() is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(insert(t.key_counter).values(job=job, map=name, next=start))
    except IntegrityError:  # somebody else was first to want one
        connection.execute(mine)


def take_block(connection: Connection, job: str, name: str, size: int) -> int:
    """Take the next `size` numbers of a counter that is locked; returns the first of them."""
    c = t.key_counter.c
    mine = (c.job == job, c.map == name)
    connection.execute(update(t.key_counter).where(*mine).values(next=c.next + size))
    return int(connection.execute(select(c.next).where(*mine)).scalar_one()) - size


def _insert(connection: Connection, job: str, name: str, pairs: Mapping[bytes, str]) -> None:
    rows = [{"job": job, "map": name, "old": key, "new": value} for key, value in pairs.items()]
    connection.execute(insert(t.key_map), rows)
