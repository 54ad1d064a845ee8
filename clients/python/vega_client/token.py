"""One access token as programs get it. Does not decide whether it may be used: `memory` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""Indian time, which has no daylight saving: no time zone database is needed, and the machine's own zone does not count."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token of Upstox. Its `repr` does not show the value."""

    value: str = field(repr=False)
    """The secret. Send it as `Authorization: Bearer VALUE` to Upstox and nowhere else; do not keep it, ask again each time."""

    generation: int
    """Which token of its API it is: 1, 2, … Report this number when Upstox answers 401."""

    valid_until: datetime
    """When it dies at the latest: 03:30 IST."""


def in_ist(unix: float) -> datetime:
    """A time in seconds since 1970 as Indian time."""
    return datetime.fromtimestamp(unix, IST)
