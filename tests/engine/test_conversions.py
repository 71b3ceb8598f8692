"""What steps convert is counted once for every value of every unit that moves, whatever happened on the way."""

from __future__ import annotations

import pytest

from ludb.cli.places import Hints
from ludb.cli.report import render_summary
from ludb.engine import pipeline
from ludb.errors import TransientError
from ludb.model.run import RunState
from ludb.service.trial import try_unit

JOB = """
    name: cleansing
    systems:
      legacy: {{type: sqlite, url: "${{LEGACY}}"}}
      new: {{type: sqlite, url: "${{NEW}}"}}
    unit:
      root: legacy.customers
      key: id
      tables:
        calls: {{parent: customers, on: {{cid: id}}}}
    keys:
      number: {{for: customers.id, kind: sequence}}
    settings: {{chunk_units: {chunk}}}
"""
PEOPLE = 12
SET_ASIDE = {"2": "rule", "3": "python", "5": "target", "7": "data"}


def dated(number: int) -> str:
    return f"{number:02}.01.1990" if number % 2 else f"1990-01-{number:02}"


@pytest.fixture
def cleansing(desk):
    """Twelve customers with three calls each. Odd ones have a German birthday; each defect sets one customer aside."""

    def make(chunk: int):
        people = [(n, "31.02.1990" if n == 7 else dated(n), f" c{n} ") for n in range(1, PEOPLE + 1)]
        calls = [
            (n * 10 + i, n, "0171/SIEHE" if (n, i) == (3, 2) else f"0171 / 123456{i}")
            for n in range(1, 13)
            for i in range(3)
        ]
        desk.database(
            "legacy",
            "create table customers (id integer primary key, born text, name text);"
            "create table calls (call integer primary key, cid int, phone text);"
            + "".join(f"insert into customers values ({n}, '{born}', '{name}');" for n, born, name in people)
            + "".join(f"insert into calls values ({c}, {n}, '{phone}');" for c, n, phone in calls),
        )
        desk.database(
            "new",
            "create table customer (id integer primary key, born date, name text check (name <> 'c5'));"
            "create table call (call integer primary key, phone text);",
        )
        desk.write(
            {
                "job.yaml": JOB.format(chunk=chunk),
                "steps/10_customer/new.customer.sql": """
                    select unit_key, k.new as id, parse_date(born) as born, blank_to_null(name) as name
                    from legacy.customers join keys.number k using (unit_key)
                """,
                "rules/10_customer/not_two.sql": """
                    select unit_key, 'not welcome' as reason from legacy.customers
                    where id = 2 and parse_date('01.01.2000') is not null
                """,
                "steps/20_call/new.call.py": """
                    from ludb.sql import phone_e164

                    def transform(unit):
                        for row in unit.calls:
                            yield {"call": row.call, "phone": phone_e164(row.phone, "DE")}
                """,
            }
        )
        return desk

    return make


def expected(moved: set[int]) -> dict[str, int]:
    return {"parse_date": sum(n % 2 for n in moved), "blank_to_null": len(moved), "phone_e164": 3 * len(moved)}


@pytest.mark.parametrize("chunk", [1, 5, 100])
def test_units_set_aside_by_rule_step_data_and_target_count_nothing_whatever_the_chunks(cleansing, chunk):
    desk = cleansing(chunk)
    summary = desk.run()
    assert set(desk.set_aside(summary.run.id)) == set(SET_ASIDE)
    moved = set(range(1, PEOPLE + 1)) - {int(key) for key in SET_ASIDE}
    assert summary.conversions == expected(moved)


def test_a_unit_that_is_mended_and_retried_counts_then_and_only_once(cleansing):
    desk = cleansing(100)
    summary = desk.run()
    (desk.job / "rules/10_customer/not_two.sql").unlink()
    desk.write(
        {"steps/20_call/new.call.sql": "select unit_key, call, phone_e164(phone, 'DE') as phone from legacy.calls"}
    )
    (desk.job / "steps/20_call/new.call.py").unlink()
    desk.database(
        "legacy",
        "update customers set born = '07.01.1990' where id = 7; update calls set phone = '0171 1234562' where cid = 3;",
    )
    desk.database("new", "drop table customer; create table customer (id integer primary key, born date, name text)")
    desk.site.repository.chunks.retry(summary.run.id, [f.position for f in desk.set_aside(summary.run.id).values()])
    summary = desk.go_on(summary.run.id)
    assert summary.run.state is RunState.COMPLETED
    assert summary.conversions == expected(set(range(1, PEOPLE + 1)))


def test_an_attempt_that_was_released_counts_nothing(cleansing, monkeypatch):
    desk = cleansing(4)
    real, left = pipeline.journal, [1, 1]

    def flaky(*arguments):
        if left:
            left.pop()
            raise TransientError("the disk is busy", system="journal")
        return real(*arguments)

    monkeypatch.setattr(pipeline, "journal", flaky)
    summary = desk.run()
    assert not left
    assert summary.conversions == expected(set(range(1, PEOPLE + 1)) - {int(key) for key in SET_ASIDE})


def test_a_trial_of_one_unit_shows_what_it_would_convert(cleansing):
    desk = cleansing(100)
    made = try_unit(desk.site, desk.job, {}, "1")
    assert made.verdict is None
    assert made.conversions == expected({1})


def test_a_run_says_in_words_what_was_converted(cleansing, capsys):
    from rich.console import Console

    desk = cleansing(100)
    render_summary(Console(width=200), desk.run(), Hints("ludb", "", "ludb run job"))
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("converted"))
    assert line == (
        "converted in moved units: 24 phone numbers normalised, 8 texts trimmed or made NULL, 3 dates converted"
    )


def test_the_jobs_own_macro_wins_over_the_library_and_that_stays_within_reach(cleansing):
    desk = cleansing(100)
    desk.write(
        {
            "macros/own.sql": """
                create macro blank_to_null(v) as 'own';
                create macro birthday(v) as parse_date(v);
            """,
            "steps/10_customer/new.customer.sql": """
                select unit_key, id, birthday('01.02.1999') as born, blank_to_null(name) || ludb.blank_to_null(name) as name
                from legacy.customers
            """,
        }
    )
    summary = desk.run()
    assert desk.rows("new", "select born, name from customer where id = 1") == [("1999-02-01", "ownc1")]
    assert summary.conversions["blank_to_null"] == summary.counters.done


def test_a_wrong_argument_is_the_jobs_mistake_and_sets_nobody_aside(cleansing):
    desk = cleansing(100)
    desk.write(
        {"steps/20_call/new.call.sql": "select unit_key, call, phone_e164(phone, 'Germany') as phone from legacy.calls"}
    )
    (desk.job / "steps/20_call/new.call.py").unlink()
    desk.database("legacy", "update customers set born = null where id = 7")
    summary = desk.run()
    assert summary.run.state is RunState.FAILED
    assert "steps/20_call/new.call.sql: there is no region 'Germany'" in summary.run.reason
    assert summary.counters.quarantined == 0
    assert summary.conversions == {}
