"""Every mistake in a job names file, line, field and remedy; without that its author would have to guess."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, field_validator

from ludb.dialects.settings import SystemSettings
from ludb.errors import ConfigError, ConfigErrors
from ludb.project import registry
from ludb.project.folder import read_job

JOB = """\
name: shop
systems:
  old: {type: sqlite, url: old.db}
  new: {type: sqlite, url: new.db}
  api: {type: rest, url: "${API_URL}"}
unit:
  root: old.customers
  key: id
  tables:
    orders: {parent: customers, on: customer_id}
    items:  {parent: orders, on: order_id}
keys:
  number: {for: customers.id, kind: sequence}
outputs:
  new.person: {mode: insert}
  api.person: {call: POST /person, row: unit_key}
settings: {workers: 2}
"""
FILES = ("steps/10_all/new.person.sql", "steps/10_all/api.person.sql")
ENVIRONMENT = {"API_URL": "http://secret-host", "SHORT": "x"}


class Database(SystemSettings):
    url: SecretStr
    busy_timeout: float = 1


class Api(SystemSettings):
    url: SecretStr
    in_flight: int = 8

    @field_validator("url")
    @classmethod
    def _http(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith("http"):
            raise ValueError(f"{url.get_secret_value()} is no address")  # a careless adapter
        return url


class Entry:
    """An entry point of a fake adapter; `missing` is a module that it cannot import."""

    def __init__(self, name: str, settings: type[SystemSettings] | None, missing: str = "") -> None:
        self.name, self.missing, self.extras, self.dist = name, missing, ["broken"], None
        self.adapter = type("Adapter", (), {"Settings": settings})

    def load(self) -> object:
        if self.missing:
            raise ModuleNotFoundError(self.missing, name=self.missing)
        return self.adapter


@pytest.fixture(autouse=True)
def _adapters(monkeypatch):
    known = {
        registry.SOURCES: [Entry("sqlite", Database), Entry("kafka", None, "confluent"), Entry("odd", None)],
        registry.TARGETS: [Entry("sqlite", Database)],
        registry.CALL_TARGETS: [Entry("rest", Api)],
        registry.STEPS: [Entry("sql", Database), Entry("py", Database)],
    }
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group, name=None: [entry for entry in known.get(group, []) if name in (None, entry.name)],
    )


def mistakes(folder: Path, yaml: str, *files: str, without: str = "") -> list[ConfigError]:
    for name, text in {"job.yaml": yaml, **dict.fromkeys([*FILES, *files], "x")}.items():
        if name != without:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_job(folder, ENVIRONMENT)
    return caught.value.errors if isinstance(caught.value, ConfigErrors) else [caught.value]


def changed(old: str, new: str) -> str:
    assert JOB.count(old) == 1, old
    return JOB.replace(old, new)


def test_the_job_that_these_tests_break_is_right(tmp_path):
    for name, text in {"job.yaml": JOB, **dict.fromkeys(FILES, "x")}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert read_job(tmp_path, ENVIRONMENT).job.name == "shop"


IN_JOB = [
    # what is written instead of what; line, field, message, remedy
    ("workers: 2", "worker: 2", 17, "settings.worker", "there is no field 'worker'", "Did you mean workers?"),
    ("workers: 2", "workers: many", 17, "settings.workers", "must be a whole number", ""),
    ("workers: 2", "workers: 0", 17, "settings.workers", "greater than or equal to 1", ""),
    ("workers: 2", "lease: soon", 17, "settings.lease", "must be seconds, or a duration", ""),
    ("workers: 2", "quarantine_limit: few", 17, "settings.quarantine_limit", "must be a count", ""),
    ("workers: 2", "quarantine_limit: {cuont: 1}", 17, "settings.quarantine_limit.cuont", "no field 'cuont'", "count"),
    ("workers: 2", "memory_limit: much", 17, "settings.memory_limit", "not well formed", "It must match"),
    ("name: shop", "name: 7", 1, "name", "must be text", ""),
    ("name: shop\n", "", 1, "name", "the field 'name' is missing", "Add `name:`"),
    ("  key: id\n", "", 6, "unit.key", "the field 'key' is missing", "Add `key:`"),
    ("key: id", "key: []", 8, "unit.key", "must be a column name or a list", ""),
    ("key: id", "key: [id, id]", 8, "unit.key", "names a column twice", ""),
    ("root: old.customers", "root: customers", 7, "unit.root", "not of the form system.table", "a dot"),
    ("root: old.customers", "root: odl.customers", 7, "unit.root", "no system 'odl'", "Did you mean old?"),
    ("parent: orders", "parent: order", 11, "unit.tables.items.parent", "no unit table 'order'", "mean orders?"),
    ("parent: orders", "parent: items", 11, "unit.tables.items.parent", "circle: items -> items", "below customers"),
    ("on: order_id", "on: {order_id: 3}", 11, "unit.tables.items.on", "must map columns", ""),
    ("on: order_id", "on: order_id, types: {a: decimel}", 11, "unit.tables.items.types.a", "no type", "Use one of"),
    ("on: order_id", "on: order_id, also: {people: id}", 11, "unit.tables.items.also.people", "no unit table", "Known"),
    (
        "on: order_id",
        "on: order_id, on_stray: drop",
        11,
        "unit.tables.items.on_stray",
        "must be 'reject' or 'warn'",
        "",
    ),
    ("on: order_id", "on: order_id, table: ol.d", 11, "unit.tables.items.table", "no system 'ol'", "mean old?"),
    ("    items:", "    ORDERS:", 11, "unit.tables.ORDERS", "two tables of the unit are called 'ORDERS'", "Rename"),
    ("key: id", "key: id\n  reference: [old.a, new.A]", 9, "unit.reference.1", "two reference tables", "Leave one"),
    (
        "key: id",
        "key: id\n  unique_across_units: {order.x: reject_all}",
        9,
        "unit.unique_across_units.order.x",
        "no unit table 'order'",
        "mean orders?",
    ),
    ("for: customers.id", "for: customer.id", 13, "keys.number.for", "no unit table 'customer'", "mean customers?"),
    ("for: customers.id", "for: customers", 13, "keys.number.for", "not of the form table.column", "a dot"),
    ("for: customers.id", "for: [customers.id, orders.id]", 13, "keys.number.for", "several tables", "one table"),
    (
        "kind: sequence",
        "kind: uuid, start: 5",
        13,
        "keys.number.start",
        "only a sequence has a start",
        "kind: sequence",
    ),
    (
        "new.person: {mode: insert}",
        "new.persn: {mode: insert}",
        15,
        "outputs.new.persn",
        "no step fills",
        "new.person?",
    ),
    ("new.person: {mode", "nwe.person: {mode", 15, "outputs.nwe.person", "no system 'nwe'", "Did you mean new?"),
    (
        "{mode: insert}",
        "{mode: merge}",
        15,
        "outputs.new.person.mode",
        "must be 'insert', 'upsert' or 'replace_unit'",
        "",
    ),
    ("{mode: insert}", "{undo: DELETE /x}", 15, "outputs.new.person.undo", "only a call has `undo`", "Add `call:`"),
    ("{mode: insert}", "{call: POST /x, row: a}", 15, "outputs.new.person.call", "takes rows and no calls", "Remove"),
    (
        "{call: POST /person, row: unit_key}",
        "{mode: insert}",
        16,
        "outputs.api.person",
        "takes calls and no rows",
        "`call:`",
    ),
    (", row: unit_key}", "}", 16, "outputs.api.person.row", "the field 'row' is missing", "[unit_key]"),
    ("POST /person", "post person", 16, "outputs.api.person.call", "not well formed", "It must match"),
    ("row: unit_key", "row: id, mode: insert", 16, "outputs.api.person.mode", "a call has no mode", "Remove"),
    (
        "row: unit_key",
        "row: id, returns: {number: $.id}",
        16,
        "outputs.api.person.returns.number",
        "taken under `keys:`",
        "Choose",
    ),
    (
        "row: unit_key",
        "row: id, returns: {nr: id}",
        16,
        "outputs.api.person.returns.nr",
        "not well formed",
        "It must match",
    ),
    ("settings: {w", "rules: {has: warn}\nsettings: {w", 17, "rules.has", "there is no rule 'has'", "Remove it"),
    ("settings: {w", "lookups: {c: {}}\nsettings: {w", 17, "lookups.c", "there is no lookup 'c'", "Remove it"),
    (
        "settings: {w",
        "parameters: {day: {type: date, default: tomorrow}}\nsettings: {w",
        17,
        "parameters.day.default",
        "parameter 'day' is not a date",
        "Give the date",
    ),
    (
        "settings: {w",
        "parameters: {run_clock: {}}\nsettings: {w",
        17,
        "parameters.run_clock",
        "set by the run",
        "another name",
    ),
    (
        "  old: {type: sqlite,",
        "  old: {type: sqllite,",
        3,
        "systems.old.type",
        "there is no type 'sqllite'",
        "mean sqlite?",
    ),
    ("  old: {type: sqlite,", "  old: {", 3, "systems.old.type", "system old has no type", "known: kafka"),
    ("  old: {type: sqlite,", "  old: {type: rest,", 3, "systems.old.type", "cannot be read", "can be read: kafka"),
    (
        "  old: {type: sqlite,",
        "  old: {type: kafka,",
        3,
        "systems.old.type",
        "not installed (confluent)",
        "ludb[broken]",
    ),
    ("  old: {type: sqlite,", "  old: {type: odd,", 3, "systems.old.type", "has no settings model", "author"),
    (
        "url: old.db}",
        "url: old.db, busy_timout: 3}",
        3,
        "systems.old.busy_timout",
        "no field 'busy_timout'",
        "busy_timeout?",
    ),
    ("url: old.db}", 'url: "${OLD_URL"}', 3, "systems.old.url", "holds ${ without", "Write ${NAME}"),
    ("${API_URL}", "${API_URI}", 5, "systems.api.url", "the variable API_URI is not set", "did you mean API_URL?"),
    ("  api: {", "  Keys: {type: sqlite, url: x}\n  api: {", 5, "systems.Keys", "cannot be the name", "reserved"),
    ("  api: {", "  OLD: {type: sqlite, url: x}\n  api: {", 5, "systems.OLD", "differ in case only", "Rename"),
    ("  api: {", "  a.b: {type: sqlite, url: x}\n  api: {", 5, "systems.a.b", "not well formed", "It must match"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message", "remedy"), IN_JOB, ids=lambda value: str(value)[:40]
)
def test_a_mistake_in_the_job_names_its_line_field_and_remedy(tmp_path, old, new, line, field, message, remedy):
    error = mistakes(tmp_path, changed(old, new))[0]
    assert message in error.message
    assert (error.file, error.line, error.field) == ("job.yaml", line, field)
    assert remedy in (error.remedy or "")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: a\nname: b\n", 2, "duplicate key"),
        ("name: {a\n", 2, "is not YAML"),
        ("- a\n", 1, "is not a mapping"),
        ("", 1, "is not a mapping"),
        ("name: a\nunit: {1: x}\n", 2, "the key 1 is not text"),
        ("name: !!python/name:os.system x\n", 1, "YAML tags are not allowed"),
        ("name: a\n---\nname: b\n", 2, "is not YAML"),
    ],
)
def test_broken_yaml_names_its_line(tmp_path, text, line, message):
    error = mistakes(tmp_path, text)[0]
    assert message in error.message
    assert (error.file, error.line) == ("job.yaml", line)


def test_control_characters_and_other_encodings_are_refused_by_name(tmp_path):
    assert "character that YAML does not allow" in mistakes(tmp_path, "name: \x01\n")[0].message
    (tmp_path / "job.yaml").write_bytes("name: Gr\xfc\xdfe\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_job(tmp_path, {})


IN_FILES = [
    ("steps/new.person.sql", "lies outside a step folder"),
    ("steps/10_all/deep/new.person.sql", "a step folder has no folders inside"),
    ("steps/10_all/new.person.txt", "no step ends in '.txt'"),
    ("steps/10_all/person.sql", "does not name its output"),
    ("steps/10_all/neu.person.sql", "there is no system 'neu'"),
    ("steps/10_all/api.other.sql", "takes calls and no rows"),
    ("steps/10_all/new.PERSON.sql", "differ in case only"),
    ("rules/10_al/has_name.sql", "there is no step folder '10_al'"),
    ("rules/10_all/has_name.txt", "a rule is a .sql file"),
    ("lookups/codes.xlsx", "lookups/ holds .csv, .parquet, .jsonl files only"),
    ("macros/text.txt", "macros/ holds .sql files only"),
]


@pytest.mark.parametrize(("file", "message"), IN_FILES)
def test_a_file_that_does_not_belong_is_named(tmp_path, file, message):
    (error,) = mistakes(tmp_path, JOB, file)
    assert message in error.message
    assert error.file in (file, str(Path(file).parent))
    assert error.remedy


def test_two_lookups_of_one_name_are_refused(tmp_path):
    (error,) = mistakes(tmp_path, JOB, "lookups/codes.csv", "lookups/Codes.jsonl")
    assert "two lookups would be ref." in error.message


def test_a_lookup_called_like_a_reference_table_is_refused(tmp_path):
    (error,) = mistakes(tmp_path, changed("key: id", "key: id\n  reference: [old.Codes]"), "lookups/codes.csv")
    assert "ref.codes is a reference table already" in error.message


def test_a_job_without_steps_is_refused(tmp_path):
    (tmp_path / "job.yaml").write_text(JOB.split("outputs:", maxsplit=1)[0], encoding="utf-8")
    with pytest.raises(ConfigError, match="the job has no steps"):
        read_job(tmp_path, ENVIRONMENT)


def test_an_output_that_is_also_a_table_of_the_unit_is_refused(tmp_path):
    yaml = changed("on: order_id}", "on: order_id}\n    new.person: {parent: orders, on: id}")
    (error,) = mistakes(tmp_path, yaml)
    assert "new.person is both a table of the unit and an output" in error.message


def test_two_targets_on_one_database_file_are_refused_before_they_wait_for_each_other(tmp_path):
    yaml = changed("  api: {", '  copy: {type: sqlite, url: "sqlite:///./x/../new.db"}\n  api: {')
    (error,) = mistakes(tmp_path, yaml, "steps/10_all/copy.person.sql")
    assert "same SQLite file" in error.message
    assert (error.line, error.field) == (5, "systems.copy.url")


def test_a_source_and_a_target_may_be_one_database_file(tmp_path):
    yaml = changed("url: new.db", "url: old.db")
    (error,) = mistakes(tmp_path, yaml.replace("workers", "worker"))
    assert error.field == "settings.worker"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path):
    yaml = (
        changed("root: old.customers", "root: odl.customers")
        .replace("API_URL", "MISSING")
        .replace("new.person:", "new.x:")
    )
    found = mistakes(tmp_path, yaml, "steps/10_all/nope.sql")
    assert [(error.file, error.line) for error in found] == [
        ("job.yaml", 7),
        ("job.yaml", 15),
        ("steps/10_all/nope.sql", None),
    ]
    several = mistakes(tmp_path, JOB.replace("workers: 2", "worker: 2, lese: 3").replace("key: id", "kee: id"))
    assert [error.field for error in several] == ["unit.key", "unit.kee", "settings.worker", "settings.lese"]


def test_a_circle_of_parents_is_shown_whole(tmp_path):
    (error,) = mistakes(tmp_path, changed("orders: {parent: customers", "orders: {parent: items"))
    assert "orders -> items -> orders" in error.message


def test_what_hangs_below_an_unknown_parent_is_no_second_mistake(tmp_path):
    (error,) = mistakes(tmp_path, changed("orders: {parent: customers", "orders: {parent: customer"))
    assert error.field == "unit.tables.orders.parent"


def test_a_secret_is_not_in_the_error_even_if_an_adapter_shows_it(tmp_path):
    secret = "ftp://user:pass@host"
    for name, text in {"job.yaml": JOB, **dict.fromkeys(FILES, "x")}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_job(tmp_path, {"API_URL": secret})
    assert caught.value.message == "${API_URL} is no address"
    assert secret not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_bad_line_of_the_secrets_file_is_named_without_its_content(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_text("A=1\nhunter22\n", encoding="utf-8")
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_job(tmp_path, {"LUDB_SECRETS": str(secrets)})
    assert (caught.value.file, caught.value.line) == (str(secrets), 2)
    assert "hunter22" not in str(caught.value)
    with pytest.raises(ConfigError, match="secrets file cannot be read"):
        read_job(tmp_path, {"LUDB_SECRETS": str(tmp_path / "none")})
