"""Stores with a table for each probe, made once for a module, and the suites over them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from ludb.dialects.settings import Surroundings
from ludb.model.unit import TableRef, UnitTable
from ludb.testing.fidelity.source import GOOD, FidelitySourceContract
from ludb.testing.fidelity.target import FidelityTargetContract
from tests.fidelity.stores import Files, Mysql, Postgres, Sqlite


class Shelf:
    """A table for each probe in a store, and the adapter over it."""

    def __init__(self, store, suite):
        self.store, self.suite, self._names = store, suite, {}
        self._opened = None

    @property
    def opened(self):
        if self._opened is None:
            adapter = self.suite.adapter
            settings = adapter.Settings(**self.suite.settings(self.store))
            self._opened = adapter("system", settings, Surroundings(Path("/"), Path("/")))
        return self._opened

    def hold(self, probes, native=None):
        for number, probe in enumerate(probes):
            self._names[str(probe)] = table = f"p{number:03}"
            kind = probe.native if native is None else probe.into[native]
            rows = [] if native else [(GOOD, probe.good), *enumerate(probe.values, 1)]
            self.store.create(table, kind, rows)

    def source(self, probe):
        table = self._names[str(probe)]
        types = (("v", probe.carry),) if probe.carry else ()
        return self.opened, UnitTable(table, TableRef("system", table), types=types)

    def texts(self, probe):
        return self.store.texts(self._names[str(probe)], probe.native)

    def target(self, probe):
        return self.opened, self._names[str(probe)]

    def close(self):
        if self._opened is not None:
            self._opened.close()


@pytest.fixture(scope="module")
def stores(request, tmp_path_factory):
    """Makes an empty store of a kind; all of them are gone with the module."""
    made = []

    def make(kind, role, **options):
        if kind == "postgres":
            store = Postgres(request.getfixturevalue("postgres_server"), role)
        elif kind == "mysql":
            store = Mysql(request.getfixturevalue("mariadb_server"), role)
        elif kind == "sqlite":
            store = Sqlite(tmp_path_factory.mktemp(role) / "it.db")
        else:
            kind = "files"
            store = Files(tmp_path_factory.mktemp(role) / "files", **options)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture(scope="module")
def holders(stores):
    """The source of a kind, with all its probes; made once."""
    made = {}

    def holder(suite):
        if suite.system not in made:
            made[suite.system] = shelf = Shelf(stores(suite.kind or suite.system, "source"), suite)
            shelf.hold(suite.probes)
        return made[suite.system]

    yield holder
    for shelf in made.values():
        shelf.close()


@pytest.fixture(scope="module")
def takers(stores):
    """The target of a kind, with an empty table for each probe that has a place there; made once."""
    made = {}

    def taker(suite):
        key = (suite.system, *suite.options.items())
        if key not in made:
            store = stores(suite.kind or suite.system, "target", **suite.options)
            made[key] = shelf = Shelf(store, suite)
            shelf.hold([probe for probe in suite.probes if suite.system in probe.into], suite.system)
            shelf.written = lambda probe: store.texts(shelf.target(probe)[1], probe.into[suite.system])
            shelf.opened.prepare_schema()
        return made[key]

    yield taker
    for shelf in made.values():
        shelf.close()


class Suite:
    """`kind` is the store's where it is not the system's name."""

    kind = ""

    @staticmethod
    def settings(store):
        return store.settings


class Held(Suite, FidelitySourceContract):
    @pytest.fixture
    def shelf(self, holders):
        return holders(self)


class Takes(Suite, FidelityTargetContract):
    options: ClassVar = {}

    @pytest.fixture
    def shelf(self, takers):
        return takers(self)
