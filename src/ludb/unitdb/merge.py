"""Rows of several steps become one table: columns by name, types only as wide as every value stays what it is."""

from __future__ import annotations

import pyarrow as pa

from ludb.errors import ConfigError, UnitError

EXACT_IN_DOUBLE = (pa.int8(), pa.int16(), pa.int32(), pa.float32())


def join_rows(before: pa.Table, rows: pa.Table, output: str, step: str) -> pa.Table:
    """All rows, with NULL where they lack a column. Names that differ by case are one column, as in SQL.

    If a column's types have no common one: `ConfigError` where there are no rows at all (the texts are wrong),
    `UnitError` where the data decided.
    """
    known = {name.lower(): name for name in before.column_names}
    rows = rows.rename_columns([known.get(name.lower(), name) for name in rows.column_names])
    schema = pa.schema(
        [_common(field, rows.schema, output, step, before.num_rows + rows.num_rows) for field in before.schema]
    )
    for field in rows.schema:
        if field.name not in before.column_names:
            schema = schema.append(field)
    return pa.concat_tables([_as(before, schema), _as(rows, schema)])


def _common(field: pa.Field, other: pa.Schema, output: str, step: str, count: int) -> pa.Field:
    if field.name not in other.names:
        return field
    new = other.field(field.name).type
    kind = wider(field.type, new)
    if kind is None:
        text = f"{output}.{field.name!r} is {new} here and {field.type} in an earlier step of the output"
        if count:
            raise UnitError(f"{step}: {text}; cast one of them")
        raise ConfigError(text, file=step or None, remedy="Cast one of them")
    return pa.field(field.name, kind)


def wider(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds every value of both exactly; None if there is none."""
    for small, large in ((one, other), (other, one)):
        if small == large or pa.types.is_null(small):
            return large
        if pa.types.is_float64(large) and small in EXACT_IN_DOUBLE:
            return large
        if pa.types.is_timestamp(large) and pa.types.is_date(small):
            return large
    if pa.types.is_floating(one) or pa.types.is_floating(other) or pa.types.is_nested(one) != pa.types.is_nested(other):
        return None
    try:
        joined = pa.unify_schemas(
            [pa.schema([("x", one)]), pa.schema([("x", other)])], promote_options="permissive"
        ).field("x")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None
    return joined.type


def _as(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
