"""The dirt that is really there. A unit that must be set aside has exactly one defect, so that its reason is sure."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from legacy.estate import Estate, money
from legacy.trade import add_service, bill, contract, usage

LONG_AGO, SINCE_THEN = dt.date(2001, 1, 1), dt.date(2003, 12, 31)
LONG_NAME = (
    "Vereinigte Norddeutsche Fernmelde- und Kabelwerke vormals Gebrüder Lehmann & Söhne Nachfolger GmbH & Co. KG"
)

ANYBODY = "SELECT customer_id FROM customers ORDER BY customer_id"
BUSINESS = "SELECT customer_id FROM customers WHERE kind = 'B' ORDER BY customer_id"
PERSON = "SELECT customer_id FROM customers WHERE kind = 'P' ORDER BY customer_id"
BUYERS = "SELECT DISTINCT customer_id FROM contracts ORDER BY customer_id"
BUYERS_TWICE = "SELECT customer_id FROM contracts GROUP BY customer_id HAVING count(*) > 1 ORDER BY customer_id"
BILLED = "SELECT DISTINCT customer_id FROM invoices ORDER BY customer_id"
PAYERS = "SELECT DISTINCT customer_id FROM payments WHERE invoice_id IS NOT NULL ORDER BY customer_id"
MOBILE = """SELECT DISTINCT c.customer_id FROM contracts c JOIN subscriptions USING (contract_id)
    JOIN services s USING (subscription_id) WHERE s.msisdn IS NOT NULL ORDER BY c.customer_id"""

CONTRACT_OF = "contract_id = (SELECT min(contract_id) FROM contracts WHERE customer_id = ?)"
SUBSCRIPTION_OF = """subscription_id = (SELECT min(subscription_id) FROM subscriptions
    JOIN contracts USING (contract_id) WHERE customer_id = ?)"""
SERVICE_OF = """service_id = (SELECT min(service_id) FROM services JOIN subscriptions USING (subscription_id)
    JOIN contracts USING (contract_id) WHERE customer_id = ? {more})"""
INVOICE_OF = "invoice_id = (SELECT max(invoice_id) FROM invoices WHERE customer_id = ?)"
PAYMENT_OF = "payment_id = (SELECT min(payment_id) FROM payments WHERE customer_id = ? AND invoice_id IS NOT NULL)"


@dataclass
class Dirt:
    """What was spoilt so far: `units` maps customers to their one defect, `spared` must stay clean."""

    db: sqlite3.Connection
    random: random.Random
    units: dict[int, str] = field(default_factory=dict)
    spared: set[int] = field(default_factory=set)

    def free(self, candidates: str) -> list[int]:
        """Customers of a query that have no defect and no part in one, in list order."""
        found = [number for (number,) in self.db.execute(candidates)]
        return [number for number in found if number not in self.units and number not in self.spared]

    def pick(self, code: str, candidates: str, wanted: int) -> list[int]:
        """So many customers, spread over the unit list; from now on they carry this defect."""
        free = self.free(candidates)
        if len(free) < wanted:
            raise SystemExit(f"too few customers for the defect {code}: take more --customers")
        edges = [len(free) * at // wanted for at in range(wanted + 1)]
        chosen = [free[self.random.randrange(edges[at], edges[at + 1])] for at in range(wanted)]
        self.units.update(dict.fromkeys(chosen, code))
        return chosen


def stray_payment(dirt: Dirt, wanted: int) -> None:
    """A payment of one customer stands on another's invoice."""
    for customer in dirt.pick("stray_payment", PAYERS, wanted):
        other = dirt.random.choice(dirt.free(BILLED))
        dirt.spared.add(other)
        theirs = f"(SELECT invoice_id FROM invoices WHERE {INVOICE_OF})"
        dirt.db.execute(f"UPDATE payments SET invoice_id = {theirs} WHERE {PAYMENT_OF}", (other, customer))


def duplicate_msisdn(dirt: Dirt, wanted: int) -> None:
    """A mobile number was handed out twice; the first customer in list order keeps it, every later one is set aside."""
    mobile = SERVICE_OF.format(more="AND msisdn IS NOT NULL")
    holder = dirt.free(MOBILE)[0]
    dirt.spared.add(holder)
    for at, customer in enumerate(dirt.pick("duplicate_msisdn", MOBILE, wanted)):
        if at > 1:  # the first two share one number: three customers claim it
            holder = dirt.random.choice([number for number in dirt.free(MOBILE) if number < customer])
            dirt.spared.add(holder)
        first = f"(SELECT msisdn FROM services WHERE {mobile})"
        dirt.db.execute(f"UPDATE services SET msisdn = {first} WHERE {mobile}", (holder, customer))


def wrong_type(dirt: Dirt, wanted: int) -> None:
    """Text stands in an INTEGER column: SQLite never minded."""
    for customer in dirt.pick("wrong_type", BUYERS, wanted):
        dirt.db.execute(f"UPDATE contracts SET term_months = 'zwei Jahre' WHERE {CONTRACT_OF}", (customer,))


