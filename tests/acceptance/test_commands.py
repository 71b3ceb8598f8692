"""What every command says, to a person and to a script, once a run is over."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys

import pytest


def test_a_run_with_a_unit_set_aside_ends_with_3_and_one_json_document(moved):
    assert moved.first.code == 3, moved.first.err
    told = moved.first.json
    assert told["run"]["state"] == "completed_with_exceptions"
    assert (told["counters"]["done"], told["counters"]["quarantined"]) == (7, 1)
    assert told["run"]["actor"] == "tester"
    assert told["run"]["host"]
    assert {line["table"]: line["balances"] for line in told["source"]} == {"customers": True, "orders": True}
    assert told["owners"] == []


def test_a_run_says_what_it_does_on_standard_error_line_by_line(moved):
    told = moved.first.err.splitlines()
    assert told[0].startswith("reading ")
    assert told[1].startswith("started run shop-")
    assert any("% " in line and "units/s" in line for line in told[2:])
    assert "\x1b" not in moved.first.err


def test_status_balances_and_says_what_to_do_next_in_words_that_can_be_copied(moved):
    said = moved.ludb("status", "--job", "job")
    assert said.code == 0
    run = moved.first.json["run"]["id"]
    assert f"{run}  completed_with_exceptions" in said.out
    assert "8 units: 7 moved, 1 quarantined, 0 pending" in said.out
    assert [line.split() for line in said.out.splitlines() if line.startswith("orders")] == [
        ["orders", "8", "7", "1", "0", "0", "1", "ok"]
    ]
    assert "an order is negative" in said.out
    hint = next(line for line in said.out.splitlines() if line.startswith("see who was set aside: "))
    again = moved.ludb(*hint.split(": ludb ", 1)[1].split())
    assert again.code == 0
    assert "an order is negative" in again.out


def test_runs_are_listed_for_people_and_scripts(moved):
    run = moved.first.json["run"]["id"]
    line = moved.ludb("runs", "--job", "job").out.splitlines()[1].split()
    assert line[:5] == [run, "completed_with_exceptions", "8", "7", "1"]
    (found,) = moved.ludb("runs", "--job", "job", "--json").json
    assert (found["run"]["id"], found["counters"]["quarantined"]) == (run, 1)


@pytest.mark.parametrize("columns", [60, 80])
def test_a_terminal_of_any_width_shows_run_ids_in_one_piece(moved, columns):
    window = moved.terminal("runs", "--job", "job", columns=columns)
    assert window.end() == 0
    run = moved.first.json["run"]["id"]
    lines = window.text.splitlines()
    assert any(line.startswith(run) for line in lines)
    assert all(len(line) <= columns for line in lines)
    assert "completed_with_exceptions" in window.text


def test_a_unit_shows_its_state_history_rows_and_what_was_written(moved):
    told = moved.ludb("unit", "3", "--job", "job", "--json").json
    assert (told["key"], told["state"], told["note"]) == ("3", "done", "")
    assert told["source"] == {
        "customers": [{"id": 3, "name": "c3"}], "orders": [{"oid": 30, "cid": 3, "amount": "3.50"}]
    }  # fmt: skip
    assert told["outputs"] == {
        "billing.account": [{"id": 102, "name": "c3"}],
        "billing.charge": [{"oid": 30, "account": 102, "amount": "3.50"}],
        "billing.visit": [{"customer": 3}],
    }
    assert re.search(
        r"decided .*its chunk took extract [\d,]+ ms, .*steps [\d,]+ ms", moved.ludb("unit", "3", "--job", "job").out
    )
    bad = moved.ludb("unit", "5", "--job", "job")
    assert bad.out.startswith("unit 5  quarantined\n")
    assert "rules/no_negative.sql: an order is negative (unit 5)" in bad.out
    assert "id=5, name=c5" in bad.out


def test_an_unknown_unit_or_run_is_answered_with_what_there_is(moved):
    said = moved.ludb("unit", "99", "--job", "job")
    assert said.code == 2
    assert "no unit '99' in the list of 8 units" in said.err
    assert "'1'" in said.err
    said = moved.ludb("status", "nothing", "--job", "job", "--json")
    assert (said.code, said.err) == (2, "")
    assert moved.first.json["run"]["id"] in said.json["message"]
    said = moved.ludb("quarantine", "show", "3", "--job", "job")
    assert said.code == 2
    assert "unit 3 is not set aside" in said.err


def test_the_quarantine_names_who_and_why_and_shows_the_source_rows(moved):
    said = moved.ludb("quarantine", "list", "--job", "job")
    assert said.out.startswith("1  an order is negative  (quarantined by rules/no_negative.sql)\n    5\n")
    assert moved.ludb("quarantine", "list", "--job", "job", "--json").json == [
        {"unit": "5", "state": "quarantined", "phase": "rules", "step": "rules/no_negative.sql",
         "reason": "an order is negative"}
    ]  # fmt: skip
    shown = moved.ludb("quarantine", "show", "5", "--job", "job")
    assert shown.code == 0
    for part in ("reason  an order is negative", "step  rules/no_negative.sql", '"name": "c5"'):
        assert part in shown.out
    told = moved.ludb("quarantine", "show", "5", "--job", "job", "--json").json
    assert json.loads(told["source_rows"])["orders"][0]["cid"] == 5


@pytest.mark.parametrize("how", [("--unit", "3"), ("--unit", "5", "--all")])
def test_a_retry_that_means_nothing_is_refused_and_changes_nothing(moved, how):
    said = moved.ludb("quarantine", "retry", "--job", "job", *how)
    assert said.code == 2
    assert moved.site.repository.views.runs()[0].state == "completed_with_exceptions"


def test_a_complete_instance_is_refused_and_says_how_to_move_it_again(moved):
    refused = moved.ludb("run", "job", "--json")
    assert refused.code == 2
    assert "shop is complete" in refused.json["message"]
    assert "identifying parameter" in refused.json["remedy"]
    assert f"`ludb quarantine retry {moved.first.json['run']['id']} --all --job job`" in refused.json["remedy"]


def test_a_refused_resume_names_a_command_that_finds_the_run(moved):
    run = moved.first.json["run"]["id"]
    refused = moved.ludb("resume", "--job", "job", "--json")
    assert (refused.code, refused.json["remedy"].endswith(f"ludb quarantine retry {run} --all --job job")) == (2, True)


def test_a_retry_for_part_of_a_reason_says_that_the_whole_reason_is_wanted(moved):
    refused = moved.ludb("quarantine", "retry", "--job", "job", "--reason", "negative", "--json")
    assert refused.code == 2
    assert refused.json["message"] == "no unit is quarantined for this very reason"
    assert "write the whole reason" in refused.json["remedy"]


def test_a_plan_after_the_run_tells_what_was_moved_before(moved):
    told = moved.ludb("plan", "job", "--json").json
    assert (told["units"], told["moved_before"], told["chunks"]) == (1, 7, 1)
    assert told["orphans"]["orders"]["count"] == 1


def test_check_reads_the_job_alone(moved):
    said = moved.ludb("check", "job", LEGACY_URL="nowhere.sqlite", BILLING_URL="also-nowhere.sqlite")
    assert (said.code, said.err) == (0, "")
    assert "3 steps, 3 outputs, no mistakes found" in said.out
    told = moved.ludb("check", "job/job.yaml", "--json").json
    modes = dict.fromkeys(("billing.account", "billing.charge", "billing.visit"), "insert")
    assert told == {"job": "shop", "version": told["version"], "steps": 3, "ok": True, "modes": modes, "findings": []}


def test_the_schema_is_one_that_validators_accept_and_the_job_follows_it(moved):
    import jsonschema
    from ruamel.yaml import YAML

    schema = moved.ludb("schema", "--json").json
    jsonschema.validators.validator_for(schema).check_schema(schema)
    job = YAML(typ="safe").load((moved.job / "job.yaml").read_text())
    jsonschema.validate(job, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job | {"unit": {"root": 5}}, schema)


def test_the_version_is_one_line(moved):
    from importlib.metadata import version

    said = moved.ludb("--version")
    assert (said.code, said.out) == (0, version("ludb") + "\n")


def test_without_a_command_there_is_help_and_every_command_is_in_it(moved):
    said = moved.ludb()
    for command in ("check", "plan", "run", "stop", "abandon", "status", "runs", "unit", "quarantine", "schema"):
        assert command in said.out + said.err


def test_a_wrong_option_ends_with_2_and_nothing_on_standard_output(moved):
    said = moved.ludb("run", "job", "--nope")
    assert (said.code, said.out) == (2, "")
    assert "--nope" in said.err


@pytest.mark.parametrize(
    ("wrong", "named"),
    [(("run", "job", "--workers", "0"), "--workers"), (("bogus",), "bogus"), (("run", "job", "-p", "x"), "-p")],
)
def test_a_wrong_command_is_one_json_document_for_a_script(moved, wrong, named):
    told = moved.ludb(*wrong, "--json")
    assert told.code == 2
    assert named in told.json["message"]
    assert told.json["remedy"]


def test_a_job_that_is_not_there_is_named_and_nothing_is_made_in_its_place(moved):
    said = moved.ludb("run", "typo")
    assert said.code == 2
    assert "typo: there is no such folder" in said.err
    (moved.folder / "empty").mkdir(exist_ok=True)
    assert "there is no job.yaml in this folder" in moved.ludb("plan", "empty").err
    assert not list((moved.folder / "empty").iterdir())
    assert not (moved.folder / "typo").exists()


def test_where_nothing_was_run_yet_the_answer_says_where_it_looked(moved):
    said = moved.ludb("status")  # the state directory lies in the job folder, not here
    assert said.code == 2
    assert str(moved.folder / ".ludb") in said.err
    assert "--job" in said.err
    assert not (moved.folder / ".ludb").exists()
    told = moved.ludb("quarantine", "list", "--json").json
    assert told["error"] == "ConfigError"
    assert "--state" in told["remedy"]


def test_an_answer_cut_short_by_its_reader_is_no_crash(moved):
    command = f"{sys.executable} -m ludb status --job job | head -1"
    ended = subprocess.run(
        command, shell=True, cwd=moved.folder, env=moved.environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in ended.stderr
    assert ended.stdout


def test_a_state_directory_that_cannot_be_made_is_an_error_with_a_remedy(moved):
    (moved.folder / "file").touch()
    said = moved.ludb("plan", "job", "--state", "file/state")
    assert said.code == 2
    assert "--state" in said.err
    assert "Traceback" not in said.err


def test_the_state_directory_is_for_its_owner_alone(moved):
    assert moved.state.stat().st_mode & 0o777 == 0o700
    with sqlite3.connect(moved.state / "repository.sqlite") as repository:
        assert repository.execute("select count(*) from run").fetchone() == (1,)
    repository.close()


def test_a_command_without_a_run_means_the_newest_of_the_job_that_is_named(shop):
    """Two jobs in one repository: whoever gives up a run of one of them must not meet the other's."""
    shop.write({"rules/broken.sql": "select unit_key, 'broken' as reason from legacy.customers"})
    shop.change("job.yaml", "settings:", "rules: {broken: stop}\nsettings:")
    failed = shop.ludb("run", "job", "--json").json["run"]
    assert failed["state"] == "failed"
    assert shop.ludb("init", "other").code == 0
    assert shop.ludb("run", "other", "--state", "job/.ludb").code == 3
    assert shop.ludb("status", "--job", "job", "--json").json["run"]["id"] == failed["id"]
    ended = shop.ludb("abandon", "--job", "job")
    assert (ended.code, f"{failed['id']} is abandoned: 0 units stay moved, 8 not moved" in ended.out) == (0, True)
    refused = shop.ludb("abandon", "--job", "other", "--state", "job/.ludb")
    assert (refused.code, "there is nothing to abandon" in refused.err) == (2, True)


def test_a_run_that_failed_at_its_limit_names_the_command_that_gets_everybody_moved(shop):
    """Started again it would fail at once: the units that one broken step has set aside still count."""
    shop.change("job.yaml", "workers: 1", "workers: 1, quarantine_limit: 1")
    visit = (shop.job / "steps/30_visit/billing.visit.py").read_text()
    shop.write({"steps/30_visit/billing.visit.py": "def transform(unit):\n    raise KeyError('broken')\n"})
    failed = shop.ludb("run", "job")
    assert (failed.code, "the limit is 1: this looks like one fault in many units; mend the cause" in failed.out) == (
        1,
        True,
    )
    (line,) = [line for line in failed.out.splitlines() if line.startswith("once that is mended")]
    shop.write({"steps/30_visit/billing.visit.py": visit})
    moved = shop.ludb(*line.split(": ludb ")[1].split())
    assert moved.code == 0, moved.err
    assert shop.rows("billing", "select count(*) from visit") == [(8,)]
