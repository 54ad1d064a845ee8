"""How long to wait before the server is asked again. Decides lengths only; who waits is up to the caller.

Random over the whole length ("full jitter"), so that thousands of programs do not come back at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST = 0.1
"""Upper bound of the first wait after a failure, in seconds."""

LONGEST = 5.0
"""Upper bound of every wait after a failure, in seconds, unless the server itself asks for more."""

AFTER_STREAM = 1.0
"""Upper bound of the wait after a stream that worked, in seconds: the server was probably restarted."""

LONGEST_ASKED_FOR = 60.0
"""What a server asks for (`Retry-After`) counts up to so many seconds."""


class Backoff:
    """Counts failures in a row."""

    def __init__(self, random: Callable[[], float]) -> None:
        """`random` gives numbers from 0 to 1."""
        self._random = random
        self._failures = 0

    def after_failure(self, asked_for: float = 0.0) -> float:
        """Seconds to wait after one more failure; `asked_for` are those that the server asks for."""
        bound = min(LONGEST, FIRST * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return min(max(asked_for, 0.0), LONGEST_ASKED_FOR) + bound * self._random()

    def worked(self) -> None:
        """The server answered: the next failure counts as the first."""
        self._failures = 0

    def after_stream(self) -> float:
        """Seconds to wait after a stream that worked has ended."""
        return AFTER_STREAM * self._random()


default_chance = random.SystemRandom().random
"""Not the process's own random numbers: a fork would copy those, and all children would come back at the same moment."""
