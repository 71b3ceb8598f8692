"""A job is bound to adapters, steps, rules and lookups: what a worker gets when it loads a job."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from pydantic import SecretStr

from ludb.dialects.settings import Surroundings, SystemSettings
from ludb.errors import ConfigError, ConfigErrors
from ludb.project import registry
from ludb.project.load import load_migration
from ludb.project.lookups import read_lookups

JOB = """\
name: shop
systems:
  old: {type: store, url: old.db}
  new: {type: store, url: "${NEW_URL}"}
  api: {type: web}
unit: {root: old.customers, key: id, reference: [old.tariffs]}
outputs: {api.person: {call: POST /person, row: unit_key}}
rules: {has_name: warn}
lookups: {codes: {types: {rank: integer}}}
"""
FILES = {
    "job.yaml": JOB,
    "steps/20_more/new.person.sql": "SELECT unit_key, 1 AS n FROM old.customers",
    "steps/10_first/api.person.py": "from lib.words import word\n\n\ndef transform(unit):\n    yield {'word': word}\n",
    "steps/10_first/new.person.sql": "SELECT unit_key, 2 AS n FROM old.customers",
    "rules/10_first/has_name.sql": "SELECT unit_key, 'no name' AS reason FROM old.customers WHERE name IS NULL",
    "rules/last.sql": "SELECT unit_key, 'x' AS reason FROM old.customers WHERE false",
    "lookups/codes.csv": "code,rank\n007,1\n,\n",
    "macros/text.sql": "CREATE MACRO clean(x) AS trim(x)",
    "lib/words.py": "word = 'hello'\n",
}


class Settings(SystemSettings):
    url: SecretStr = SecretStr("")


class Adapter:
    """An adapter that remembers how it was made, and whether it was closed."""

    Settings = Settings
    made: list[Adapter] = []  # noqa: RUF012  (emptied by the fixture)

    def __init__(self, *arguments: object) -> None:
        self.arguments, self.closed = arguments, False
        Adapter.made.append(self)

    def close(self) -> None:
        self.closed = True


class Broken(Adapter):
    """An adapter that refuses its settings."""

    def __init__(self, *arguments: object) -> None:
        raise ConfigError("the url is wrong", remedy="Mend it")


class Entry:
    """An entry point of a fake adapter."""

    def __init__(self, name: str, adapter: type) -> None:
        self.name, self.load = name, lambda: adapter


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The registered adapters by group; steps are the real ones."""
    Adapter.made.clear()
    real = registry.entry_points
    groups = {
        registry.SOURCES: [Entry("store", Adapter)],
        registry.TARGETS: [Entry("store", Adapter)],
        registry.CALL_TARGETS: [Entry("web", Adapter)],
    }

    def entry_points(group, **named):
        if group not in groups:
            return real(group=group, **named)
        return [entry for entry in groups[group] if named.get("name") in (None, entry.name)]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    return groups


def write(folder: Path, **changed: str) -> Path:
    for name, text in {**FILES, **changed}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, home: Path | None = None, **reference: pa.Table):
    return load_migration(
        folder,
        environment={"NEW_URL": "new.db"},
        state=folder / ".ludb",
        reference=reference,
        parameters={"day": "2024-01-01"},
        home=home,
    )


def test_every_system_gets_the_adapters_of_the_roles_it_plays(tmp_path):
    migration = load(write(tmp_path))
    assert (list(migration.sources), list(migration.targets), list(migration.calls)) == (["old"], ["new"], ["api"])
    name, settings, surroundings = migration.targets["new"].arguments  # type: ignore[attr-defined]
    assert (name, settings.url.get_secret_value()) == ("new", "new.db")
    assert surroundings == Surroundings(tmp_path, tmp_path / ".ludb", {"url": ("NEW_URL",)})
    assert list(migration.calls["api"].arguments[3]) == ["api.person"]  # type: ignore[attr-defined]
    migration.close()
    assert [adapter.closed for adapter in Adapter.made] == [True, True, True]


def test_relative_paths_start_where_the_job_is_at_home_even_if_a_copy_is_loaded(tmp_path):
    migration = load(write(tmp_path / "copy"), home=tmp_path / "home")
    assert migration.sources["old"].arguments[2].folder == tmp_path / "home"  # type: ignore[attr-defined]


