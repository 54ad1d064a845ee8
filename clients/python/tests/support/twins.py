"""Both twins behind one blocking interface, so that each test of behaviour runs against both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import vega_client
import vega_client.aio
from vega_client import Answer, Token
from vega_client.endpoint import Kind

IMPATIENT = timedelta(seconds=5)


def a_little() -> float:
    """Instead of chance: short waits that are not nothing."""
    return 0.02


class ThreadTwin:
    """`vega_client`."""

    def __init__(self, api: str = "PRIMARY", kind: Kind = "trade", chance: Callable[[], float] = a_little, **arguments: Any) -> None:
        self.source = vega_client.Server(chance=chance, **arguments).tokens(api, kind=kind)

    def current(self, min_valid: timedelta = timedelta(0), timeout: timedelta = IMPATIENT) -> Token:
        return self.source.current(min_valid, timeout)

    def report_rejected(self, generation: int) -> Answer:
        return self.source.report_rejected(generation)

    def watch(self) -> list[int | None]:
        seen: list[int | None] = []
        changes = self.source.changes()
        threading.Thread(target=lambda: seen.extend(changes), daemon=True).start()
        return seen

    @property
    def memory(self) -> Any:
        return self.source._follower.memory

    def close(self) -> None:
        self.source.close()


class AsyncTwin:
    """`vega_client.aio`, in a loop of its own."""

    def __init__(self, api: str = "PRIMARY", kind: Kind = "trade", chance: Callable[[], float] = a_little, **arguments: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        try:
            self.source = vega_client.aio.Server(chance=chance, **arguments).tokens(api, kind=kind)
        except BaseException:
            self._end_loop()
            raise
        self._do(self.source.__aenter__())

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(90)

    def current(self, min_valid: timedelta = timedelta(0), timeout: timedelta = IMPATIENT) -> Token:
        token: Token = self._do(self.source.current(min_valid, timeout))
        return token

    def report_rejected(self, generation: int) -> Answer:
        answer: Answer = self._do(self.source.report_rejected(generation))
        return answer

    def watch(self) -> list[int | None]:
        seen: list[int | None] = []

        async def follow() -> None:
            async for generation in self.source.changes():
                seen.append(generation)

        asyncio.run_coroutine_threadsafe(follow(), self.loop)
        return seen

    @property
    def memory(self) -> Any:
        return self.source._follower.memory

    def close(self) -> None:
        if not self.loop.is_closed():
            self._do(self.source.close())
            self._end_loop()

    def _end_loop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
