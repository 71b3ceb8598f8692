"""A folder of files looked at before anything moves: whether it can be made, read and written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ludb.dialects.durable import file_name
from ludb.model.findings import Finding


def standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def inspect(system: str, folder: Path, tables: Sequence[str]) -> Iterator[Finding]:
    """What would keep a run from writing into the folder, and tables that have parts already. Makes nothing."""
    place = standing(folder)
    if not place.is_dir():
        yield Finding("error", system, f"{place} is no folder", "Mend the system's path")
        return
    if place not in (folder.absolute(), folder.absolute().parent):
        yield Finding("error", system, f"there is no {folder.parent}", "Create it, or mend the system's path")
        return
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding("error", system, f"{place} cannot be written", "Give the user that runs ludb the right to")
    for table in tables:
        if any((folder / file_name(table)).glob("part-*")):
            yield Finding("warning", system, "the table holds rows already", "Make sure that they belong there", table)
