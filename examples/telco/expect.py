"""What each defect's reason must say, in one place, and the comparison of a run's quarantine with `expected.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REASONS: Mapping[str, str] = {
    "stray_payment": r"payments\.invoice_id points to a row of invoices outside the unit",
    "duplicate_msisdn": r"services\.msisdn",
    "wrong_type": r"contracts\.term_months",
    "no_contact": r"the customer has no contact",
    "unreadable_date": r"a date cannot be read",
    "unknown_tariff": r"a subscription names a tariff that does not exist",
    "charges_differ": r"the charges do not add up to the invoice total",
    "unreadable_msisdn": r"UnreadableError in steps/30_contract/inventory\.service\.py",
    "name_too_long": r"account_name_fits|account.*\bname\b",
    "duplicate_contract": r"contract_no",
    "nameless": r"crm.*\b400\b",
    "service_without_kind": r"inventory.*\b400\b",
}
"""Reason code of `expected.json` -> pattern found in the reason of the unit's exception."""


def code_of(reason: str) -> str | None:
    """The one code whose pattern the reason matches; None if none does."""
    found = [code for code, pattern in REASONS.items() if re.search(pattern, reason)]
    return found[0] if len(found) == 1 else None


def compare(expected: Mapping[str, Any], actual: Iterable[tuple[str, str]]) -> list[str]:
    """Differences between the truth and the units set aside, one sentence each; empty where they are equal.

    `actual` holds (unit key, reason) of every unit in quarantine, each unit once.
    """
    wanted = {str(key): entry["reason"] for key, entry in expected["quarantined"].items()}
    differences = []
    seen: set[str] = set()
    for key, reason in actual:
        if key in seen:
            differences.append(f"customer {key} is set aside twice")
        elif key not in wanted:
            differences.append(f"customer {key} is set aside, but should have moved: {reason}")
        elif not re.search(REASONS[wanted[key]], reason):
            differences.append(f"customer {key} is set aside for another reason than {wanted[key]}: {reason}")
        seen.add(key)
    differences += [
        f"customer {key} moved, but should be set aside: {wanted[key]}" for key in wanted if key not in seen
    ]
    return differences
