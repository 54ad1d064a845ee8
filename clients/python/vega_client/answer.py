"""What a report of a refused token is answered with."""

from __future__ import annotations

from enum import Enum


class Answer(Enum):
    """The answer to `report_rejected`."""

    ALIVE = "alive"
    """Upstox accepts the token: it refused your call for another cause, such as the static IP. Keep the token."""

    DEAD = "dead"
    """The token is dead. Nobody gets it any more; a human must sign in."""

    NEWER = "newer"
    """There is a newer token already, and `current()` gives it. Repeat your call with that one."""

    UNKNOWN = "unknown"
    """Upstox did not say. The token stays; report again if the refusals go on."""
