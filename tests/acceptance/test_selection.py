"""Moving some of the units: who is selected, what is refused, and wave after wave until nobody is left."""

from __future__ import annotations

import pytest

COMPOSITE = """
    name: shop
    systems:
      legacy:  {type: sqlite, url: "${LEGACY_URL}"}
      billing: {type: sqlite, url: "${BILLING_URL}"}
    unit: {root: legacy.branches, key: [country, number]}
    settings: {chunk_units: 2, workers: 1}
"""
NO_FIVES = {"rules/no_five.sql": "select unit_key, 'No fives, please' as reason from legacy.customers where id = 5"}


def accounts(shop) -> list[str]:
    return [name for (name,) in shop.rows("billing", "select name from account order by id")]


def planned(shop, *options: object) -> dict:
    said = shop.ludb("plan", "job", *options, "--json")
    assert said.code == 0, said.err or said.out
    return said.json


def refused(shop, command: str, *options: object) -> str:
    said = shop.ludb(command, "job", *options, "--json")
    assert said.code == 2, said.out
    return f"{said.json['message']} / {said.json['remedy']}"


def wave(shop, *options: object, code: int = 0) -> dict:
    said = shop.ludb("run", "job", *options, "--json")
    assert said.code == code, said.err or said.out
    for line in said.json["source"]:
        assert line["balances"], line
    return said.json


def test_the_parts_narrow_one_another_and_rows_of_others_are_no_orphans(shop):
    shop.database("legacy", "insert into orders values (999, 77, 1)")
    (shop.folder / "keys.txt").write_text("2\n3\n4\n5\n6\n")
    told = planned(shop, "--where", "customers.id % 2 = 0 -- even", "--units", "keys.txt", "--limit", "2")
    assert told["instance"].startswith("shop[where=customers.id %25 2 = 0 -- even,units=5:")
    assert told["instance"].endswith(",limit=2]")
    assert (told["units"], told["unselected"], told["chunks"]) == (2, 6, 1)
    assert told["rows"] == {"customers": {"rows": 2, "orphans": 0}, "orders": {"rows": 2, "orphans": 1}}
    assert [row for row, _ in told["orphans"]["orders"]["samples"]]
    assert shop.ludb("plan", "job", "--limit", "2").out.startswith("shop[limit=2]  version")


def test_waves_move_the_next_units_until_nobody_is_left_and_a_run_without_selection_the_rest(shop):
    shop.write({"rules/no_two.sql": "select unit_key, 'no twos' as reason from legacy.customers where id = 2"})
    first = wave(shop, "--limit", "3", code=3)
    assert (first["run"]["instance"], first["counters"]["done"]) == ("shop[limit=3]", 2)
    assert first["run"]["notes"]["selection"] == {"limit": 3, "text": "limit=3"}
    assert accounts(shop) == ["c1", "c3"]
    # Units that were set aside come last: they do not keep the others from moving.
    assert wave(shop, "--limit", "3")["counters"] == first["counters"] | {"done": 3, "quarantined": 0}
    assert accounts(shop) == ["c1", "c3", "c4", "c5", "c6"]
    shown = shop.ludb("status", "--job", "job").out
    assert "selected: limit=3" in shown
    assert "limit=3" in shop.ludb("runs", "--job", "job").out
    assert wave(shop, "--limit", "3", code=3)["counters"] == first["counters"]
    assert [run["counters"]["total"] for run in shop.ludb("runs", "--job", "job", "--json").json] == [3, 3, 3]
    (shop.job / "rules/no_two.sql").unlink()
    rest = wave(shop)
    assert (rest["run"]["instance"], rest["counters"]["total"], rest["counters"]["done"]) == ("shop", 1, 1)
    assert rest["run"]["notes"]["moved_before"] == 7
    assert rest["source"][1]["orphans"] == 0
    assert "nothing is left to move: 8 units, all moved by earlier runs of shop" in refused(shop, "run", "--limit", "3")


@pytest.mark.long
def test_an_unfinished_selection_is_gone_on_with_by_the_same_options_and_the_hint_repeats_them(shop):
    shop.change("job.yaml", "settings:", "rules: {nobody: stop}\nsettings:")
    shop.write({"rules/nobody.sql": "select unit_key, 'stop here' as reason from legacy.customers where id = 4"})
    said = shop.ludb("run", "job", "--where", "id > 2", "--sample", "100%", "--limit", "4")
    assert said.code == 1
    assert "go on with it: ludb run job --where 'id > 2' --sample 100% --limit 4" in said.out
    (shop.job / "rules/nobody.sql").unlink()
    shop.change("job.yaml", "rules: {nobody: stop}\n", "")
    assert "still has 2 of these units to move" in refused(shop, "run", "--limit", "4")
    told = wave(shop, "--where", "id > 2", "--sample", "100%", "--limit", "4")
    assert told["counters"]["done"] == 4
    assert accounts(shop) == ["c3", "c4", "c5", "c6"]
    assert len(shop.ludb("runs", "--job", "job", "--json").json) == 1