def test_steps_rules_and_macros_come_in_the_order_they_run(tmp_path):
    migration = load(write(tmp_path))
    assert [(folder.name, [(step.name, step.output) for step in folder.steps]) for folder in migration.folders] == [
        (
            "10_first",
            [("steps/10_first/api.person.py", "api.person"), ("steps/10_first/new.person.sql", "new.person")],
        ),
        ("20_more", [("steps/20_more/new.person.sql", "new.person")]),
    ]
    (rule,) = migration.folders[0].rules
    assert (rule.name, rule.severity, rule.sql) == ("rules/10_first/has_name.sql", "warn", FILES[rule.name])
    assert [rule.name for rule in migration.rules] == ["rules/last.sql"]
    assert migration.macros == {"macros/text.sql": FILES["macros/text.sql"]}
    assert migration.parameters == {"day": "2024-01-01"}


def test_lookups_stand_beside_the_pinned_reference_tables(tmp_path):
    migration = load(write(tmp_path), tariffs=pa.table({"id": [1]}))
    assert sorted(migration.reference) == ["codes", "tariffs"]
    assert migration.reference["codes"].to_pylist() == [{"code": "007", "rank": 1}, {"code": "", "rank": None}]


def test_every_step_and_rule_that_does_not_parse_is_told_at_once(tmp_path):
    changed = {
        "steps/20_more/new.person.sql": "SELECT unit_key,\n  FROM FROM old.customers",
        "steps/10_first/api.person.py": "def transform(unit:\n",
        "rules/last.sql": "DELETE FROM old.customers",
    }
    with pytest.raises(ConfigErrors) as caught:
        load(write(tmp_path, **changed))
    assert {error.file for error in caught.value.errors} == set(changed)
    assert (
        next(error.line for error in caught.value.errors if error.file and error.file.endswith("more/new.person.sql"))
        == 2
    )
    assert Adapter.made == []


def test_a_step_that_is_no_text_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "rules" / "last.sql").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"rules/last\.sql: is not UTF-8 text"):
        load(tmp_path)


def test_an_adapter_that_refuses_leaves_no_other_one_open_and_its_system_is_named(tmp_path, known):
    known[registry.CALL_TARGETS] = [Entry("web", Broken)]
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path))
    assert (caught.value.file, caught.value.field) == ("job.yaml", "systems.api")
    assert [adapter.closed for adapter in Adapter.made] == [True, True]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "is empty"),
        ("a,a\n1,2\n", 1, "a column name twice"),
        ("a,\n1,2\n", 1, "a column name twice or an empty one"),
        ("a,b\n1,2\n\n1,2,3\n", 4, "has 3 fields where the header has 2"),
        ('a,b\n1,"x\n', None, "cannot be read as csv"),
    ],
)
def test_a_bad_lookup_names_its_line(tmp_path, text, line, message):
    path = tmp_path / "codes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        read_lookups([(path, "codes")])
    assert (caught.value.file, caught.value.line) == ("lookups/codes.csv", line)


def test_a_lookup_value_that_is_not_of_its_type_is_refused_and_not_bent(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("a,b\n1,2\n1.5,2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not an integer") as caught:
        read_lookups([(path, "codes")], {"codes": {"a": "integer"}})
    assert (caught.value.line, caught.value.field) == (3, "a")
    with pytest.raises(ConfigError, match="has no column 'c'"):
        read_lookups([(path, "codes")], {"codes": {"c": "integer"}})


def test_lookups_keep_every_character_and_type(tmp_path):
    (tmp_path / "text.csv").write_text('\ufeffa,b,c\n"x, ""y""\n",é🚀,1.50\n', encoding="utf-8")
    (tmp_path / "lines.jsonl").write_text('{"n": 1, "d": {"x": "y"}}\n{"n": 2}\n', encoding="utf-8")
    stored = pa.table({"d": pa.array([dt.date(2024, 2, 29)])})
    pa.parquet.write_table(stored, tmp_path / "stored.parquet")
    files = [(tmp_path / name, name.split(".")[0]) for name in ("text.csv", "lines.jsonl", "stored.parquet")]
    read = read_lookups(files, {"text": {"c": "decimal(5,2)"}})
    assert read["text"].to_pylist() == [{"a": 'x, "y"\n', "b": "é🚀", "c": Decimal("1.50")}]
    assert read["lines"].to_pylist() == [{"n": 1, "d": {"x": "y"}}, {"n": 2, "d": None}]
    assert read["stored"].equals(stored)


def test_a_lookup_that_is_not_what_its_name_says_is_refused(tmp_path):
    for name in ("a.parquet", "b.jsonl"):
        (tmp_path / name).write_text("not so", encoding="utf-8")
        with pytest.raises(ConfigError, match="cannot be read as"):
            read_lookups([(tmp_path / name, "x")])
