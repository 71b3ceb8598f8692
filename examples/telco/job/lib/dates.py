"""Legacy dates in Python steps; `macros/dates.sql` says the same in SQL."""

import datetime as dt


def legacy_date(raw):
    """'1999-12-31' or '31.12.1999' as a date; None where it is unknown. Raises ValueError for anything else."""
    text = str(raw or "").strip()
    if text in ("", "0000-00-00"):
        return None
    if "." in text:
        day, month, year = text.split(".")
        return dt.date(int(year), int(month), int(day))
    return dt.date.fromisoformat(text)


def instant(raw):
    """A legacy date as the date-time that TM Forum APIs ask for: midnight, with its offset; None if unknown."""
    day = legacy_date(raw)
    return None if day is None else f"{day.isoformat()}T00:00:00Z"
