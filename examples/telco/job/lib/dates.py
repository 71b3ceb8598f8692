"""Legacy dates as TM Forum APIs ask for them."""

from ludb.sql import parse_date


def instant(raw):
    """A legacy date as a date-time: midnight, with its offset; None if unknown. Raises for what is no date."""
    day = parse_date(raw)
    return None if day is None else f"{day.isoformat()}T00:00:00Z"
