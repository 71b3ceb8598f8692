"""Makes the demo's legacy database, the empty new billing database, and `expected.json`: the truth about both.

`python generate.py --customers 2000 --seed 7 --out DIR`. The same seed gives the same rows, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from legacy import trade
from legacy.dirt import Dirt, orphans, spoil
from legacy.estate import Estate
from legacy.people import customer
from legacy.truth import expected

HERE = Path(__file__).parent


def generate(out: Path, customers: int = 2_000, seed: int = 7, dirt_per_kind: int | None = None) -> dict:
    """Write `legacy.sqlite`, `billing.sqlite` and `expected.json` into `out`; returns the truth.

    `dirt_per_kind` units get each defect: by default one of 500 customers, at least one.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in ("legacy.sqlite", "billing.sqlite", "expected.json"):
        (out / name).unlink(missing_ok=True)
    rng = random.Random(seed)
    estate = Estate(rng)
    trade.tariffs(estate)
    last = _populate(estate, customers)
    orphans(estate, last, max(4, customers // 200))
    legacy = estate.write(out / "legacy.sqlite")
    dirt = Dirt(legacy, rng)
    legacy.execute("BEGIN")
    spoil(dirt, max(1, customers // 500) if dirt_per_kind is None else dirt_per_kind)
    legacy.execute("COMMIT")
    truth = {"seed": seed, **expected(legacy, dirt.units)}
    legacy.close()
    billing = sqlite3.connect(out / "billing.sqlite")
    billing.executescript((HERE / "billing_schema.sql").read_text(encoding="utf-8"))
    billing.close()
    (out / "expected.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def _populate(estate: Estate, customers: int) -> int:
    """Add the customers; numbers have gaps where customers were deleted. One in 500 is a
    whale. Returns the last number."""
    number = 1_000
    whales = {customers // 3 + at * 500 for at in range(customers // 500)}
    for at in range(customers):
        number += 1 if estate.chance(0.9) else estate.random.randint(2, 4)
        kind, created = customer(estate, number)
        trade.dealings(estate, number, kind, created, whale=at in whales)
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--dirt-per-kind", type=int, default=None, help="units per defect (default: customers / 500)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    truth = generate(options.out, options.customers, options.seed, options.dirt_per_kind)
    rows = sum(truth["rows"].values())
    print(f"{truth['units']} customers, {rows} rows; {truth['moved']} will move, {len(truth['quarantined'])} will not")


if __name__ == "__main__":
    main()
