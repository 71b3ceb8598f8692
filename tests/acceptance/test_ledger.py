"""What targets say was committed, against what the repository has decided."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from tests.acceptance.conftest import make_shop
from tests.acceptance.copies import copy_of


def ledger(bench, *arguments):
    return bench.ludb("ledger", bench.job, *arguments)


@pytest.fixture(scope="module")
def first(tmp_path_factory, ready):
    """A shop whose run is over, to be copied."""
    made = make_shop(tmp_path_factory.mktemp("first"), ready)
    said = made.ludb("run", made.job)
    assert said.code == 0, said.err
    return made


@pytest.fixture
def over(first, tmp_path, ready):
    made = copy_of(first, tmp_path / "copy", ready)
    yield made
    made.close()


def test_a_ledger_that_agrees_says_so(over):
    (line,) = ledger(over, "--json").json
    (run,) = over.site.repository.views.runs()
    assert (line["target"], line["entries"], line["runs"], line["agrees"]) == ("billing", 4, [run.id], True)
    assert (line["first_seq"], line["last_seq"], line["others"]) == (1, 4, 0)
    said = ledger(over)
    assert (said.code, "targets and repository agree" in said.out) == (0, True)


def test_attack_9_a_target_that_was_restored_is_seen(over):
    """Rows of the newest chunk are gone from the target, its ledger row with them."""
    over.database("billing", "delete from ludb_ledger where seq = 4")
    said = ledger(over)
    assert said.code == 1
    assert "1 transaction (" in said.out
    assert "the target was restored from a backup" in said.out


def test_attack_8_a_repository_that_was_restored_is_seen(over):
    """The target knows a transaction, and a number, that the repository has never given."""
    (identity,) = {row[0] for row in over.rows("billing", "select repository_id from ludb_ledger")}
    row = f"insert into ludb_ledger values ('t-99', 'commit', '{identity}', 99, 'r', 'c', '[]', '', 0)"
    over.database("billing", row)
    (line,) = ledger(over, "--json").json
    assert (line["unknown"], line["agrees"], line["last_seq"]) == (["t-99"], False, 99)
    assert any("knows sequence number 99, the repository stands at 4" in told for told in line["told"])


def test_a_target_that_is_away_is_a_line_not_a_trace(over):
    (over.folder / "billing.sqlite").rename(over.folder / "away.sqlite")
    said = ledger(over)
    assert (said.code, "cannot be read" in said.out) == (1, True)


def test_the_ddl_makes_the_very_table_that_a_run_makes(over, tmp_path):
    """A DBA runs the text as it stands, before the first run: no repository and no database are needed to print it."""
    text = ledger(over, "--ddl").out
    made = sqlite3.connect(tmp_path / "by_hand.sqlite")
    made.executescript(text)
    shape = [row[1:] for row in made.execute("pragma table_info(ludb_ledger)")]
    made.close()
    assert shape == [row[1:] for row in over.rows("billing", "pragma table_info(ludb_ledger)")]
    assert "-- Needs:" in text


def test_the_ddl_opens_and_makes_nothing(tmp_path, ready):
    made = make_shop(tmp_path, ready)
    (made.folder / "billing.sqlite").unlink()
    assert "CREATE TABLE" in ledger(made, "--ddl").out
    assert not made.state.exists()
    made.close()


def test_ledgers_are_dropped_when_a_person_says_so(over):
    refused = ledger(over, "--drop")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert over.rows("billing", "select count(*) from ludb_ledger") == [(4,)]
    dropped = ledger(over, "--drop", "--yes", "--json").json
    assert dropped == {"dropped": ["billing"], "doubts": []}
    assert over.rows("billing", "select count(*) from sqlite_master where name = 'ludb_ledger'") == [(0,)]
    assert over.rows("billing", "select count(*) from account") == [(8,)]
    after = ledger(over)
    assert (after.code, "tester dropped this ledger" in after.out) == (0, True)
    over.ludb("report", "--job", over.job, "-o", "r.html")
    assert "ledger drop target billing" in (over.folder / "r.html").read_text()


def test_a_run_that_is_not_over_makes_one_think_twice(shop):
    shop.change("job.yaml", "chunk_units: 2", "chunk_units: 2, quarantine_limit: 0")
    shop.write({"rules/no.sql": "select unit_key, 'no' as reason from billing.account where name = 'c3'"})
    assert shop.ludb("run", shop.job).code == 1
    said = ledger(shop, "--drop")
    assert said.code == 2
    assert "is failed" in said.err
    assert shop.rows("billing", "select count(*) from ludb_ledger") == [(2,)]


def test_entries_of_others_make_one_think_twice(over):
    over.database("billing", "insert into ludb_ledger values ('t', 'commit', 'stranger', 1, 'r', 'c', '[]', '', 0)")
    said = ledger(over, "--drop", "--json")
    assert said.code == 2
    assert "1 entry of other repositories" in said.err


def test_a_ledger_in_use_is_never_dropped(shop):
    shop.start("run", shop.job, GATE=str(shop.gate))
    shop.inside(1)
    said = ledger(shop, "--drop", "--yes")
    assert (said.code, "is at work" in said.err) == (2, True)
    shop.gate.touch()
    assert shop.said(shop.processes[0]).code == 0
    assert shop.rows("billing", "select count(*) from ludb_ledger") == [(4,)]


def test_a_repository_that_was_restored_is_recovered_from_the_command_line(shop):
    first = shop.ludb("run", shop.job, "--limit", "2")
    assert first.code == 0, first.err
    state = shop.job / ".ludb"
    kept = [shutil.copyfile(path, path.with_name(f"kept-{path.name}")) for path in state.glob("repository.sqlite*")]
    assert shop.ludb("recover", shop.job).out.strip() == "ledgers and repository agree"
    assert shop.ludb("run", shop.job).code == 0
    for path in state.glob("repository.sqlite*"):
        path.unlink()
    for path in kept:
        path.rename(path.with_name(path.name.removeprefix("kept-")))
    refused = shop.ludb("run", shop.job)
    assert (refused.code, "restored from a backup" in refused.err) == (1, True)
    said = shop.ludb("recover", shop.job, "--json")
    assert said.code == 0
    assert said.json["hopeless"], "the second run was planned after the backup"
    assert "was planned after the backup" in shop.ludb("recover", shop.job).out
