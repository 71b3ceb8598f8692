"""The fidelity suites over the generic adapters, by three dialects: every case, out of them and into them, by number."""

from __future__ import annotations

import re

from ludb.sources.sqlalchemy import SqlalchemySource
from ludb.targets.sqlalchemy import SqlalchemyTarget
from ludb.testing.fidelity.generic import HELD, TAKEN, label
from tests.fidelity.shelves import Held, Takes, holders, stores, takers  # noqa: F401  (fixtures)

TAILS = {"mysql": "?ssl_disabled=true"}
"""PyMySQL would make a TLS context for each connection, which takes longer than all the rest."""
HEADS = {"postgres": "postgresql+psycopg:", "mysql": "mysql+pymysql:", "sqlite": "sqlite:///"}


class Generic:
    """The store's address as SQLAlchemy has it."""

    @property
    def label(self):
        return label(self.kind)

    def settings(self, store):
        url = re.sub("^(postgresql:|mysql:)?", HEADS[self.kind], store.url) + TAILS.get(self.kind, "")
        return {"type": "sqlalchemy", "url": url, "allow_not_durable": True}


class TestPostgresHolds(Generic, Held):
    system, kind, adapter, probes = "postgres", "postgres", SqlalchemySource, HELD["postgres"]


class TestMysqlHolds(Generic, Held):
    system, kind, adapter, probes = "mysql", "mysql", SqlalchemySource, HELD["mysql"]


class TestSqliteHolds(Generic, Held):
    system, kind, adapter, probes = "sqlite", "sqlite", SqlalchemySource, HELD["sqlite"]


class TestPostgresTakes(Generic, Takes):
    system, kind, adapter = "postgres", "postgres", SqlalchemyTarget
    probes = TAKEN


class TestMysqlTakes(Generic, Takes):
    system, kind, adapter = "mysql", "mysql", SqlalchemyTarget
    probes = TAKEN


class TestSqliteTakes(Generic, Takes):
    system, kind, adapter = "sqlite", "sqlite", SqlalchemyTarget
    probes = TAKEN
