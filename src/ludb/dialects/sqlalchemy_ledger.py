"""The ledger of a target behind SQLAlchemy: one row per committed transaction, in the same transaction as its rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from ludb.dialects.ledger_row import SCHEMA, missing, ranges, written
from ludb.dialects.sqlalchemy import MYSQL, Database
from ludb.errors import ConfigError, LudbError
from ludb.model.run import Txn

NAME = "ludb_ledger"
"""What the table is called."""
_ABOUT = """-- {system} ({dialect}): the ledger of ludb.
-- One row per committed transaction, written in the same transaction as the rows: after a crash it tells what was
-- committed. `ludb run` makes the table by itself where it may; run this text where it may not, and let the user that
-- ludb connects as insert, update and select here.
-- Drop it only when the migration is over: `ludb ledger JOB --drop`.
{ddl};
"""


class Ledger:
    """`ludb_ledger` of one schema. `positions` is a JSON list of [first, last]; `digest` is over positions and row counts."""

    def __init__(self, database: Database) -> None:
        """Nothing is looked at yet. `schema` is where it lies, None for the user's own."""
        settings = database.settings
        self._database = database
        self.schema = settings.ledger.in_schema if settings.ledger else settings.in_schema
        self._table = sa.Table(
            NAME,
            sa.MetaData(),
            sa.Column("txn", sa.String(64), primary_key=True),
            sa.Column("kind", sa.String(16), nullable=False),
            sa.Column("repository_id", sa.String(64), nullable=False),
            sa.Column("seq", sa.BigInteger, nullable=False),
            sa.Column("run", sa.String(255), nullable=False),
            sa.Column("chunk", sa.String(255), nullable=False),
            sa.Column("positions", sa.Text().with_variant(mysql.LONGTEXT(), *sorted(MYSQL)), nullable=False),
            sa.Column("digest", sa.String(64)),
            sa.Column("at", sa.Double, nullable=False),
            schema=self.schema,
            mysql_engine="InnoDB",
            mariadb_engine="InnoDB",
        )

    def create(self, connection: sa.Connection) -> None:
        """Make the table where it is missing; its schema must be there. `ConfigError` where it may not be made."""
        if self.exists(connection):
            self._check_engine(connection)
            return
        try:
            with self._database.errors("create the ledger"):
                connection.execute(CreateTable(self._table))
                connection.commit()
        except LudbError as error:
            connection.rollback()
            if self.exists(connection):
                return  # another worker made it at this very moment
            if isinstance(error, ConfigError):
                raise ConfigError(f"{error.message}", remedy="Have it made: `ludb ledger JOB --ddl`") from error
            raise

    def _check_engine(self, connection: sa.Connection) -> None:
        if self._database.dialect in MYSQL:
            with self._database.errors("look at the ledger"):
                options = sa.inspect(connection).get_table_options(NAME, self.schema)
            engine = next((value for key, value in options.items() if key.endswith("_engine")), "InnoDB")
            if engine != "InnoDB":
                raise ConfigError(
                    f"system {self._database.name}: {NAME} is a table of the engine {engine}, which cannot roll back",
                    remedy="Drop it; ludb makes it anew in InnoDB",
                )

    def ddl(self) -> str:
        """What makes the ledger, for a DBA."""
        made = str(CreateTable(self._table).compile(dialect=self._database.engine.dialect)).strip()
        return _ABOUT.format(system=self._database.name, dialect=self._database.dialect, ddl=made)

    def exists(self, connection: sa.Connection) -> bool:
        """Whether the table is there."""
        with self._database.errors("look for the ledger"):
            return sa.inspect(connection).has_table(NAME, self.schema)

    def rights(self) -> Mapping[str, sa.Insert | sa.Update]:
        """For each right that it needs a statement that needs it too, and concerns no row."""
        names = self._table.c.keys()
        nothing = sa.select(self._table).where(sa.false())
        insert = self._table.insert().from_select(names, nothing, include_defaults=False)
        return {"INSERT": insert, "UPDATE": self._table.update().where(sa.false()).values(digest=None)}

    def entries(self, connection: sa.Connection) -> dict[str, int]:
        """Entries by repository."""
        if not self.exists(connection):
            return {}
        owner = self._table.c.repository_id
        counted = sa.select(owner, sa.func.count()).group_by(owner).order_by(owner)
        with self._database.errors("count the ledger"):
            return {row[0]: int(row[1]) for row in connection.execute(counted)}

    def drop(self, connection: sa.Connection) -> None:
        """Remove the table, if it is there."""
        if self.exists(connection):
            with self._database.errors("drop the ledger"):
                self._table.drop(connection)
                connection.commit()

    def insert(self, connection: sa.Connection, txn: Txn, at: float) -> None:
        """Write the ledger row; `UnitError` if the transaction was committed before."""
        row = {
            "txn": txn.id, "kind": txn.kind, "repository_id": txn.repository, "seq": txn.seq, "run": txn.run,
            "chunk": txn.chunk, "positions": json.dumps(ranges(txn.positions)), "at": at,
        }  # fmt: skip
        with self._database.errors("write the ledger row"):
            connection.execute(self._table.insert().inline(), row)

    def seal(self, connection: sa.Connection, txn: Txn, rows: Mapping[str, int]) -> bool:
        """Write positions and digest into the ledger row and read the row back; False if it is not there."""
        positions, digest = written(txn.positions, rows)
        change = self._table.update().where(self._table.c.txn == txn.id)
        with self._database.errors("seal the ledger row"):
            connection.execute(change.values(positions=positions, digest=digest))
        return self.present(connection, txn.id)

    def left_out(self, connection: sa.Connection, txn: str, positions: Collection[int]) -> list[int] | None:
        """Those of the positions that the committed transaction did not write: they no longer fitted when it was applied.
        None where the transaction is not there.
        """
        with self._database.errors("read the ledger row"):
            text = connection.execute(sa.select(self._table.c.positions).where(self._table.c.txn == txn)).scalar()
        return None if text is None else missing(text, positions)

    def present(self, connection: sa.Connection, txn: str) -> bool:
        """Whether the ledger holds the transaction, as this connection sees it."""
        with self._database.errors("read the ledger row"):
            return connection.execute(sa.select(self._table.c.txn).where(self._table.c.txn == txn)).first() is not None

    def of_repository(self, connection: sa.Connection, repository: str) -> pa.Table:
        """What was committed for a repository, in the order of its sequence numbers; nothing where there is no ledger."""
        if not self.exists(connection):
            return SCHEMA.empty_table()
        ledger = self._table.c
        asked = sa.select(ledger.txn, ledger.seq, ledger.run, ledger.chunk).where(ledger.repository_id == repository)
        with self._database.errors("read the ledger"):
            rows = connection.execute(asked.order_by(ledger.seq, ledger.txn)).all()
        return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 4, schema=SCHEMA)
