"""A trading program: calls profile 50 times a second with the token that it is given then, and reports each 401."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from tests.support.desk import profile
from vega_client import Answer, Token, VegaError

EACH = 0.02


class Trader(threading.Thread):
    """Runs until it is stopped. `twin`: one of `tests.support.twins`."""

    def __init__(self, base_url: str, twin: Any) -> None:
        super().__init__(daemon=True)
        self.base_url = base_url
        self.twin = twin
        self.good: Counter[int] = Counter()
        """Requests that Upstox accepted, by generation."""
        self.refused: Counter[str] = Counter()
        """Requests that it refused, by token."""
        self.reports: list[tuple[int, Answer | str, float]] = []
        """Generation, answer and seconds of each report."""
        self.without: list[tuple[float, str]] = []
        """When there was no token, and why."""
        self.slowest = 0.0
        """The longest `current()`, in seconds."""
        self.trouble: list[str] = []
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(EACH):
            try:
                self._once()
            except Exception as error:
                self.trouble.append(repr(error))

    def _once(self) -> None:
        begun = time.monotonic()
        try:
            token: Token = self.twin.current(timeout=timedelta(0))
        except VegaError as error:
            self.without.append((time.monotonic(), str(error)))
            return
        finally:
            self.slowest = max(self.slowest, time.monotonic() - begun)
        status = profile(self.base_url, token.value)
        if status == 200:
            self.good[token.generation] += 1
            return
        self.refused[token.value] += 1
        begun = time.monotonic()
        try:
            answer: Answer | str = self.twin.report_rejected(token.generation)
        except VegaError as error:
            answer = str(error)
        self.reports.append((token.generation, answer, round(time.monotonic() - begun, 2)))

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self.join(90)