def no_contact(dirt: Dirt, wanted: int) -> None:
    """Nobody knows how to reach the customer: no contact at all, or only blanked ones."""
    for at, customer in enumerate(dirt.pick("no_contact", ANYBODY, wanted)):
        spoil = "DELETE FROM contacts" if at % 2 else "UPDATE contacts SET value = ' '"
        dirt.db.execute(f"{spoil} WHERE customer_id = ?", (customer,))


def unreadable_date(dirt: Dirt, wanted: int) -> None:
    """A date is none: a day that never was, or words."""
    for at, customer in enumerate(dirt.pick("unreadable_date", BUYERS, wanted)):
        text = ("31.02.1975", "Mai 1962", "2003-13-01")[at % 3]
        spoil = (
            ("UPDATE customers SET born_on = ? WHERE customer_id = ?"),
            (f"UPDATE contracts SET signed_on = ? WHERE {CONTRACT_OF}"),
            (f"UPDATE services SET activated_on = ? WHERE {SERVICE_OF.format(more='')}"),
        )[at % 3]
        dirt.db.execute(spoil, (text, customer))


def unknown_tariff(dirt: Dirt, wanted: int) -> None:
    """A subscription names a tariff that was deleted long ago."""
    for customer in dirt.pick("unknown_tariff", BUYERS, wanted):
        dirt.db.execute(f"UPDATE subscriptions SET tariff_code = 'ALT-1998' WHERE {SUBSCRIPTION_OF}", (customer,))


def charges_differ(dirt: Dirt, wanted: int) -> None:
    """An invoice's lines do not add up to its total: by a cent, or because all lines are lost."""
    for at, customer in enumerate(dirt.pick("charges_differ", BILLED, wanted)):
        if at % 2:
            dirt.db.execute(f"DELETE FROM invoice_lines WHERE {INVOICE_OF}", (customer,))
        else:
            dirt.db.execute(f"UPDATE invoices SET total = round(total + 0.01, 2) WHERE {INVOICE_OF}", (customer,))


def name_too_long(dirt: Dirt, wanted: int) -> None:
    """A company's name does not fit the new billing database."""
    for customer in dirt.pick("name_too_long", BUSINESS, wanted):
        dirt.db.execute("UPDATE customers SET company_name = ? WHERE customer_id = ?", (LONG_NAME, customer))


def duplicate_contract(dirt: Dirt, wanted: int) -> None:
    """Two contracts of a customer bear one number, which must be unique in the new billing database."""
    for customer in dirt.pick("duplicate_contract", BUYERS_TWICE, wanted):
        first = f"(SELECT contract_no FROM contracts WHERE {CONTRACT_OF})"
        dirt.db.execute(
            f"UPDATE contracts SET contract_no = {first} WHERE customer_id = ?"
            " AND contract_id = (SELECT max(contract_id) FROM contracts WHERE customer_id = ?)",
            (customer, customer, customer),
        )


def nameless(dirt: Dirt, wanted: int) -> None:
    """A person without any name: the CRM refuses it."""
    for customer in dirt.pick("nameless", PERSON, wanted):
        dirt.db.execute("UPDATE customers SET first_name = '', last_name = ' ' WHERE customer_id = ?", (customer,))


def service_without_kind(dirt: Dirt, wanted: int) -> None:
    """A service of no kind has no specification: the inventory refuses it, after the CRM has taken the customer."""
    for customer in dirt.pick("service_without_kind", BUYERS, wanted):
        dirt.db.execute(f"UPDATE services SET kind = '' WHERE {SERVICE_OF.format(more='')}", (customer,))


def unreadable_msisdn(dirt: Dirt, wanted: int) -> None:
    """Somebody typed a remark where the mobile number belongs: the Python step raises."""
    mobile = SERVICE_OF.format(more="AND msisdn IS NOT NULL")
    for customer in dirt.pick("unreadable_msisdn", MOBILE, wanted):
        note = f"0171/SIEHE-{customer}"
        dirt.db.execute(f"UPDATE services SET msisdn = ? WHERE {mobile}", (note, customer))


DEFECTS: tuple[Callable[[Dirt, int], None], ...] = (
    duplicate_contract,
    name_too_long,
    duplicate_msisdn,
    unreadable_msisdn,
    stray_payment,
    wrong_type,
    no_contact,
    unreadable_date,
    unknown_tariff,
    charges_differ,
    nameless,
    service_without_kind,
)
"""The scarcest candidates first."""


def spoil(dirt: Dirt, per_kind: int) -> None:
    """Give so many units each defect."""
    for defect in DEFECTS:
        defect(dirt, per_kind)


def orphans(estate: Estate, last_customer: int, wanted: int) -> None:
    """Add rows that belong to nobody: their customer, or their subscription, was deleted and they were not."""
    for at in range(wanted):
        nobody, since = last_customer + 1_000 + at, estate.day(LONG_AGO, SINCE_THEN)
        _, fees, services = contract(estate, nobody, since, 1 if at % 2 else 0)
        for service in services:
            usage(estate, service, 2)
        if at % 4 == 0:
            bill(estate, nobody, fees or [("Mobil S", 999)], 3)
        if at % 4 == 1:
            estate.add("payments", nobody, None, since.isoformat(), money(1_000 + at), "transfer")
        if at % 4 == 2:
            add_service(estate, 1 + at, "fiber", since)
