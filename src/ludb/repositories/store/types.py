"""The types that the repository's tables are made of: each is one that every supported database has."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

MYSQL = ("mysql", "mariadb")
# MySQL compares text without regard to case and accents unless told; keys and names are compared by bytes.
Name = String(190).with_variant(mysql.VARCHAR(190, collation="utf8mb4_bin"), *MYSQL)
_long = Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), *MYSQL)
Blob = LargeBinary().with_variant(mysql.LONGBLOB(), *MYSQL)
Digest = LargeBinary().with_variant(mysql.BINARY(16), *MYSQL)
OldKey = LargeBinary().with_variant(mysql.VARBINARY(700), *MYSQL)
Big = BigInteger()
# SQLite numbers rows by itself only where the type is spelled INTEGER.
Serial = BigInteger().with_variant(Integer(), "sqlite")


class Long(TypeDecorator[str]):
    """Text of any length. PostgreSQL keeps no NUL character: its picture stands in for it."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The widest text of the database, compared by bytes."""
        return dialect.type_descriptor(_long)

    def bind_processor(self, dialect: Dialect) -> Any:
        """What is done to each value: nothing where any text can be kept, which saves a call for every value of every row."""
        return super().bind_processor(dialect) if dialect.name == "postgresql" else None

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The value as it can be kept."""
        return value.replace("\0", "\u2400") if value and dialect.name == "postgresql" else value


class Json(TypeDecorator[Any]):
    """A JSON value as text with sorted keys; what JSON lacks (dates, decimals) is kept as text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The widest text of the database."""
        return dialect.type_descriptor(_long)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002  (SQLAlchemy's signature)
        """The value as canonical text."""
        return None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002  (SQLAlchemy's signature)
        """The value as written."""
        return None if value is None else json.loads(value)


metadata = MetaData()
"""All tables of the repository, those of the server too."""
