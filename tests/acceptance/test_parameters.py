"""Parameters: typed where they are given, the same in SQL and Python, and one instance for each identifying value."""

from __future__ import annotations

import pytest

PARAMETERS = """parameters:
  day:    {type: date}
  region: {default: north}
  factor: {type: number, default: 1.5, identifying: false}
  times:  {type: integer, default: 2, identifying: false}
  loud:   {type: boolean, default: false, identifying: false}
settings:"""
SQL = """
    select unit_key, 'sql' as way, concat_ws(' ', CAST(getvariable('day') AS DATE) + 1, getvariable('region'),
      getvariable('factor') * 2, getvariable('times') + 1, getvariable('loud') and true) as told from legacy.customers
"""
PYTHON = """
    def transform(unit):
        p = unit.params
        told = [p["day"], p["region"], p["factor"] * 2, p["times"] + 1, p["loud"] is False]
        yield {"way": "python", "told": " ".join(map(str, told))}
"""
BATCH = """
    def transform_batch(batch):
        return batch.query(f"select unit_key, 'batch' as way, '{batch.params['region']}' as told from legacy.customers")
"""


@pytest.fixture
def asked(shop):
    """A shop that writes down its parameters as its steps see them."""
    for step in sorted((shop.job / "steps").rglob("*.*")):
        step.unlink()
    shop.change("job.yaml", "settings:", PARAMETERS)
    shop.database("billing", "create table heard (way text, told text)")
    shop.write(
        {"steps/10/billing.heard.sql": SQL, "steps/20/billing.heard.py": PYTHON, "steps/30/billing.heard.py": BATCH}
    )
    return shop


def test_sql_and_python_see_the_same_typed_values_and_identifying_ones_make_the_instance(asked):
    said = asked.ludb("run", "job", "-p", "day=2024-02-28", "-p", "region=a b&c", "-p", "factor=0.25", "--json")
    assert said.code == 0, said.out
    assert said.json["run"]["instance"] == "shop?day=2024-02-28&region=a%20b%26c"
    assert said.json["run"]["parameters"] == {
        "day": "2024-02-28", "region": "a b&c", "factor": 0.25, "times": 2, "loud": False,
    }  # fmt: skip
    assert sorted(set(asked.rows("billing", "select way, told from heard"))) == [
        ("batch", "a b&c"),
        ("python", "2024-02-28 a b&c 0.5 3 True"),
        ("sql", "2024-02-29 a b&c 0.5 3 false"),
    ]
    again = asked.ludb("run", "job", "-p", "day=2024-02-28", "-p", "region=a b&c", "-p", "times=9")
    assert again.code == 2
    assert "change parameter day or region (-p day=...)" in again.err
    tried = asked.ludb("unit", "3", "--try", "--job", "job", "-p", "day=2024-01-01", "-p", "times=7", "--json").json
    assert "2024-01-01 a b&c 0.5 8 True" in [row["told"] for row in tried["outputs"]["billing.heard"]]


def test_a_run_goes_on_with_the_values_it_was_planned_with(asked):
    asked.change("job.yaml", "settings:", "rules: {nobody: stop}\nsettings:")
    asked.write({"rules/nobody.sql": "select unit_key, 'stop here' as reason from legacy.customers where id = 4"})
    assert asked.ludb("run", "job", "-p", "day=2024-01-01", "-p", "times=5").code == 1
    asked.write({"rules/nobody.sql": "select unit_key, 'never' as reason from legacy.customers where false"})
    said = asked.ludb("run", "job", "-p", "day=2024-01-01", "-p", "times=6")
    assert said.code == 2
    assert "goes on with times=5" in said.err
    assert asked.ludb("run", "job", "-p", "day=2024-01-01").code == 0
    assert asked.rows("billing", "select distinct told from heard where way = 'python'") == [
        ("2024-01-01 north 3.0 6 True",)
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "needs the parameter 'day' (date)"),
        (["-p", "day=yesterday"], "the value of parameter 'day'"),
        (["-p", "day=2024-01-01", "-p", "times=2.5"], "the value of parameter 'times'"),
        (["-p", "day=2024-01-01", "-p", "regoin=x"], "Did you mean region?"),
        (["-p", "day"], "Write -p name=value"),
    ],
)
def test_values_that_do_not_fit_are_refused_before_anything_is_read(asked, given, words):
    said = asked.ludb("run", "job", *given, "--json")
    assert said.code == 2
    assert words in f"{said.json['message']} {said.json['remedy']}"
    assert asked.rows("billing", "select count(*) from heard") == [(0,)]
