"""Keeps the memory of one source up to date, in a task: follows the stream of changes and fetches each new token.

The twin of `vega_client.follower`. The task knows nothing of the `TokenSource` that it works for, so that a source which is
dropped can end it. Everything happens in one event loop, so nothing is locked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta

from vega_client.aio.wire import Stream, ask
from vega_client.aio.within import within
from vega_client.answer import Answer
from vega_client.backoff import Backoff
from vega_client.endpoint import VERDICT_WITHIN, Endpoint, Request, Wanted
from vega_client.errors import BadAnswer, BadSetup, Closed, VegaError
from vega_client.memory import Memory
from vega_client.replies import Reply, problem_of
from vega_client.sse import EventParser
from vega_client.steps import after_error, after_reply, is_stale, newest_state, tell, wait_after_error
from vega_client.token import Token

log = logging.getLogger("vega_client")


class Follower:
    """The memory of one source, and the task that keeps it."""

    def __init__(self, endpoint: Endpoint, wanted: Wanted, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self.wanted = wanted
        self.api = wanted.api
        self.clock = clock
        self._chance = chance
        self.memory = Memory(wanted.api)
        self.closed = False
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task, unless it runs. Raises `Closed`, and `BadSetup` where another event loop that still lives has it."""
        if self.closed:
            raise Closed(f"The source of {self.api} was closed.", code="closed")
        loop = asyncio.get_running_loop()
        if self._task is not None and self._loop is loop and not self._task.done():
            return
        if self._loop is not None and self._loop is not loop and not self._loop.is_closed():
            words = "This source belongs to another event loop. Make one in each: Server(...).tokens(...)."
            raise BadSetup(words, code="event_loop")
        self._loop = loop
        self._changed = asyncio.Event()
        self._task = loop.create_task(self._run(), name=f"vega-client-{self.api}")

    def stop(self) -> None:
        """Ends the task, and everybody's wait. From the loop's own thread, or from any other one."""
        self.closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._changed.set()
        if self._task is not None:
            self._task.cancel()

    async def join(self) -> None:
        """Waits until the task has ended."""
        if self._task is not None and self._loop is asyncio.get_running_loop():
            await asyncio.wait([self._task])

    def look(self, min_valid: timedelta) -> Token | VegaError | None:
        """What programs are given now."""
        now = self.clock()
        if self.memory.is_past(now):
            self._change(self.memory.expired(now))
        return self.memory.look(now, min_valid)

    async def wait_for_answer(self, min_valid: timedelta, timeout: timedelta) -> Token | VegaError:
        """The same, after the first answer of the server or after `timeout`."""
        until = asyncio.get_running_loop().time() + timeout.total_seconds()
        while True:
            if self.closed:
                return Closed(f"The source of {self.api} was closed.", code="closed")
            found = self.look(min_valid)
            if found is not None:
                return found
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return self.memory.unanswered(str(self.endpoint.address), timeout)
            await self.wait(left)

    async def wait(self, seconds: float) -> None:
        """Waits for a change, at most so long."""
        with contextlib.suppress(TimeoutError):
            await within(seconds, self._changed.wait())

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def fetch(self, wait: int = 0) -> None:
        """Asks for the token and remembers the answer, also that there is none. The server waits for another token than the
        one in memory, at most so many seconds. Raises `VegaError` when there was no answer to remember."""
        while True:
            asked = self.memory
            request = self.wanted.token_request(asked.tag, wait)
            after = after_reply(asked, await ask(self.endpoint, request), self.clock())
            # Whatever happened since the question was asked may be newer than the answer.
            if self.memory.version == asked.version:
                self._change(after)
                return
            # The other token may have come meanwhile.
            wait = 0

    async def ask_unless_newer(self, request: Request, generation: int) -> Reply | None:
        """The answer to a request that takes long; `None` as soon as there is a token newer than this generation, or when the
        source is closed. Raises `VegaError`."""
        asking = asyncio.ensure_future(ask(self.endpoint, request, VERDICT_WITHIN))
        try:
            while not (asking.done() or self.closed or self.has_newer(generation)):
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait([asking, changed], return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            return asking.result() if asking.done() and not self.has_newer(generation) else None
        finally:
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
            asking.cancel()

    def has_newer(self, generation: int) -> bool:
        """Whether the token in memory is newer than this generation."""
        return self.memory.known_verdict(generation) is Answer.NEWER

    def rejected(self, generation: int) -> None:
        """Upstox called this generation dead."""
        self._change(self.memory.rejected(generation))

    def _change(self, after: Memory) -> None:
        before, self.memory = self.memory, after
        if before != after:
            self.wake()
        tell(before, after)

    async def _run(self) -> None:
        backoff = Backoff(self._chance)
        while not self.closed:
            try:
                await self._follow(backoff)
                delay = backoff.after_stream()
            except VegaError as error:
                self._change(after_error(self.memory, error))
                delay = wait_after_error(error, backoff, self.clock())
            except Exception as error:
                # A defect of this library must not end the task: programs would keep an old token.
                log.error("vega_client failed and goes on: %s", type(error).__name__)
                delay = backoff.after_failure()
            await asyncio.sleep(delay)

    async def _follow(self, backoff: Backoff) -> None:
        """Comes back when a stream that worked has ended. Raises `VegaError` when there was none."""
        stream = Stream(self.endpoint)
        try:
            instead = await stream.open(self.wanted.events_request())
            if instead is not None:
                raise problem_of(instead, self.clock())
            await self._read(stream, backoff)
        finally:
            stream.close()

    async def _read(self, stream: Stream, backoff: Backoff) -> None:
        parser = EventParser()
        worked = False
        asked_at = self.clock()
        while not self.closed:
            try:
                piece = await stream.read()
            except VegaError:
                if worked:
                    return
                raise
            if not piece:
                if not worked:
                    raise BadAnswer("The stream of events ended before it said anything. The library tries again.")
                return
            # A heartbeat is a piece without an event.
            is_servable = newest_state(parser, piece)
            if is_servable is None and not (worked and is_stale(self.memory, asked_at, self.clock())):
                continue
            if is_servable is False:
                self._change(self.memory.withdrawn())
            await self.fetch()
            asked_at = self.clock()
            backoff.worked()
            worked = True
