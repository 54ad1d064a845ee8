"""Keeps the memory of one source up to date, in a thread of its own: follows the stream of changes and fetches each new token.

Decides when to ask and how long to wait; what answers mean is decided by `replies` and `memory`. The thread is a daemon and
knows nothing of the `TokenSource` that it works for, so that a source which is dropped can end it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from vega_client.answer import Answer
from vega_client.backoff import Backoff
from vega_client.endpoint import VERDICT_WITHIN, Endpoint, Request, Wanted
from vega_client.errors import BadAnswer, Closed, VegaError
from vega_client.memory import Memory
from vega_client.replies import Reply, problem_of
from vega_client.sse import EventParser
from vega_client.steps import after_error, after_reply, is_stale, newest_state, tell, wait_after_error
from vega_client.token import Token
from vega_client.wire import Stream, ask

log = logging.getLogger("vega_client")

_all: weakref.WeakSet[Follower] = weakref.WeakSet()


class Follower:
    """The memory of one source, and the thread that keeps it."""

    def __init__(self, endpoint: Endpoint, wanted: Wanted, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self.wanted = wanted
        self.api = wanted.api
        self.clock = clock
        self._chance = chance
        self.memory = Memory(wanted.api)
        self.closed = False
        self.changed = threading.Condition()
        """Guards every change of `memory` and tells of it. Readers of `memory` need it not."""
        self._stream: Stream | None = None
        self._thread: threading.Thread | None = None
        _all.add(self)

    def start(self) -> None:
        """Starts the thread, unless it runs. Raises `Closed`."""
        if self.closed:
            raise Closed(f"The source of {self.api} was closed.", code="closed")
        if self._thread is not None:
            return
        with self.changed:
            if self._thread is None and not self.closed:
                self._thread = threading.Thread(target=self._run, name=f"vega-client-{self.api}", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Ends the thread, and everybody's wait. Comes back at once."""
        with self.changed:
            self.closed = True
            stream, self._stream = self._stream, None
            self.changed.notify_all()
        if stream is not None:
            stream.abort()

    def join(self, seconds: float) -> None:
        """Waits until the thread has ended, at most so long."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def look(self, min_valid: timedelta) -> Token | VegaError | None:
        """What programs are given now. Never waits for the server."""
        now = self.clock()
        if self.memory.is_past(now):
            self._change(lambda memory: memory.expired(now))
        return self.memory.look(now, min_valid)

    def wait_for_answer(self, min_valid: timedelta, timeout: timedelta) -> Token | VegaError:
        """The same, after the first answer of the server or after `timeout`."""
        until = time.monotonic() + timeout.total_seconds()
        with self.changed:
            while True:
                if self.closed:
                    return Closed(f"The source of {self.api} was closed.", code="closed")
                found = self.look(min_valid)
                if found is not None:
                    return found
                left = until - time.monotonic()
                if left <= 0:
                    return self.memory.unanswered(str(self.endpoint.address), timeout)
                self.changed.wait(left)

    def fetch(self, wait: int = 0) -> None:
        """Asks for the token and remembers the answer, also that there is none. The server waits for another token than the
        one in memory, at most so many seconds. Raises `VegaError` when there was no answer to remember."""
        while True:
            asked = self.memory
            request = self.wanted.token_request(asked.tag, wait)
            after = after_reply(asked, ask(self.endpoint, request), self.clock())
            with self.changed:
                # Whatever happened since the question was asked may be newer than the answer.
                if self.memory.version == asked.version:
                    self._set(after)
                    return
            # The other token may have come meanwhile.
            wait = 0

    def ask_unless_newer(self, request: Request, generation: int) -> Reply | None:
        """The answer to a request that takes long; `None` as soon as there is a token newer than this generation, or when the
        source is closed. Raises `VegaError`."""
        outcome: list[Reply | VegaError] = []

        def work() -> None:
            try:
                outcome.append(ask(self.endpoint, request, VERDICT_WITHIN))
            except VegaError as error:
                outcome.append(error.anew())
            with self.changed:
                self.changed.notify_all()

        threading.Thread(target=work, name=f"vega-client-report-{self.api}", daemon=True).start()
        with self.changed:
            self.changed.wait_for(lambda: outcome or self.closed or self.has_newer(generation))
            if not outcome or self.has_newer(generation):
                return None
        answer = outcome[0]
        if isinstance(answer, VegaError):
            raise answer
        return answer

    def has_newer(self, generation: int) -> bool:
        """Whether the token in memory is newer than this generation."""
        return self.memory.known_verdict(generation) is Answer.NEWER

    def rejected(self, generation: int) -> None:
        """Upstox called this generation dead."""
        self._change(lambda memory: memory.rejected(generation))

    def after_fork(self) -> None:
        """In the child of a fork there is no thread, and locks may be held for ever. The token in memory goes on."""
        self.changed = threading.Condition()
        self._thread = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.forget()

    def _change(self, next_of: Callable[[Memory], Memory]) -> None:
        with self.changed:
            self._set(next_of(self.memory))

    def _set(self, after: Memory) -> None:
        before, self.memory = self.memory, after
        if before != after:
            self.changed.notify_all()
        tell(before, after)

    def _run(self) -> None:
        backoff = Backoff(self._chance)
        while not self.closed:
            try:
                self._follow(backoff)
                delay = backoff.after_stream()
            except VegaError as error:
                if self.closed:
                    return
                self._change(partial(after_error, error=error))
                delay = wait_after_error(error, backoff, self.clock())
            except Exception as error:
                # A defect of this library must not end the thread: programs would keep an old token.
                log.error("vega_client failed and goes on: %s", type(error).__name__)
                delay = backoff.after_failure()
            with self.changed:
                self.changed.wait_for(lambda: self.closed, delay)

    def _follow(self, backoff: Backoff) -> None:
        """Comes back when a stream that worked has ended. Raises `VegaError` when there was none."""
        stream = Stream(self.endpoint)
        with self.changed:
            if self.closed:
                return
            self._stream = stream
        try:
            instead = stream.open(self.wanted.events_request())
            if instead is not None:
                raise problem_of(instead, self.clock())
            self._read(stream, backoff)
        finally:
            with self.changed:
                self._stream = None
            stream.close()

    def _read(self, stream: Stream, backoff: Backoff) -> None:
        parser = EventParser()
        worked = False
        asked_at = self.clock()
        while not self.closed:
            try:
                piece = stream.read()
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
                self._change(Memory.withdrawn)
            self.fetch()
            asked_at = self.clock()
            backoff.worked()
            worked = True


def _after_fork_in_child() -> None:
    for follower in list(_all):
        follower.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
