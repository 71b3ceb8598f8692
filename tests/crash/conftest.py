"""Estates, servers and processes for the crash tests. What they share is a module of this folder, which is no package."""

from __future__ import annotations

import contextlib
import faulthandler
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("kill_world", "kill_processes", "kill_apis")

from kill_apis import put_in_place  # noqa: E402
from kill_processes import Nursery, Simulator  # noqa: E402
from kill_world import ARCHIVE, BILLING, LEGACY, World, check_whole, fill  # noqa: E402

from ludb.service.summary import Summary  # noqa: E402
from ludb.testing.dump import Dump  # noqa: E402


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases as they are before any run."""
    folder = tmp_path_factory.mktemp("estate")
    for name, script in (("legacy", LEGACY), ("billing", BILLING), ("archive", ARCHIVE)):
        with contextlib.closing(sqlite3.connect(folder / f"{name}.sqlite")) as connection:
            connection.executescript(script)
            if name == "legacy":
                fill(connection)
            connection.commit()
    return folder


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Simulator]]:
    """The two APIs, shared by the tests of this process; each test empties them."""
    folder = tmp_path_factory.mktemp("simulators")
    made = Simulator("crm", folder), Simulator("inventory", folder)
    yield made
    for server in made:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(autouse=True)
def _no_hanging() -> Iterator[None]:
    """A run that never ends is a failure, with the stacks of all threads, not a night of waiting."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, estate: Path, simulators: tuple[Simulator, Simulator], nursery: Nursery) -> Iterator[World]:
    """The estate before the run, empty servers, the job."""
    for path in estate.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    for server in simulators:
        server.clear()
    made = World(tmp_path, *simulators, nursery)
    yield made
    made.close()


@pytest.fixture(scope="session")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, estate: Path, simulators: tuple[Simulator, Simulator], nursery: Nursery
) -> Dump:
    """What stands everywhere after a run that nothing disturbed: what every other run is compared with."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    for path in estate.iterdir():
        shutil.copyfile(path, folder / path.name)
    for server in simulators:
        server.clear()
    world = World(folder, *simulators, nursery)
    summary = world.finish()
    check_whole(world, summary)
    found = world.dump(summary.run)
    assert {name: len(rows) for name, rows in found.items() if "." not in name} == {"crm": 21, "inventory": 24}
    world.close()
    return found


@pytest.fixture
def same(world: World, uninterrupted: Dump) -> Callable[[Summary], None]:
    """Assert that the world is whole and holds what the uninterrupted run left."""

    def compare(summary: Summary) -> None:
        check_whole(world, summary)
        assert world.dump(summary.run) == uninterrupted

    return compare


@pytest.fixture
def other(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    """The world with a CRM of another kind (`kill_apis.kinds`)."""
    server = put_in_place(world, request.param)
    yield world
    server.end()
