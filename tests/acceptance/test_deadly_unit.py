"""One customer that every worker dies of (out of memory, a library that crashes) is set aside by name; the others move."""

from __future__ import annotations

from tests.acceptance.conftest import STEPS

DEADLY = """
import os

def transform(unit):
    for row in unit.customers:
        if row.name == "c3":
            os.abort()
        yield {"customer": row.id}
"""


def test_the_customer_that_workers_die_of_is_found_and_set_aside(shop):
    (shop.folder / "job" / "steps" / "30_visit" / "billing.visit.py").write_text(DEADLY, encoding="utf-8")
    said = shop.ludb("run", "job", "--workers", "1")
    assert said.code == 3, said.err
    assert shop.rows("billing", "select name from account order by name") == [(f"c{n}",) for n in (1, 2, 4, 5, 6, 7, 8)]
    (found,) = shop.site.repository.views.exceptions(shop.site.repository.views.runs(limit=1)[0].id)
    assert (found.unit_key, found.reason) == (
        "3", "3 workers died with this unit in hand, alone or with others",
    )  # fmt: skip
    assert [one["deaths"] for one in shop.events("chunk.suspected")] == [2]
    for name, text in STEPS.items():
        shop.write({name: text})
    assert shop.ludb("quarantine", "retry", "--all", "--job", "job").code == 0, "mended, it is like any other"
    assert shop.rows("billing", "select count(*) from account") == [(8,)]
