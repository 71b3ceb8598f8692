"""Transactions on the store: short, translated, and the same for every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ludb.errors import FatalError, LudbError, TransientError
from ludb.repositories.store.tables import meta

WRITE = "ludb_write"
"""Execution option of a connection whose next transaction will write: the dialect's session begins it accordingly."""

T = TypeVar("T")

_BATCH = 500  # parameters of one IN list: well below the limit of every database


class Database:
    """One engine with its clock and its source of ids. Every port method is exactly one `read` or `write`.

    `name` is what messages call the store; `translate` turns a driver error into ours; `lock` is taken around every
    transaction where all threads share one connection; `alone` keeps all others from changing the schema meanwhile, where
    a transaction that writes does not do so by itself; `exclusive` says that such a transaction has the store for itself
    from its first statement on, so that what it has read stays so.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str,
        clock: Callable[[], float],
        ids: Callable[[], str],
        translate: Callable[[DBAPIError, str], LudbError],
        lock: AbstractContextManager[object] | None = None,
        exclusive: bool = False,
        alone: Callable[[Connection], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Take the engine over: `close` disposes of it."""
        self.engine, self.name, self.now, self.new_id = engine, name, clock, ids
        self.alone = alone
        self.exclusive = exclusive
        self._translate = translate
        self._lock = nullcontext() if lock is None else lock

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent look at the store; takes no write lock."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that writes: all of it, or nothing when the block raises."""
        with self._transaction(write=True) as connection:
            yield connection

    def close(self) -> None:
        """Let go of all connections; safe to repeat."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self._lock, self.engine.connect() as connection:
                connection.execution_options(**{WRITE: write})
                with connection.begin():
                    yield connection
        except IntegrityError as error:
            # Lost races are caught where they can happen; what arrives here breaks an invariant of the store.
            raise FatalError(
                f"job repository {self.name}: a change contradicts what is stored ({type(error.orig).__name__}). "
                "Stop the run and keep the repository for inspection"
            ) from error
        except PoolTimeoutError as error:
            raise TransientError(f"job repository {self.name}: no free connection", system="repository") from error
        except DBAPIError as error:
            raise self._translate(error, self.name) from error


def next_seq(connection: Connection) -> int:
    """The next number of the store's one sequence, taken in the caller's transaction."""
    taken = update(meta).values(seq=meta.c.seq + 1)
    if connection.dialect.update_returning:
        return int(connection.execute(taken.returning(meta.c.seq)).scalar_one())
    connection.execute(taken)
    return int(connection.execute(select(meta.c.seq)).scalar_one())


def batches(items: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    """The items in pieces small enough for one IN list."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
