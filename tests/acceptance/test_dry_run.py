"""A dry run: the same report as a run, with nothing written, nothing sent, no number used up, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

TELCO = Path(__file__).parents[2] / "examples" / "telco"
WORDS = "dry run: nothing was written"
UNDECIDED = {"nameless", "service_without_kind"}
"""What only the servers of the demo refuse."""


def print_of(folder: Path, but: str = ".ludb") -> dict[str, str]:
    """Everything but the state directory: files with a hash, folders too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if but not in path.parts and "__pycache__" not in path.parts and not path.name.startswith("said.")
    }


def files_too(shop) -> None:
    """Customers go into a folder of files as well, which is not there yet."""
    shop.change(
        "job.yaml", "unit:", "lake: {type: files, path: ../lake, format: jsonl}\nunit:".replace("lake:", "  lake:", 1)
    )
    shop.write({"steps/40/lake.customer.sql": "select unit_key, id, name from legacy.customers"})


@pytest.fixture(scope="module")
def expect():
    sys.path.insert(0, str(TELCO))
    try:
        import expect
        import generate

        yield expect, generate.generate
    finally:
        sys.path.remove(str(TELCO))
        for name in [
            name for name in sys.modules if name in {"expect", "generate", "legacy"} or name.startswith("legacy.")
        ]:
            del sys.modules[name]


def test_the_demo_dry_tells_who_would_be_set_aside_and_reaches_no_server(shop, simulator, expect):
    compare, generate = expect[0].compare, expect[1]
    shutil.rmtree(shop.job)
    shutil.copytree(TELCO / "job", shop.job, ignore=shutil.ignore_patterns(".ludb", "__pycache__"))
    truth = generate(shop.folder, 150, 7)
    apis = {name: simulator(name) for name in ("crm", "inventory")}
    shop.environment |= {f"{name.upper()}_URL": api.url for name, api in apis.items()}
    before = print_of(shop.folder)
    said = shop.ludb("run", "job", "--dry-run", "--json")
    assert said.code == 3, said.err
    assert print_of(shop.folder) == before
    for api in apis.values():
        assert api.ask("/control/stats")["requests"] == {}
    (place,) = (shop.state / "dry-runs").iterdir()
    listed = shop.ludb("quarantine", "list", "--state", place, "--json").json
    wanted = {key: why for key, why in truth["quarantined"].items() if why["reason"] not in UNDECIDED}
    found = [(one["unit"], one["reason"]) for one in listed]
    assert {key for key, _ in found} <= truth["quarantined"].keys()
    # What a server of the demo would refuse may be refused by the database instead, once nobody asks the server.
    decided = [(key, reason) for key, reason in found if truth["quarantined"][key]["reason"] not in UNDECIDED]
    assert compare(truth | {"quarantined": wanted}, decided) == []
    told = said.json
    assert told["run"]["notes"]["dry_run"] is True
    assert told["counters"]["done"] == truth["units"] - len(found)
    assert all(line["balances"] for line in told["source"])
    by_output = {line["output"]: line["written"] for line in told["outputs"]}
    assert by_output["crm.customer"] == by_output["billing.account"] == told["counters"]["done"]
    shown = shop.ludb("status", "--state", place).out
    assert shown.splitlines()[-1].startswith(WORDS)
    unit = next(iter(wanted))
    assert shop.ludb("quarantine", "show", unit, "--state", place).code == 0
    # The real run afterwards finds everything as if nothing had been tried: keys begin where they should.
    real = shop.ludb("run", "job", "--json")
    assert real.code == 3
    assert real.json["counters"]["done"] == truth["moved"]
    assert shop.rows("billing", "select min(account_id) from account") == [(100_000,)]


def test_a_dry_run_leaves_out_what_has_moved_takes_the_next_numbers_and_gives_them_back(shop):
    files_too(shop)
    assert shop.ludb("run", "job", "--limit", "3").code == 0
    before = print_of(shop.folder)
    for _ in range(2):
        shared = f"sqlite:///{shop.state / 'repository.sqlite'}"
        said = shop.ludb("run", "job", "--dry-run", "--where", "id < 8", "--json", LUDB_REPOSITORY=shared)
        assert said.code == 0, said.err
        assert (said.json["run"]["instance"], said.json["counters"]["done"]) == ("shop[where=id < 8]", 4)
    assert print_of(shop.folder) == before
    place = shop.state / "dry-runs" / said.json["run"]["id"]
    told = shop.ludb("unit", "4", "--state", place, LUDB_REPOSITORY=shared).out
    assert "written billing.account" in told
    assert "id=103, name=c4" in told
    assert shop.ludb("run", "job", "--json").json["counters"]["done"] == 5
    assert shop.rows("billing", "select id from account order by id") == [(n,) for n in range(100, 108)]
    refused = shop.ludb("run", "job", "--dry-run")
    assert refused.code == 2
    assert "nothing is left to move" in refused.err


