"""Hooks: once before the first worker, once after the run is complete; what fails or is killed is told, and done again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

HOOKS = """
before:
  - {name: triggers off, sql: hooks/off.sql, on: billing}
  - {python: lib/hooks.py:note}
after:
  - {name: triggers on, sql: hooks/on.sql, on: billing}
  - {name: tell, python: lib/hooks.py:note}
"""
OFF = """
    -- the new system refuses customers by trigger; a migration may
    drop trigger closed;
    insert into told select 'off; ' || :region || ' ' || :ludb_moment || ' ' || :ludb_done, count(*) from account
"""
ON = """
    create trigger closed before insert on account begin select raise(abort, 'closed; for good'); end;
    insert into told values (:ludb_state, :ludb_done);
"""
NOTE = """
    import os, pathlib, time

    def note(facts):
        print("said by a hook")
        words = [facts.moment, facts.state, facts.params["region"], str(facts.counts["done"]), str(facts.counts["pending"])]
        with pathlib.Path(os.environ["NOTES"]).open("a") as file:
            file.write(" ".join(words) + "\\n")
        if facts.moment == os.environ.get("HANG"):
            pathlib.Path(os.environ["NOTES"]).with_suffix(f".{os.getpid()}").touch()
            time.sleep(600)
        if facts.moment == os.environ.get("FAIL"):
            raise RuntimeError("the secret is 4711")