def test_quarantined_units_alone_are_moved_once_they_are_mended(shop):
    shop.write(
        NO_FIVES | {"rules/no_six.sql": NO_FIVES["rules/no_five.sql"].replace("fives", "sixes").replace("5", "6")}
    )
    assert "--only-quarantined leaves none of 8 units" in refused(shop, "plan", "--only-quarantined")
    wave(shop, "--where", "id < 7", code=3)
    assert planned(shop, "--only-quarantined")["units"] == 2
    assert shop.ludb("plan", "--only-quarantined", "job", "--json").json["units"] == 2
    assert "--only-quarantined sevens leaves none of 8" in refused(shop, "plan", "--only-quarantined", "sevens")
    (shop.job / "rules/no_five.sql").unlink()
    told = wave(shop, "--only-quarantined", "no FIVES")
    assert (told["run"]["instance"], told["counters"]["done"]) == ("shop[quarantined=no FIVES]", 1)
    assert accounts(shop) == ["c1", "c2", "c3", "c4", "c5"]
    assert "nothing is left to move" in refused(shop, "run", "--only-quarantined", "no FIVES")


def test_a_file_of_keys_may_name_only_units_that_are_there(shop):
    (shop.folder / "keys.txt").write_bytes(b"\xef\xbb\xbfid\r\n3\r\n\r\n" + b"".join(b"x%d\r\n" % n for n in range(25)))
    told = refused(shop, "run", "--units", "keys.txt")
    assert "25 of 26 keys are not in legacy.customers: 'x0', 'x1', 'x10'" in told
    assert told.count("'x") == 20
    assert "--skip-missing" in told
    assert planned(shop, "--units", "keys.txt", "--skip-missing")["units"] == 1
    (shop.folder / "keys.txt").write_text("x1\n")
    assert "leaves none of 8 units" in refused(shop, "plan", "--units", "keys.txt", "--skip-missing")
    process = shop.start("plan", "job", "--units", "nothing.txt", "--json")
    assert "nothing.txt" in shop.said(process).json["message"]


def test_composite_keys_come_as_csv_with_a_header_in_any_order(shop):
    for step in sorted((shop.job / "steps").rglob("*.*")):
        step.unlink()
    shop.database("legacy", "create table branches (country text, number int, name text)")
    shop.database("legacy", "insert into branches values ('DE',1,'a'),('DE',2,'b'),('F|R',1,'c'),('x, y',3,'d')")
    shop.database("billing", "create table branch (name text)")
    shop.write({"job.yaml": COMPOSITE, "steps/10/billing.branch.sql": "select unit_key, name from legacy.branches"})
    (shop.folder / "keys.csv").write_text('number,"country",note\n1,F|R,hello\n3,"x, y",\n')
    told = wave(shop, "--units", "keys.csv")
    assert told["counters"]["done"] == 2
    assert shop.rows("billing", "select name from branch order by name") == [("c",), ("d",)]
    (shop.folder / "keys.csv").write_text("country\nDE\n")
    assert "no column number / Write a CSV with the header country,number" in refused(
        shop, "run", "--units", "keys.csv"
    )
    (shop.folder / "keys.csv").write_text("country,number\nDE\n")
    assert "keys.csv, line 2: a column is missing" in refused(shop, "run", "--units", "keys.csv")


def test_standard_input_may_hold_the_keys(shop):
    import subprocess
    import sys

    said = subprocess.run(
        [sys.executable, "-m", "ludb", "plan", "job", "--units", "-", "--json"], cwd=shop.folder,
        env=shop.environment, input=b"8\n1\n", capture_output=True, check=True,
    )  # fmt: skip
    assert b'"units": 2' in said.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--where", "id > 100"], "--where id > 100 leaves none of 8 units"),
        (["--where", "nmae = 'x'"], "no such column: nmae / Write one condition over legacy.customers"),
        (["--where", "id ="], "syntax error"),
        (["--where", "1); drop table customers --"], "--where 1); drop table customers --: system legacy"),
        (["--sample", "0.0001%"], "--sample 0.0001% leaves none of 8 units"),
        (["--sample", "150%"], "Write a percentage"),
        (["--sample", "5"], "Write a percentage"),
        (["--sample", "nan%"], "Write a percentage"),
    ],
)
def test_what_cannot_be_selected_is_refused_by_name(shop, options, words):
    assert words in refused(shop, "plan", *options)
    assert shop.rows("legacy", "select count(*) from customers") == [(8,)]


def test_a_limit_of_nothing_is_a_mistake(shop):
    assert shop.ludb("run", "job", "--limit", "0").code == 2
