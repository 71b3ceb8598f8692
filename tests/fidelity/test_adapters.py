"""The fidelity suites over the built-in adapters: every case that a system can hold, out of it and into it, by number."""

from __future__ import annotations

from dataclasses import replace

from ludb.sources.files import FilesSource
from ludb.sources.mysql import MysqlSource
from ludb.sources.postgres import PostgresSource
from ludb.sources.sqlite import SqliteSource
from ludb.targets.files import FilesTarget
from ludb.targets.mysql import MysqlTarget
from ludb.targets.postgres import PostgresTarget
from ludb.targets.sqlite import SqliteTarget
from ludb.testing.fidelity import from_arrow, from_files, from_mysql, from_postgres, from_sqlite
from tests.fidelity.shelves import Held, Takes, holders, stores, takers  # noqa: F401  (fixtures)


class TestPostgresHolds(Held):
    system, adapter, probes = "postgres", PostgresSource, from_postgres.PROBES


class TestMysqlHolds(Held):
    system, adapter, probes = "mysql", MysqlSource, from_mysql.PROBES


class TestSqliteHolds(Held):
    system, adapter, probes = "sqlite", SqliteSource, from_sqlite.PROBES


class TestFilesHold(Held):
    system, adapter, probes = "files", FilesSource, from_files.PROBES


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