"""


@pytest.fixture
def hooked(shop):
    """A shop whose billing database takes accounts only while a hook has opened it."""
    shop.database("billing", "create table told (what text, n int)")
    shop.database("billing", "create trigger closed before insert on account begin select raise(abort, 'closed'); end")
    shop.change("job.yaml", "settings:", "parameters: {region: {default: north}}\nsettings:")
    (shop.job / "job.yaml").write_text((shop.job / "job.yaml").read_text() + HOOKS)
    shop.write({"hooks/off.sql": OFF, "hooks/on.sql": ON, "lib/hooks.py": NOTE})
    shop.notes = shop.folder / "notes"
    shop.environment["NOTES"] = str(shop.notes)
    return shop


def notes(shop) -> list[str]:
    return shop.notes.read_text().splitlines() if shop.notes.exists() else []


def told(shop) -> list[tuple]:
    return shop.rows("billing", "select what, n from told")


def test_hooks_run_once_around_the_run_and_know_its_facts(hooked):
    said = hooked.ludb("run", "job", "--json")
    assert said.code == 0, said.out
    assert "said by a hook" in said.err
    assert told(hooked) == [("off; north before 0", 0), ("completed", 8)]
    assert notes(hooked) == ["before running north 0 8", "after completed north 8 0"]
    assert hooked.rows("billing", "select count(*) from sqlite_master where name = 'closed'") == [(1,)]
    assert [(one["moment"], one["name"], one["state"]) for one in said.json["hooks"]] == [
        ("before", "triggers off", "done"), ("before", "lib/hooks.py:note", "done"),
        ("after", "triggers on", "done"), ("after", "tell", "done"),
    ]  # fmt: skip
    again = hooked.ludb("run", "job")
    assert again.code == 2
    assert "is complete" in again.err
    assert len(notes(hooked)) == 2


def test_a_hook_before_that_fails_means_that_nothing_ran_and_a_new_start_does_only_what_is_left(hooked):
    said = hooked.ludb("run", "job", FAIL="before")
    assert said.code == 1
    assert "nothing has run: the before hook 'lib/hooks.py:note' failed: RuntimeError; see" in said.out
    assert "4711" not in said.out + said.err
    log = next((hooked.state / "logs").rglob("hooks.log"))
    assert "4711" in log.read_text()
    assert hooked.rows("billing", "select count(*) from account") == [(0,)]
    assert hooked.events("worker.started") == []
    assert "go on with it: ludb run job" in said.out
    assert hooked.ludb("run", "job").code == 0
    assert [what for what, _ in told(hooked)] == [
        "off; north before 0",
        "completed",
    ]  # off was done, and is not repeated
    assert notes(hooked) == ["before running north 0 8"] * 2 + ["after completed north 8 0"]


def test_sql_that_fails_leaves_nothing_of_its_file_and_names_its_line(hooked):
    hooked.write(
        {"hooks/off.sql": "delete from told;\ninsert into told values ('x', 1);\n\ninsert into nowhere values (1);"}
    )
    said = hooked.ludb("run", "job")
    assert said.code == 1
    assert "the before hook 'triggers off' failed: hooks/off.sql" in said.out
    assert "line 4" in said.out
    assert "no such table: nowhere" in said.out
    assert told(hooked) == []


def test_a_hook_after_that_fails_leaves_the_run_complete_says_so_and_is_tried_by_the_next_start(hooked):
    said = hooked.ludb("run", "job", FAIL="after")
    assert said.code == 6
    assert "the after hook failed tell: RuntimeError" in said.out
    assert "  completed\n" in said.out
    assert "do the hooks that are left: ludb run job" in said.out
    assert "the after hook failed tell" in hooked.ludb("status", "--job", "job").out
    assert hooked.ludb("run", "job", FAIL="after").code == 6
    run = hooked.ludb("runs", "--job", "job", "--json").json[0]["run"]["id"]
    resumed = hooked.ludb("resume", run, "--job", "job")
    assert resumed.code == 0, resumed.err
    assert "after hook failed" not in resumed.out
    assert [what for what, _ in told(hooked)] == ["off; north before 0", "completed"]  # done at first: not repeated
    assert notes(hooked)[1:] == ["after completed north 8 0"] * 3
    assert hooked.ludb("run", "job").code == 2


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_inside_a_hook_is_followed_by_one_that_does_that_hook_again(hooked, moment):
    process = hooked.start("run", "job", HANG=moment)
    hooked.until(lambda: list(hooked.folder.glob("notes.*")), "somebody is inside the hook")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if moment == "after":
        shown = hooked.ludb("status", "--job", "job")
        assert "do the hooks that are left" in shown.out
    said = hooked.ludb("run", "job", "--json")
    assert said.code == 0, said.err
    assert said.json["counters"]["done"] == 8
    assert [what for what, _ in told(hooked)] == ["off; north before 0", "completed"]
    assert [line.split()[0] for line in notes(hooked)].count(moment) == 2
    assert [event["again"] for event in hooked.events("hook.started") if event["moment"] == moment][-1]


def test_a_complete_run_that_is_opened_again_has_its_hooks_around_it_again(hooked):
    hooked.write({"rules/no_five.sql": "select unit_key, 'no fives' as reason from legacy.customers where id = 5"})
    assert hooked.ludb("run", "job").code == 3
    (hooked.job / "rules/no_five.sql").unlink()
    said = hooked.ludb("quarantine", "retry", "--job", "job", "--all")
    assert said.code == 0, said.out  # the trigger was switched off again
    assert [what for what, _ in told(hooked)] == [
        "off; north before 0", "completed_with_exceptions", "off; north before 7", "completed",
    ]  # fmt: skip


def test_a_dry_run_lists_its_hooks_as_skipped(hooked):
    said = hooked.ludb("run", "job", "--dry-run")
    assert said.code == 3  # the trigger is on: what would be refused is told
    assert "hook skipped, before: triggers off" in said.out
    assert "hook skipped, after: tell" in said.out
    assert (told(hooked), notes(hooked)) == ([], [])


def test_a_hook_is_part_of_the_job_s_version(hooked):
    before = hooked.ludb("check", "job", "--json").json["version"]
    hooked.write({"hooks/off.sql": OFF + "-- "})
    assert hooked.ludb("check", "job", "--json").json["version"] != before


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("sql: hooks/off.sql", "sql: hooks/of.sql", "before.0.sql", "no file hooks/of.sql"),
        ("sql: hooks/off.sql", "sql: ../job/hooks/off.sql", "before.0.sql", ""),
        ("sql: hooks/off.sql", "sql: ../secret.sql", "before.0.sql", "no file"),
        ("on: billing", "on: biling", "before.0.on", "there is no system 'biling'"),
        ("hooks/off.sql, on: billing", "hooks/off.sql", "before.0", "'on' is missing"),
        ("python: lib/hooks.py:note", "python: lib/hooks.py:notes", "before.1.python", "no function 'notes'"),
        ("python: lib/hooks.py:note", "python: lib/hooks.py", "before.1.python", "not well formed"),
        ("{python: lib/hooks.py:note}", "{name: x}", "before.1", "either sql or python"),
        ("name: tell", "name: triggers on", "after.1", "two hooks"),
    ],
)
def test_a_hook_that_cannot_be_is_named_by_its_place(hooked, old, new, field, words):
    hooked.change("job.yaml", old, new)
    said = hooked.ludb("check", "job", "--json")
    if not words:
        assert said.code == 0
        return
    assert said.code == 2
    assert said.json["field"] == field
    assert said.json["line"]
    assert words in json.dumps(said.json["message"])


@pytest.mark.parametrize(
    ("file", "text", "line", "words"),
    [
        ("hooks/off.sql", "select 1;\n\ndorp trigger closed;", 3, "syntax error"),
        ("hooks/off.sql", "select 1;\nselect 'x", 2, "does not end"),
        ("hooks/off.sql", "-- yes\nCOMMIT;", 2, "one transaction"),
        ("lib/hooks.py", "x = 1\ndef note(:\n", 2, ""),
    ],
)
def test_a_hook_s_text_is_parsed_before_anything_runs(hooked, file, text, line, words):
    (hooked.job / file).write_text(text)
    said = hooked.ludb("check", "job", "--json")
    assert said.code == 2
    assert (said.json["file"], said.json["line"]) == (file, line)
    assert words in said.json["message"]
    assert Path(hooked.job / file).read_text() == text
