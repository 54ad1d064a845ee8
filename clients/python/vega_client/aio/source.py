"""What asyncio programs hold: the always newest token of one API. The twin of `vega_client.source`."""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncIterator
from datetime import timedelta
from types import TracebackType

from vega_client.aio.follower import Follower
from vega_client.answer import Answer
from vega_client.endpoint import NEWER_WITHIN
from vega_client.errors import BadAnswer
from vega_client.replies import verdict_of
from vega_client.token import Token

log = logging.getLogger("vega_client")

_NOW = timedelta(0)
_FIRST_ANSWER = timedelta(seconds=10)
# A clock that is set, or a machine that slept, is noticed after so many seconds.
_LONGEST_WAIT = 1.0


class TokenSource:
    """The token of one API, always the newest. Made by `Server.tokens`; used in one event loop.

    A task follows the server from the first use on. It ends with `close()`, when the source is dropped, and with the loop.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        # Must not hold the source itself.
        self._end = weakref.finalize(self, follower.stop)

    @property
    def api(self) -> str:
        """The name of the API."""
        return self._follower.api

    async def current(self, min_valid: timedelta = _NOW, timeout: timedelta = _FIRST_ANSWER) -> Token:
        """The token to use for the next request. Call it for each request, and keep nothing.

        From memory: it waits for the server, at most `timeout`, only until the first answer has come. Never a dead token.
        `min_valid` refuses one that dies sooner.

        Raises `NoToken` (with `code`, `words` and `retry_at`), `NotAllowed`, `Unreachable`, `BadAnswer`, `Closed`.
        """
        self._follower.start()
        found = self._follower.look(min_valid)
        if found is None:
            found = await self._follower.wait_for_answer(min_valid, timeout)
        if isinstance(found, Token):
            return found
        raise found

    def changes(self) -> Changes:
        """The generations from now on: the one in memory, then each other one as it comes; `None` while there is no token.

        The first comes as soon as the server answered, or could not be reached. Who is slow gets the newest, not each between.
        Ends when the source or the iterator is closed.
        """
        return Changes(self)

    async def report_rejected(self, generation: int) -> Answer:
        """Upstox answered 401 to a request with the token of this generation: is it dead?

        May take 20 s and more, because Upstox is asked several times about a token of the last minute; a newer token ends the
        wait. After `DEAD` nobody gets this generation from this source; after `NEWER` the newer one is there.

        Raises `ValueError` for what is no generation, `NotAllowed`, `Unreachable`, `BadAnswer`, `Closed`, and `NoToken` when
        there was a newer token and it is gone again.
        """
        if generation < 1:
            raise ValueError("generation is the number that came with the token: 1, 2, …")
        follower = self._follower
        follower.start()
        known = follower.memory.known_verdict(generation)
        if known is not None:
            return known
        reply = await follower.ask_unless_newer(follower.wanted.report_request(generation), generation)
        if reply is None:
            follower.start()
            return Answer.NEWER
        verdict = verdict_of(reply, follower.clock())
        if verdict.answer is Answer.DEAD:
            follower.rejected(generation)
        elif verdict.answer is Answer.NEWER:
            await follower.fetch(NEWER_WITHIN)
            if not follower.has_newer(generation):
                await self.current()
                raise BadAnswer("The server says that there is a newer token, and does not give it. Report again.")
        elif verdict.answer is Answer.UNKNOWN and verdict.why:
            log.warning("%s: whether generation %d is dead is not known: %s", self.api, generation, verdict.why)
        return verdict.answer

    async def close(self) -> None:
        """Ends the follower. `current()` raises `Closed` from then on. May be called twice."""
        self._end()
        await self._follower.join()

    async def __aenter__(self) -> TokenSource:
        self._follower.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<TokenSource of {self.api} at {self._follower.endpoint.address}>"


class Changes(AsyncIterator["int | None"]):
    """An asynchronous iterator of generations. `close()` ends it."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._begun = False
        self._told: int | None = None
        self._closed = False

    async def __anext__(self) -> int | None:
        follower = self._source._follower
        if not follower.closed:
            follower.start()
        while not (self._closed or follower.closed):
            follower.look(_NOW)
            generation = follower.memory.generation()
            if follower.memory.tried and not (self._begun and self._told == generation):
                self._begun, self._told = True, generation
                return generation
            await follower.wait(_LONGEST_WAIT)
        raise StopAsyncIteration

    def close(self) -> None:
        """Ends the iteration."""
        self._closed = True
        self._source._follower.wake()
