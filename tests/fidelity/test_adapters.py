"""The fidelity suites over the built-in adapters: every case that a system can hold, out of it and into it, by number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from ludb.dialects.settings import Surroundings
from ludb.model.unit import TableRef, UnitTable
from ludb.sources.files import FilesSource
from ludb.sources.mysql import MysqlSource
from ludb.sources.postgres import PostgresSource
from ludb.sources.sqlite import SqliteSource
from ludb.targets.files import FilesTarget
from ludb.targets.mysql import MysqlTarget
from ludb.targets.postgres import PostgresTarget
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.fidelity import from_arrow, from_files, from_mysql, from_postgres, from_sqlite
from ludb.testing.fidelity.source import GOOD, FidelitySourceContract
from ludb.testing.fidelity.target import FidelityTargetContract
from tests.fidelity.stores import Files, Mysql, Postgres, Sqlite


class Shelf:
    """A table for each probe in a store, and the adapter over it."""

    def __init__(self, store, adapter):
        self.store, self.adapter, self._names = store, adapter, {}
        self._opened = None

    @property
    def opened(self):
        if self._opened is None:
            settings = self.adapter.Settings(**self.store.settings)
            self._opened = self.adapter("system", settings, Surroundings(Path("/"), Path("/")))
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
            made[suite.system] = shelf = Shelf(stores(suite.system, "source"), suite.adapter)
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
            store = stores(suite.system, "target", **suite.options)
            made[key] = shelf = Shelf(store, suite.adapter)
            shelf.hold([probe for probe in suite.probes if suite.system in probe.into], suite.system)
            shelf.written = lambda probe: store.texts(shelf.target(probe)[1], probe.into[suite.system])
            shelf.opened.prepare_schema()
        return made[key]

    yield taker
    for shelf in made.values():
        shelf.close()


class Held(FidelitySourceContract):
    @pytest.fixture
    def shelf(self, holders):
        return holders(self)


class TestPostgresHolds(Held):
    system, adapter, probes = "postgres", PostgresSource, from_postgres.PROBES


class TestMysqlHolds(Held):
    system, adapter, probes = "mysql", MysqlSource, from_mysql.PROBES


class TestSqliteHolds(Held):
    system, adapter, probes = "sqlite", SqliteSource, from_sqlite.PROBES


class TestFilesHold(Held):
    system, adapter, probes = "files", FilesSource, from_files.PROBES


class Takes(FidelityTargetContract):
    options: ClassVar = {}

    @pytest.fixture
    def shelf(self, takers):
        return takers(self)


class TestPostgresTakes(Takes):
    system, adapter = "postgres", PostgresTarget


class TestMysqlTakes(Takes):
    system, adapter = "mysql", MysqlTarget


class TestSqliteTakes(Takes):
    system, adapter = "sqlite", SqliteTarget


class TestParquetTakes(Takes):
    system, adapter = "files", FilesTarget


def of_format(form, refused, without=()):
    """What a step hands over, as files of a format take it: `refused` maps an Arrow type to words of the reason."""
    return [
        replace(probe, into={form: ""}, refused={form: refused[kind]} if kind in refused else {})
        for probe in from_arrow.PROBES
        if "files" in probe.into and (kind := kind_of(probe)) not in without
    ]


def kind_of(probe):
    return f"{probe.native} {probe.name}" if probe.native == "double" else probe.native


class TestJsonLinesTake(Takes):
    """NaN and infinity are no JSON; bytes are marked base64."""

    system, adapter, options = "jsonl", FilesTarget, {"form": "jsonl"}
    probes = of_format("jsonl", {"double nan": "NaN", "double infinity": "NaN"})


class TestCsvTakes(Takes):
    """Bytes have no place in CSV, which is a mistake of the job."""

    system, adapter, options = "csv", FilesTarget, {"form": "csv"}
    probes = of_format("csv", {}, without=("binary",))
