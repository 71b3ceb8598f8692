"""Queries on a unit's rows, and their answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from ludb.server.shapes.people import Asked


class QueryAsked(Asked):
    """One query on the rows of a unit: tables of the source by name, outputs as `<target>.<table>`."""

    sql: str = Field(min_length=1, max_length=20_000, examples=["SELECT sum(amount) FROM invoices"])
    run: str | None = Field(None, max_length=190, description="Null: the newest run of the job that has the unit")


class ColumnShape(BaseModel):
    """A column of an answer, with DuckDB's name of its type."""

    name: str
    type: str = Field(examples=["DECIMAL(18,2)"])


class QueryShape(BaseModel):
    """The first rows of an answer. Values that JSON lacks (dates, decimals) are texts; `note` says which rows were not there."""

    run: str
    key: str
    columns: list[ColumnShape]
    rows: list[list[Any]]
    more: bool
    note: str
