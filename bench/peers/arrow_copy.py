"""A plain copy by ConnectorX and ADBC: `arrow_copy.py SOURCE TABLE=TARGET...`, one transaction per table."""

from __future__ import annotations

import sys

import adbc_driver_postgresql.dbapi as adbc
import connectorx
import pyarrow as pa


def main(source: str, places: list[str]) -> None:
    """Copy every table into its database, piece by piece."""
    for place in places:
        table, target = place.split("=", 1)
        pieces = connectorx.read_sql(source, f"SELECT * FROM {table}", return_type="arrow_stream", batch_size=100_000)
        with adbc.connect(target) as connection, connection.cursor() as cursor:
            types = wanted(cursor, table)
            for piece in pieces:
                rows = pa.Table.from_batches([piece])
                rows = rows.cast(
                    pa.schema(
                        [
                            (name, types.get(name, kind))
                            for name, kind in zip(rows.schema.names, rows.schema.types, strict=True)
                        ]
                    )
                )
                cursor.adbc_ingest(table, rows, mode="append")
            connection.commit()


def wanted(cursor: adbc.Cursor, table: str) -> dict[str, pa.DataType]:
    """Integers as wide as the table's columns; everything else goes as it comes."""
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")
    schema = cursor.fetch_arrow_table().schema
    return {field.name: field.type for field in schema if pa.types.is_integer(field.type)}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
