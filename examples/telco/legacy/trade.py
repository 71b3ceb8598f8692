"""What customers bought and paid: contracts, subscriptions, services, invoices, payments, usage."""

from __future__ import annotations

import datetime as dt

from legacy.estate import TODAY, Estate, money
from legacy.people import telephone

TARIFFS = (
    ("MOB-S", "Mobil S", "mobile", 999, "1999-01-01"),
    ("MOB-M", "Mobil M", "mobile", 1999, "2003-05-01"),
    ("MOB-L", "Mobil L 2008", "mobile", 2995, "2008-09-15"),
    ("MOB-XL", "Mobil XL", "mobile", 4999, "2015-02-01"),
    ("FIB-100", "Glasfaser 100", "fiber", 3490, "2012-04-01"),
    ("FIB-1000", "Glasfaser 1000", "fiber", 6990, "2019-10-01"),
)
"""Code, name, kind of service, monthly fee in cents, first day of sale."""


def tariffs(estate: Estate) -> None:
    """Add the tariffs on sale."""
    for code, name, kind, fee, since in TARIFFS:
        estate.rows["tariffs"].append((code, name, kind, money(fee), since))


def dealings(estate: Estate, number: int, kind: str, created: dt.date, *, whale: bool) -> None:
    """Add everything that a customer bought, was billed, paid and used. A whale has thousands of rows."""
    rng = estate.random
    if not whale and estate.chance(0.03):
        return  # a customer without contracts: registered, never bought
    contracts = rng.randint(2, 5) if kind == "B" or whale else rng.choices((1, 2, 3), (74, 20, 6))[0]
    fees: list[tuple[str, int]] = []
    services: list[int] = []
    for _ in range(contracts):
        per_contract = rng.randint(5, 12) if whale else rng.choices((1, 2), (85, 15))[0]
        _, bought, made = contract(estate, number, created, per_contract)
        fees += bought
        services += made
    months = rng.randint(60, 120) if whale else min(60, int(rng.lognormvariate(1.35, 0.8)))
    for back in range(months, 0, -1):
        bill(estate, number, fees, back)
    for service in services:
        usage(estate, service, min(months, 36) if whale else min(months, 8))


def contract(
    estate: Estate, number: int, created: dt.date, subscriptions: int
) -> tuple[int, list[tuple[str, int]], list[int]]:
    """Add a contract with its subscriptions; returns its number, what is billed each month, and the mobile services."""
    rng = estate.random
    signed = estate.day(created, TODAY)
    ends = None if estate.chance(0.7) else signed + dt.timedelta(days=730)
    status = rng.choices("AT", (90, 10))[0]
    term = rng.choice((1, 12, 24, 24, None))
    serial = estate.next_id.get("contracts", 0) + rng.randint(0, 9) * 1_000_000
    made = estate.add(
        "contracts", number, f"V-{serial:08d}", estate.written(signed), estate.written(ends), term, status
    )
    fees, services = [], []
    for _ in range(subscriptions):
        code, name, kind, fee, _ = rng.choice(TARIFFS)
        agreed = fee - 500 if estate.chance(0.15) else fee
        subscription = estate.add("subscriptions", made, code, estate.written(signed), money(agreed), status)
        fees.append((name, agreed))
        for _ in range(2 if kind == "mobile" and estate.chance(0.1) else 1):
            service = add_service(estate, subscription, kind, signed)
            if kind == "mobile":
                services.append(service)
    return made, fees, services


def add_service(estate: Estate, subscription: int, kind: str, since: dt.date) -> int:
    """Add a service: a mobile one with MSISDN and ICCID, a fibre one with the serial of its ONT."""
    rng = estate.random
    status = rng.choices("AIR", (92, 6, 2))[0]
    if kind == "fiber":
        ont = f"HWTC{rng.getrandbits(32):08X}"
        return estate.add("services", subscription, kind, None, None, ont, estate.written(since), status)
    number = msisdn(estate)
    chip = luhn(f"894920{rng.randrange(10**12):012d}")
    return estate.add(
        "services", subscription, kind, number, chip, rng.choice((None, "")), estate.written(since), status
    )


def msisdn(estate: Estate) -> str:
    """A mobile number that nobody else has, in one of the forms people type."""
    while True:
        national = f"{estate.random.choice(('151', '160', '171', '175', '178'))}{estate.random.randrange(10**7):07d}"
        if national not in estate.numbers:
            estate.numbers.add(national)
            return telephone(estate, national)


def luhn(digits: str) -> str:
    """The digits with their Luhn check digit behind them, as on every SIM card."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * 2 if at % 2 == 0 else int(digit)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"


def month(back: int) -> tuple[int, int]:
    """Year and month that lie so many months before the frozen day."""
    at = TODAY.year * 12 + TODAY.month - back
    return at // 12, at % 12 + 1


def bill(estate: Estate, number: int, fees: list[tuple[str, int]], back: int) -> int:
    """Add one invoice with its lines and, mostly, its payment; the total is the sum of the lines."""
    rng = estate.random
    year, at = month(back)
    lines = [("fee", f"Grundpreis {name}", cents) for name, cents in fees]
    if estate.chance(0.5):
        lines.append(("usage", "Verbindungen", rng.randint(1, 4_500)))
    if estate.chance(0.1):
        lines.append(("discount", "Treuerabatt", -rng.randint(100, 500)))
    total = sum(cents for _, _, cents in lines)
    serial = estate.next_id.get("invoices", 0)
    invoice = estate.add("invoices", number, f"R{year}-{serial:07d}", f"{year}-{at:02d}-01", money(total))
    for line_no, (kind, text, cents) in enumerate(lines, start=1):
        estate.add("invoice_lines", invoice, line_no, kind, text, money(cents))
    parts = [total] if estate.chance(0.93) else [total // 2, total - total // 2]
    for cents in [] if estate.chance(0.05) else parts:
        day, method = rng.randint(2, 27), rng.choice(("debit", "debit", "transfer", "card"))
        against = None if estate.chance(0.05) else invoice
        estate.add("payments", number, against, f"{year}-{at:02d}-{day:02d}", money(cents), method)
    return invoice


def usage(estate: Estate, service: int, months: int) -> None:
    """Add a summary of calls, data and messages per month."""
    rng = estate.random
    for back in range(months, 0, -1):
        year, at = month(back)
        for kind, most in (("voice", 90_000), ("data", 50_000), ("sms", 300)):
            if estate.chance(0.75):
                charge = money(rng.randint(0, 900) if estate.chance(0.3) else 0)
                estate.add("usage_records", service, f"{year}-{at:02d}", kind, rng.randint(1, most), charge)
