"""Customers with their addresses and contacts: persons and businesses, typed in by hand over twenty years."""

from __future__ import annotations

import datetime as dt

from legacy import names
from legacy.estate import TODAY, Estate, money

FOUNDED = dt.date(1999, 1, 4)


def customer(estate: Estate, number: int) -> tuple[str, dt.date]:
    """Add one customer under this number, with addresses and contacts; returns its kind and the day it was created."""
    rng = estate.random
    created = estate.day(FOUNDED, TODAY - dt.timedelta(days=40))
    kind = "P" if estate.chance(0.85) else "B"
    status = rng.choices("AST", (88, 4, 8))[0]
    if kind == "P":
        row = _person(estate)
    else:
        company = f"{rng.choice(names.TRADE)} {rng.choice(names.LAST)} {rng.choice(names.FORM)}"
        row = (None, None, None, _typed(estate, company), None)
    limit = money(rng.choice((5_000, 10_000, 25_000, 100_000, 123_456))) if estate.chance(0.7) else None
    remark = rng.choice((None, None, None, "", "ruft oft an", "Mahnsperre bis auf Weiteres"))
    estate.rows["customers"].append((number, kind, *row, status, limit, estate.written(created), remark))
    for place in ("billing", "install") if estate.chance(0.2) else ("billing",):
        address(estate, number, place)
    contacts(estate, number)
    return kind, created


def _typed(estate: Estate, text: str) -> str:
    """A name as it was stored: now and then with blanks around it, now and then in the wrong encoding."""
    if estate.chance(0.04):
        return names.mojibake(text)
    return f"  {text} " if estate.chance(0.02) else text


def _person(estate: Estate) -> tuple:
    rng = estate.random
    salutation, firsts = rng.choice((("Frau", names.FIRST_F), ("Herr", names.FIRST_M)))
    born = None if estate.chance(0.06) else estate.day(dt.date(1930, 1, 1), dt.date(2004, 12, 31))
    company = "" if estate.chance(0.5) else None
    return (
        salutation,
        _typed(estate, rng.choice(firsts)),
        _typed(estate, rng.choice(names.LAST)),
        company,
        estate.written(born),
    )


def address(estate: Estate, number: int, kind: str) -> None:
    """Add an address; the country is blank where nobody cared."""
    rng = estate.random
    postcode, city = rng.choice(names.CITY)
    house = f"{rng.randint(1, 180)}{rng.choice(('', '', '', 'a', 'b'))}"
    country = rng.choice(("DE", "DE", "DE", "", None))
    estate.add("addresses", number, kind, _typed(estate, rng.choice(names.STREET)), house, postcode, city, country)


def contacts(estate: Estate, number: int) -> None:
    """Add one to four ways to reach the customer; some further ones were blanked out instead of deleted."""
    rng = estate.random
    kinds = ["email", "phone"] if estate.chance(0.6) else [rng.choice(("email", "phone"))]
    if estate.chance(0.08):
        kinds.append("fax")
    for at, kind in enumerate(kinds):
        if kind == "email":
            value = f"Kunde.{number}@{rng.choice(names.MAIL)}"
            value = value.lower() if estate.chance(0.7) else value
        else:
            value = telephone(estate, f"40{rng.randint(1_000_000, 9_999_999)}")
        estate.add("contacts", number, kind, value, int(at == 0))
    if estate.chance(0.1):
        estate.add("contacts", number, "phone", rng.choice(("", None)), 0)


def telephone(estate: Estate, national: str) -> str:
    """A national number (without its leading zero) as some clerk typed it."""
    style = estate.random.randrange(4)
    area, rest = national[: len(national) - 7], national[len(national) - 7 :]
    return (f"+49{national}", f"0{area}/{rest}", f"0049 {area} {rest}", f"0{area} {rest[:3]} {rest[3:]}")[style]
