"""Old runs lose what nobody needs any more, and nothing else: nobody is moved twice, and every sum still adds up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ludb.repositories.store.retention import StoreRetention
from ludb.service import purge as service
from tests.acceptance.conftest import NEGATIVE, Bench, make_shop
from tests.acceptance.copies import copy_of

SECRET = -87654321
"""An amount that only the quarantined customer's rows hold."""


@pytest.fixture(scope="module")
def first(tmp_path_factory, ready):
    """Seven customers moved, one in quarantine with its rows; a job that can be run again under another name."""
    made = make_shop(tmp_path_factory.mktemp("first"), ready)
    made.write({"rules/no_negative.sql": NEGATIVE})
    made.change(
        "job.yaml", "settings:", "parameters: {wave: {type: integer, identifying: true, default: 1}}\nsettings:"
    )
    # So many rows that they fill pages of their own in the repository, which a purge frees.
    many = ",".join(f"({1000 + n},5,{SECRET})" for n in range(200))
    made.database("legacy", f"insert into orders values {many}")
    said = made.ludb("run", made.job)
    assert said.code == 3, said.err
    return made


@pytest.fixture
def shop(first, tmp_path, ready):
    made = copy_of(first, tmp_path / "copy", ready)
    yield made
    made.close()


def purge(bench: Bench, *arguments):
    return bench.ludb("purge", bench.job, "--older-than", "0m", *arguments)


def held_on_disk(bench: Bench) -> list[str]:
    """Files of the state directory that hold the secret, read as bytes."""
    wanted = [str(SECRET).encode(), str(-SECRET).encode()]
    files = [path for path in bench.state.rglob("*") if path.is_file()]
    return [path.name for path in files if any(text in path.read_bytes() for text in wanted)]


def contents(bench: Bench) -> dict[str, list[tuple]]:
    """The whole repository but for times, and the files beside it."""
    found: dict[str, list[tuple]] = {}
    with sqlite3.connect(bench.state / "repository.sqlite") as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for name in sorted(names):
            cursor = connection.execute(f"select * from {name}")
            timeless = [at for at, column in enumerate(cursor.description) if column[0] not in TIMES.get(name, ())]
            found[name] = sorted((tuple(row[at] for at in timeless) for row in cursor), key=repr)
    connection.close()
    found["files"] = sorted((str(path.relative_to(bench.state)),) for path in bench.state.rglob("*") if path.is_dir())
    return found


TIMES = {"command": ("put_at", "acknowledged_at", "outcome"), "run": ("notes",), "sqlite_sequence": ("seq",)}


def test_units_of_a_purged_run_are_not_moved_again(shop):
    assert purge(shop, "--with-exceptions", "--yes").code == 0
    planned = shop.ludb("plan", shop.job, "-p", "wave=2", "--json").json
    assert (planned["units"], planned["moved_before"]) == (1, 7)
    said = shop.ludb("run", shop.job, "-p", "wave=2", "--json").json
    assert (said["counters"]["total"], said["counters"]["quarantined"]) == (1, 1)
    assert shop.rows("billing", "select count(*) from account") == [(7,)]
    numbers = shop.rows("billing", "select id from account")
    assert len(set(numbers)) == 7


def test_what_it_shows_is_what_it_removes(shop):
    before = contents(shop)
    dry = purge(shop, "--with-exceptions", "--dry-run", "--json").json
    assert contents(shop) == before
    done = purge(shop, "--with-exceptions", "--yes", "--json").json
    assert dry["found"] == done["found"] == done["removed"]
    (left,) = done["removed"]
    assert left["rows"] > 0
    assert left["bytes_of_files"] > 0
    assert left["bytes_in_repository"] > 0
    (run,) = shop.site.repository.views.runs()
    for gone in (shop.site.journal / run.id, shop.site.pinned(run.id), shop.site.logs(run.id)):
        assert not gone.exists()
    assert purge(shop, "--with-exceptions", "--yes").out.startswith("there is nothing to purge")


def test_values_are_gone_from_the_disk_and_sums_stay(shop):
    """Overwritten in the repository's file too: an unlinked page would still hold the customer's rows."""
    assert "repository.sqlite" in held_on_disk(shop)
    before = shop.ludb("status", "--job", shop.job, "--json").json
    assert purge(shop, "--with-exceptions", "--yes").code == 0
    with sqlite3.connect(shop.state / "repository.sqlite") as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    assert held_on_disk(shop) == []
    after = shop.ludb("status", "--job", shop.job, "--json").json
    for name in ("counters", "source", "outputs", "reasons", "warnings"):
        assert after[name] == before[name]
    assert shop.ludb("ledger", shop.job).code == 0
    said = shop.ludb("report", "--job", shop.job, "-o", "r.html")
    assert "no " not in said.out.split("report of")[0].split("yes")[0]
    page = (shop.folder / "r.html").read_text()
    assert "by tester" in page
    assert "asked: purge what journal, quarantine, runs" in page


