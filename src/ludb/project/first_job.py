"""The job that `ludb init` makes from nothing: three customers, one step, one rule; it runs as it stands."""

from __future__ import annotations

JOB = """\
# Moves customers from a folder of CSV files into a folder of Parquet files, each whole or not at all.
# Every field: docs/reference/job.md
name: {name}
systems:
  legacy: {{type: files, path: data}}   # a database: {{type: sqlite, url: "${{LEGACY_URL}}"}}
  new:    {{type: files, path: out}}
unit:                                 # what moves whole: a customer with its orders
  root: legacy.customers
  key: id
  types: {{id: integer}}                # columns of CSV files are text unless this says more
  tables:
    orders: {{parent: customers, on: {{customer_id: id}}, types: {{customer_id: integer, amount: "decimal(10,2)"}}}}
# With more than 5% set aside it is one fault in many units: the run fails, is mended, and goes on.
settings: {{chunk_units: 500, workers: 2, quarantine_limit: 5%}}
"""
STEP = """\
-- The file's name says where the rows go: table customer of system new. Functions such as parse_date: docs/reference/sql.md
SELECT
    c.unit_key,                           -- with every row: whose it is
    c.id,
    name_case(c.name) AS name,
    lower(blank_to_null(c.email)) AS email,
    parse_date(c.born) AS born,
    (SELECT sum(o.amount) FROM legacy.orders o WHERE o.unit_key = c.unit_key) AS ordered
FROM legacy.customers c
"""
RULE = """\
-- Who may not move, and why. It runs after the step folder of its name.
SELECT unit_key, 'the customer has no e-mail address' AS reason
FROM legacy.customers
WHERE blank_to_null(email) IS NULL
"""
CUSTOMERS = """\
id,name,email,born
1,ANN LEE,ann@example.org,31.12.1979
2,Bo Berg,,1985-02-01
3,Cy Poe, Cy@Example.org,0000-00-00
"""
ORDERS = """\
id,customer_id,amount
10,1,12.50
11,1,7.50
12,3,1.25
"""
README = """\
# {name}

A migration job for `ludb`: `job.yaml` says what moves and where to, `steps/` how, `rules/` who may not.

```
ludb check {shown} && ludb plan {shown}   # is the text right, and what would move?
ludb run {shown}                      # move it: two customers arrive in out/, Bo is set aside for want of an e-mail address
ludb quarantine list --job {shown}    # who was set aside, and why; mend data/customers.csv, then:
ludb quarantine retry --all --job {shown}
```
"""
IGNORED = """\
.ludb/
out/
.env
"""
"""What git must not keep: the state directory, what was written, and secrets."""


def first_job(name: str, shown: str) -> dict[str, str]:
    """Texts by file name. `shown` is the job's folder as a person types it."""
    return {
        "job.yaml": JOB.format(name=name),
        "steps/10_customer/new.customer.sql": STEP,
        "rules/10_customer/has_email.sql": RULE,
        "data/customers.csv": CUSTOMERS,
        "data/orders.csv": ORDERS,
        "README.md": README.format(name=name, shown=shown),
        ".gitignore": IGNORED,
    }
