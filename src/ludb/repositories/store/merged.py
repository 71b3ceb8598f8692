"""Who wrote which key of a merged output in a run: what two upserts of one key are noticed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from ludb.errors import Fault, TransientError, UnitError
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import batches
from ludb.repositories.store.runs import get_run


def run_number(connection: Connection, run_id: str) -> int:
    """The run as these rows name it: eight bytes, since there is a row for every row that was merged."""
    number = connection.execute(select(t.run.c.number).where(t.run.c.id == run_id)).scalar_one_or_none()
    if number is None:
        get_run(connection, run_id)  # says which runs there are
    return int(number or 0)


def holders(connection: Connection, run: int, digests: Sequence[bytes]) -> dict[bytes, int]:
    """The list position of the unit that wrote each key; keys that nobody has written are left out."""
    m, found = t.merged.c, {}
    for some in batches(digests):
        query = select(m.digest, m.position).where(m.run == run, m.digest.in_(some))
        found.update({bytes(row.digest): int(row.position) for row in connection.execute(query)})
    return found


def hold(connection: Connection, run_id: str, wanted: Mapping[bytes, int]) -> None:
    """Give the keys to their units, in the caller's transaction.

    `UnitError` naming the units that others were faster than; `TransientError` if one of those has not committed yet.
    """
    if not wanted:
        return
    run, digests = run_number(connection, run_id), sorted(wanted)  # in one order, so that two of these never deadlock
    try:
        _insert(connection, run, wanted, digests)
    except IntegrityError as error:
        there = holders(connection, run, digests)
        late = {
            wanted[digest]: Fault(
                "another unit of the run has written the same key", f"the unit at list position {holder}"
            )
            for digest, holder in there.items()
            if wanted[digest] != holder
        }
        if late:
            raise UnitError(
                "another unit of the run has written the same key of a merged output", faults=late
            ) from error
        try:
            _insert(connection, run, wanted, [digest for digest in digests if digest not in there])
        except IntegrityError as again:  # who has them does not show yet
            raise TransientError(
                f"run {run_id}: another chunk is deciding on a key that this one writes", system="repository"
            ) from again


def _insert(connection: Connection, run: int, wanted: Mapping[bytes, int], digests: Sequence[bytes]) -> None:
    if digests:
        rows = [{"run": run, "digest": digest, "position": wanted[digest]} for digest in digests]
        with connection.begin_nested():
            connection.execute(insert(t.merged), rows)
