"""Every command, option and exit code is documented, and the README's job runs."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

from ludb.cli.app import app
from ludb.model.run import RunState

ROOT = Path(__file__).parents[2]
CLI = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group, prefix="ludb"):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def test_every_command_is_documented():
    told = [name for name in commands(typer.main.get_command(app)) if f"`{name}" not in CLI]
    assert not told


def test_the_job_of_the_readme_runs(desk):
    blocks = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
    job = next(text for kind, text in blocks if kind == "yaml")
    sql = next(text for kind, text in blocks if kind == "sql")
    files = re.split(r"^-- ((?:steps|rules)/[\w./]+\.sql).*\n", sql, flags=re.MULTILINE)[1:]
    desk.write({"job.yaml": job, **dict(zip(files[::2], files[1::2], strict=True))})
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text);"
        "create table orders (id integer primary key, customer_id int, amount decimal(10,2));"
        "insert into customers values (1,'Ann'),(2,'Bo'); insert into orders values (1,1,5),(2,2,-1);",
    )
    desk.database(
        "billing",
        "create table account (id integer primary key, name text not null);"
        "create table charge (id integer primary key, account int references account(id), amount decimal(10,2));",
    )
    desk.environment |= {"LEGACY_URL": desk.environment["LEGACY"], "BILLING_URL": desk.environment["BILLING"]}
    summary = desk.run()
    assert summary.run.state is RunState.EXCEPTIONS
    assert [(found.unit_key, found.reason) for found in desk.set_aside(summary.run.id).values()] == [
        ("2", "a charge is negative")
    ]
    assert desk.rows("billing", "select name, amount from charge join account on account.id = account") == [("Ann", 5)]


def test_the_readme_leads_to_every_page_of_the_reference():
    pages = {path.name for path in (ROOT / "docs/reference").glob("*.md")}
    assert pages == set(re.findall(r"\(docs/reference/([\w.-]+)\)", README))
