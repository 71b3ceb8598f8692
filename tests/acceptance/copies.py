"""A run is made once; each test that changes something of it gets a copy of its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.acceptance.conftest import Bench, Ready


def copy_of(bench: Bench, folder: Path, ready: Ready) -> Bench:
    """The same job, databases and state directory in another folder. `bench.site` must never have been opened."""
    assert bench._site is None, "a live database file must not be copied"
    shutil.copytree(bench.folder, folder, dirs_exist_ok=True)
    made = Bench(folder, ready)
    for path in folder.glob("*.sqlite"):
        made.database(path.stem)
    return made
