"""What a step makes is read from its text only where the text says it: DuckDB, which runs it, must say the same."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.types as pt
import pytest

from ludb.project.columns import UNKNOWN, columns_of
from ludb.project.content import StepFile

TOLD = [
    "select 'z' as kind, id, t.name from t",
    "select t.id, who: t.name from t",
    'from t select id, name as "Name"',
    "select {'id': id, 'party': {'name': name}} as doc, [{'a': id}] as rows from t",
    "select list({'a': id} order by name) as rows, list({'b': id}) filter (id > 1) as few from t",
    "select list_filter([{'a': id, 'b': name}], lambda one: one.b is not null) as rows from t",
    "select struct_pack(a := id, b := name) as doc, array_agg(distinct {'a': id}) as rows from t group by all",
    """with m as (select id, list({'q': name}) as l from t group by id), n as (select id, l as k from m)
       select t.id, n.k from t join n using (id)""",
    "select s.d from (select {'a': 1} as d from t) s",
    "select id as a, {'x': 1} as b from t union all select id + 1, {'x': 2} from t",
    "select s.rows from (select [{'a': id}] as rows from t) s union all select [{'a': 1}]",
    "select null as empty, {'a': null, 'b': [null]} as doc from t",
    "select null as a, {'b': null} as c from t union all select 1, {'b': 2}",
    "with m as (select null as a, id from t union all select id, id from t) select m.a, m.id from m join t using (id)",
    "select cast(id as decimal(9, 2)) as fee, upper(name) as shout, doc.held from t",
    "select {'a': id}::json as doc from t",
]  # fmt: skip
UNTOLD = [
    "select * from t",
    "select t.*, 1 as b from t",
    "select upper(name) from t",
    "select 'z', id from t",
    "select columns('i.*') from t",
    "select unnest(doc) from t",
    "from t",
]


def read(tmp_path, text, kind="sql"):
    (tmp_path / "step").write_text(text)
    return columns_of(StepFile("steps/step", tmp_path / "step", "crm.customer", kind))


def same(said: pa.DataType, real: pa.DataType) -> bool:
    """Whether what the text shows is how the value is; where it shows nothing, anything is right."""
    if pt.is_struct(said):
        return [one.name for one in said] == [one.name for one in real] and all(
            same(one.type, real.field(one.name).type) for one in said
        )
    if said == UNKNOWN or (pt.is_null(said) and pt.is_null(real)):
        return True
    return pt.is_list(said) and pt.is_list(real) and same(said.value_type, real.value_type)


@pytest.mark.parametrize("text", TOLD)
def test_the_names_and_the_nesting_are_those_of_the_rows_that_duckdb_makes(tmp_path, text):
    base = duckdb.connect()
    base.execute("create table t (id integer, name varchar, doc struct(held integer))")
    real = base.sql(text).to_arrow_table().schema
    said = read(tmp_path, text)
    assert said is not None
    assert said.names == real.names
    assert [name for name in said.names if not same(said.field(name).type, real.field(name).type)] == []


def test_a_null_is_told_as_one_unless_a_union_may_fill_it(tmp_path):
    told = {name: read(tmp_path, text).field(name).type for text in TOLD for name in ("empty", "a")
            if "null as " + name in text}  # fmt: skip
    assert pt.is_null(told["empty"])
    assert told["a"] == UNKNOWN


def test_what_a_literal_nests_is_seen_through_lists_functions_and_common_tables(tmp_path):
    for text in TOLD:
        told = read(tmp_path, text)
        for name in set(told.names) & {"rows", "few", "k", "d"}:
            assert "struct<" in str(told.field(name).type), (text, name)


@pytest.mark.parametrize("text", UNTOLD)
def test_a_step_whose_columns_do_not_stand_in_its_text_is_not_judged_by_it(tmp_path, text):
    assert read(tmp_path, text) is None


def test_neither_is_one_in_python_nor_one_that_is_not_understood(tmp_path):
    assert read(tmp_path, "def step(unit): ...", "py") is None
    assert read(tmp_path, "pivot t on x") is None
    assert read(tmp_path, "select ((") is None
