"""A disk is full in the middle of a run: it pauses and says where, nothing is lost, and it goes on when there is room.

On a real small file system, where this machine lets us mount one; what a full disk means is told without one in
tests/unit/test_room.py.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess

import pytest

ARRIVED = "select name, oid, account.id from account join charge on charge.account = account.id order by oid"


def run_of(shop):
    return shop.site.repository.views.runs(limit=1)[0]


def whole(shop):
    """Every customer has arrived, once."""
    assert [name for name, _, _ in shop.rows("billing", ARRIVED)] == [f"c{number}" for number in range(1, 9)]
    assert shop.rows("billing", "select count(*), count(distinct id) from account") == [(8, 8)]
    return True


class SmallDisk:
    """A file system of two megabytes that a test fills and empties."""

    def __init__(self, place) -> None:
        self.place, self._filler = place, place / "filler"

    def fill(self) -> None:
        """Leave no byte."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (65536, 512, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        with pytest.raises(OSError) as full, (self.place / "probe").open("wb", buffering=0) as file:
            file.write(bytes(8192))
        assert full.value.errno == errno.ENOSPC
        (self.place / "probe").unlink()

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield SmallDisk(place)
    subprocess.run(["umount", "-l", str(place)], check=True)


def until_paused(shop, process):
    shop.until(lambda: run_of(shop).state == "paused" or process.poll() is not None, "the run pauses")
    assert process.poll() is None, "the run is no longer held"
    return run_of(shop).reason


def test_a_target_without_room_pauses_the_run_until_there_is_some(shop, disk):
    shutil.move(shop.folder / "billing.sqlite", disk.place)
    shop.environment["BILLING_URL"] = str(disk.place / "billing.sqlite")
    process = shop.start("run", "job", GATE=str(shop.gate))
    shop.inside(1)
    disk.fill()
    shop.gate.touch()
    reason = until_paused(shop, process)
    assert "system billing" in reason
    assert str(disk.place) in reason
    assert "make room: it goes on by itself, or at once with ludb resume" in shop.ludb("status", "--job", "job").out
    assert shop.events("run.paused")[-1]["pause"]["by"] == "room"
    assert reason in shop.ludb("status", "--job", "job").out
    disk.make_room()
    said = shop.said(process)
    assert said.code == 0, said.err
    (shop.folder / "billing.sqlite").symlink_to(disk.place / "billing.sqlite")
    assert whole(shop)


def test_files_without_room_pause_the_run_and_leave_nothing_half(shop, disk):
    shop.change("job.yaml", "unit:", '  export: {type: files, path: "${EXPORT}", format: jsonl}\nunit:')
    shop.write({"steps/40_export/export.person.sql": "select unit_key, id, name from legacy.customers"})
    shop.environment["EXPORT"] = str(disk.place / "export")
    process = shop.start("run", "job", GATE=str(shop.gate))
    shop.inside(1)
    disk.fill()
    shop.gate.touch()
    reason = until_paused(shop, process)
    assert "system export" in reason
    assert str(disk.place / "export") in reason
    disk.make_room()
    said = shop.said(process)
    assert said.code == 0, said.err
    assert whole(shop)
    lines = [
        line for part in (disk.place / "export" / "person").glob("part-*") for line in part.read_text().splitlines()
    ]
    assert sorted(line.split('"name":')[1].strip(' "}') for line in lines) == [f"c{n}" for n in range(1, 9)]
    assert [path.name for path in (disk.place / "export" / ".ludb").iterdir()] == ["ledger"]


def test_a_state_directory_without_room_is_waited_for(shop, disk):
    """Repository, journal and logs have no room: nothing can be written down, and nothing is lost."""
    shop.state = disk.place / "state"
    process = shop.start("run", "job", "--state", shop.state, GATE=str(shop.gate))
    shop.inside(1)
    disk.fill()
    shop.gate.touch()

    def told() -> str:
        return (shop.folder / "0.err").read_text()

    shop.until(lambda: "the run waits: " in told(), "the run says that it waits")
    assert str(disk.place) in told().split("the run waits: ")[1]
    assert process.poll() is None
    disk.make_room()
    said = shop.said(process)
    assert said.code == 0, said.err
    assert whole(shop)


def test_a_start_without_room_says_where_and_starts_later(shop, disk):
    shop.state = disk.place / "state"
    assert shop.ludb("plan", "job", "--state", shop.state).code == 0  # the repository is there
    disk.fill()
    said = shop.ludb("run", "job", "--state", shop.state)
    assert said.code == 1, said
    assert str(disk.place) in said.err
    assert "Traceback" not in said.err
    disk.make_room()
    said = shop.ludb("run", "job", "--state", shop.state)
    assert said.code == 0, said.err
    assert whole(shop)