def test_the_first_dry_run_leaves_no_ledger_no_folder_and_takes_a_name_of_its_own(shop):
    files_too(shop)
    shop.write({"rules/no_five.sql": "select unit_key, 'no fives' as reason from legacy.customers where id = 5"})
    shop.database(
        "billing", "insert into account values (1, 'somebody'); create unique index one_name on account(name)"
    )
    shop.database("legacy", "update customers set name = 'somebody' where id = 2")
    before = print_of(shop.folder)
    said = shop.ludb("run", "job", "--dry-run")
    assert said.code == 3, said.err
    assert "started dry run shop-" in said.err
    assert "UNIQUE constraint failed: account.name" in said.out
    assert "no fives" in said.out
    assert "6 moved, 2 quarantined" in said.out
    lines = said.out.splitlines()
    assert lines[-1].startswith(WORDS)
    assert print_of(shop.folder) == before
    assert shop.ludb("runs", "--job", "job", "--json").json == []
    (see,) = [line.split("see it again: ludb ")[1] for line in lines if "see it again" in line]
    assert WORDS in shop.ludb(*see.split()).out
    place = next((shop.state / "dry-runs").iterdir())
    for command in (["run", "job"], ["quarantine", "retry", "--all"]):
        refused = shop.ludb(*command, "--state", place)
        assert refused.code == 2
        assert "holds a dry run" in refused.err
    assert print_of(shop.folder) == before


@pytest.mark.long
def test_a_dry_run_that_is_killed_leaves_everything_as_it_was_and_another_one_starts_anew(shop):
    before = print_of(shop.folder)
    process = shop.start("run", "job", "--dry-run", GATE=str(shop.gate))
    worker = shop.inside(1)[0]
    process.kill()
    process.wait()
    import os
    import signal

    os.kill(worker, signal.SIGKILL)
    shop.until(lambda: not Path(f"/proc/{worker}").exists() or b"\0" not in _command(worker), "the worker is gone")
    said = shop.ludb("run", "job", "--dry-run")
    assert said.code == 0, said.err
    assert "8 moved" in said.out
    made = {name for name in print_of(shop.folder) if name not in before}
    assert all(name.startswith("inside-") or name in {"0.out", "0.err"} for name in made), made
    assert {name: was for name, was in print_of(shop.folder).items() if name in before} == before
    assert len(list((shop.state / "dry-runs").iterdir())) == 2
    assert shop.ludb("run", "job").code == 0


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.long
def test_a_dry_run_may_be_tried_while_a_real_one_is_unfinished(shop):
    shop.change("job.yaml", "settings:", "rules: {nobody: stop}\nsettings:")
    shop.write({"rules/nobody.sql": "select unit_key, 'stop here' as reason from legacy.customers where id = 4"})
    assert shop.ludb("run", "job").code == 1
    stopped = shop.ludb("run", "job", "--dry-run", "--json")
    assert stopped.code == 1
    assert stopped.json["counters"]["total"] == 6
    assert "stop here" in stopped.json["run"]["reason"]
    shop.write({"rules/nobody.sql": "select unit_key, 'never' as reason from legacy.customers where false"})
    assert shop.ludb("run", "job", "--dry-run", "--json").json["counters"]["done"] == 6
    assert shop.rows("billing", "select count(*) from account") == [(2,)]
    assert shop.ludb("run", "job", "--json").json["counters"]["done"] == 8


def test_a_document_that_cannot_be_sent_is_set_aside_without_a_server(shop, simulator):
    crm = simulator("crm")
    shop.environment["CRM_URL"] = crm.url
    crm.stop()
    text = (shop.job / "job.yaml").read_text().replace("unit:", '  crm: {type: rest, url: "${CRM_URL}"}\nunit:', 1)
    (shop.job / "job.yaml").write_text(text + "outputs:\n  crm.note: {call: 'POST /note/{name}', row: [unit_key]}\n")
    shop.write({
        "steps/50/crm.note.sql": "select unit_key, nullif(name, 'c3') as name, id / nullif(id - 4, 0) as share "
                                 "from legacy.customers",
    })  # fmt: skip
    said = shop.ludb("run", "job", "--dry-run", "--json")
    assert said.code == 3, said.out
    assert [reason for _, reason, _ in said.json["reasons"]] == [said.json["reasons"][0][1]]
    assert "crm.note" in said.json["reasons"][0][1]
    assert json.dumps(said.json)
    assert said.json["counters"]["quarantined"] == 1
    crm.start()
