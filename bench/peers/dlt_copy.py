"""A plain copy by dlt: `dlt_copy.py best|default SOURCE TABLE=TARGET...`. One pipeline per target, into tables that are there.

`best` reads by ConnectorX and loads Parquet through ADBC; `default` is what its documentation begins with.
"""

from __future__ import annotations

import sys
import tempfile

import dlt
from dlt.destinations import postgres
from dlt.sources.sql_database import sql_database


def main(mode: str, source: str, places: list[str]) -> None:
    """Copy every table into its database."""
    with tempfile.TemporaryDirectory() as folder:
        for place in places:
            table, target = place.split("=", 1)
            chosen = {"backend": "connectorx"} if mode == "best" else {}
            rows = sql_database(source, schema=None, table_names=[table], reflection_level="full", **chosen)
            pipeline = dlt.pipeline(
                f"copy_{table}",
                pipelines_dir=folder,
                destination=postgres(credentials=target.replace("postgres@", "postgres:none@")),
                dataset_name="public",
            )
            more = {"loader_file_format": "parquet"} if mode == "best" else {}
            pipeline.run(rows, write_disposition="append", **more)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
