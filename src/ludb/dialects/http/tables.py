"""What `job.yaml` says of the tables that are read from an API: which path, how it is paged, where child rows lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from ludb.dialects.http.paths import JsonPath
from ludb.dialects.types import arrow_type
from ludb.errors import ConfigError

_OF_GET = ("query", "page", "total", "key", "changed")
_OF_FROM = ("carry", "number")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Paging(_Entry):
    """How the next page is asked for."""

    by: Literal["number", "offset", "cursor", "link"] = Field(
        description="Page number, offset in rows, a cursor out of the answer, or a link to the next page"
    )
    parameter: str | None = Field(
        default=None, min_length=1, description="Query parameter: default page, offset or cursor"
    )
    start: int = Field(default=1, ge=0, description="number: the first page")
    size: PositiveInt | None = Field(default=None, description="Rows a page that are asked for")
    size_parameter: str = Field(default="limit", min_length=1, description="Query parameter of `size`")
    next: str | None = Field(
        default=None,
        description="cursor, link: where the answer has it, $.meta.next or $header.Name; link: default Link",
    )

    @property
    def name(self) -> str:
        """The query parameter that turns the page."""
        return self.parameter or {"number": "page"}.get(self.by, self.by)

    @model_validator(mode="after")
    def _fitting(self) -> Paging:
        if self.by == "cursor" and self.next is None:
            raise ValueError("by: cursor needs next:, where the answer has the cursor ($.meta.next, $header.X-Next)")
        if self.by in {"number", "offset"} and self.next is not None:
            raise ValueError("next: is of cursors and links")
        if self.by == "link" and self.parameter is not None:
            raise ValueError("a link needs no parameter:")
        if self.next is not None:
            JsonPath.parse(self.next)
        return self


class Changed(_Entry):
    """How to ask for what has changed since the reading before."""

    field: str = Field(min_length=1, description="Member of a document that tells when it was changed: updatedAt")
    parameter: str = Field(min_length=1, description="Query parameter that takes the newest of them: updated_since")


class ApiTable(_Entry):
    """One table: the documents of a path (`get`), or the rows inside another table's documents (`from`)."""

    model_config = ConfigDict(populate_by_name=True)

    get: str | None = Field(
        default=None, pattern="^/[^#]*$", description="Path below the system's url, read page by page"
    )
    from_: str | None = Field(default=None, alias="from", description="The table whose documents hold these rows")
    rows: str | None = Field(
        default=None, min_length=1, description="a.b: where the array is; get: default the whole answer"
    )
    query: Mapping[str, str | int | bool] = Field(default_factory=dict, description="Query of every page")
    page: Paging | None = Field(default=None, description="How the next page is asked for; default: there is only one")
    total: str | None = Field(
        default=None, description="Where an answer says how many there are: $.meta.total, $header.X-Total"
    )
    key: tuple[str, ...] = Field(default=(), description="Members that tell a document from others")
    changed: Changed | None = Field(default=None, description="Read again only what has changed: {field, parameter}")
    carry: Mapping[str, str] = Field(
        default_factory=dict, description="from: column -> the parent's column that it repeats"
    )
    number: str | None = Field(default=None, min_length=1, description="from: column with the row's place, from 1 on")
    fields: Mapping[str, str] = Field(default_factory=dict, description="Column -> a.b, a member of a member")
    types: Mapping[str, str] = Field(
        default_factory=dict, description="Column -> text, integer, decimal(10,2), date, ..."
    )

    @field_validator("total")
    @classmethod
    def _path(cls, path: str | None) -> str | None:
        if path is not None:
            JsonPath.parse(path)
        return path

    @field_validator("types")
    @classmethod
    def _known(cls, types: Mapping[str, str]) -> Mapping[str, str]:
        for name in types.values():
            try:
                arrow_type(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return types

    @model_validator(mode="after")
    def _one_kind(self) -> ApiTable:
        if (self.get is None) == (self.from_ is None):
            raise ValueError("a table has either get: (a path) or from: (another table)")
        alien = next((name for name in (_OF_FROM if self.get else _OF_GET) if getattr(self, name)), None)
        if alien is not None:
            raise ValueError(f"{alien}: is of tables with {'from' if self.get else 'get'}:")
        if self.from_ is not None and self.rows is None:
            raise ValueError("from: needs rows:, where the array lies in the other table's documents")
        if self.changed is not None and not self.key:
            raise ValueError("changed: needs key:, or a changed document would be a second one")
        return self


def check_tables(tables: Mapping[str, ApiTable]) -> None:
    """`ValueError` for a `from:` that leads nowhere, or around in a circle."""
    for name, table in tables.items():
        seen, at = [name], table
        while at.from_ is not None:
            if at.from_ not in tables:
                raise ValueError(f"tables.{name}: there is no table {at.from_!r}; there are {', '.join(tables)}")
            if at.from_ in seen:
                raise ValueError(f"tables.{name}: from: leads back to {at.from_!r}")
            seen.append(at.from_)
            at = tables[at.from_]