def test_a_purged_unit_says_when_and_by_whom(shop):
    assert purge(shop, "--with-exceptions", "--yes").code == 0
    shown = shop.ludb("quarantine", "show", "5", "--job", shop.job)
    assert "an order is negative" in shown.out
    assert "source rows were purged by tester on 20" in shown.out
    said = shop.ludb("unit", "3", "--job", shop.job)
    assert "written rows were purged by tester" in said.out
    assert "id=3, name=c3" in said.out  # the source still has it, and the job was named: nobody is asked for it again
    assert "cannot be read" not in said.out


def test_quarantined_units_are_kept_for_a_retry_unless_asked(shop):
    said = purge(shop, "--yes")
    assert (said.code, "can still be tried again" in said.out) == (0, True)
    assert "repository.sqlite" in held_on_disk(shop)


def test_a_purged_run_can_still_be_mended(shop):
    """Asked for, the quarantine's values go; the unit is tried again from its source, with the job folder named."""
    assert purge(shop, "--with-exceptions", "--yes").code == 0
    shop.database("legacy", "update orders set amount = 5 where amount < 0")
    said = shop.ludb("quarantine", "retry", "--all", "--job", shop.job)
    assert said.code == 0, said.err
    assert shop.rows("billing", "select count(*) from account") == [(8,)]


def test_nothing_goes_without_a_word_from_somebody(shop):
    said = purge(shop, "--with-exceptions")
    assert (said.code, "--yes" in said.err) == (2, True)
    assert "repository.sqlite" in held_on_disk(shop)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--older-than", "soon"], "90d"),
        ([], "--older-than is missing"),
        (["--older-than", "90d", "--what", "journal,ledgers"], "unknown ledgers"),
    ],
)
def test_a_mistake_is_named_and_nothing_goes(shop, arguments, named):
    said = shop.ludb("purge", shop.job, "--yes", *arguments)
    assert (said.code, named in said.err) == (2, True)


def test_only_what_was_named_goes(shop):
    (run,) = shop.site.repository.views.runs()
    assert purge(shop, "--with-exceptions", "--yes", "--what", "journal").code == 0
    assert not (shop.site.journal / run.id).exists()
    assert shop.site.pinned(run.id).exists()
    assert shop.site.repository.views.exceptions(run.id)[0].source_rows


def test_a_young_run_is_kept(shop):
    said = shop.ludb("purge", "--job", shop.job, "--older-than", "90d")
    assert said.code == 2  # the job is an argument here, as for run and plan
    said = shop.ludb("purge", shop.job, "--older-than", "90d", "--with-exceptions")
    assert (said.code, "it ended too recently" in said.out) == (0, True)


class Killed(BaseException):
    """The process dies here."""


def test_killed_at_any_step_and_started_again_it_ends_the_same(shop, ready, tmp_path, monkeypatch):
    undisturbed = copy_of(shop, tmp_path / "undisturbed", ready)
    purge_here(undisturbed)
    wanted = contents(undisturbed)
    undisturbed.close()
    steps = 0
    while True:
        one = copy_of(shop, tmp_path / f"killed-{steps}", ready)
        with monkeypatch.context() as patch:
            died = dies_after(patch, steps, one)
        purge_here(one)
        assert contents(one) == wanted, f"killed after step {steps}"
        marks = one.site.repository.views.runs()[0].notes["purged"]
        assert {mark["finished"] for mark in marks.values()} == {True}
        one.close()
        if not died:
            break
        steps += 1
    assert steps > 12


def purge_here(bench: Bench) -> None:
    """As the command does, in this process."""
    plan = service.plan_purge(bench.site, None, 0.0, with_exceptions=True)
    list(service.purge(bench.site, plan, older_than=0.0, with_exceptions=True))


def dies_after(patch: pytest.MonkeyPatch, steps: int, bench: Bench) -> bool:
    """Purge in this process and die after so many of its steps; False if it has fewer. One row is a step."""
    left = [steps]

    def dying(function):
        def call(*arguments, **named):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return function(*arguments, **named)

        return call

    clear = StoreRetention.clear
    patch.setattr(StoreRetention, "clear", dying(lambda self, run, what: clear(self, run, what, 1)))
    patch.setattr(StoreRetention, "mark", dying(StoreRetention.mark))
    patch.setattr(service, "_remove", dying(service._remove))
    patch.setattr(
        type(bench.site.repository.commands), "acknowledge", dying(type(bench.site.repository.commands).acknowledge)
    )
    try:
        purge_here(bench)
    except Killed:
        return True
    finally:
        bench.site.repository.close()
        bench._site = None
    return False


def test_a_run_at_work_is_never_touched(tmp_path, ready):
    made = make_shop(tmp_path, ready)
    try:
        made.start("run", made.job, GATE=str(made.gate))
        made.inside(1)
        said = purge(made, "--yes", "--with-exceptions")
        assert (said.code, "it is running, not over" in said.out) == (0, True)
        made.gate.touch()
        assert made.said(made.processes[0]).code == 0
    finally:
        made.close()


def test_lock_files_of_the_dead_go_with_their_run(shop):
    (run,) = shop.site.repository.views.runs()
    owner = next(one for one in shop.site.repository.owners.all(run.id) if one.role == "worker")
    lock = Path(owner.lock)
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    assert purge(shop, "--with-exceptions", "--yes").code == 0
    assert not lock.exists()
