"""What one source knows: the token in memory, or why there is none. Decides what programs are given.

A value that never changes: each thing that happens makes the next one, so that threads read it without a lock and both twins
(threads and asyncio) decide alike. Neither talks to the server nor reads a clock; `now` is handed in, in seconds since 1970.
Always holds: no token is given out at or after its `valid_until`, after Upstox called it dead, or after one that is newer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from vega_client.answer import Answer
from vega_client.errors import BadAnswer, DiesTooSoon, NoToken, Unreachable, VegaError
from vega_client.replies import Found
from vega_client.token import Token


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is known of the token of one API."""

    api: str
    token: Token | None = None
    tag: str | None = None
    """By which the token is asked for again."""
    least: int = 1
    """No generation below this one is given out any more."""
    dead: int = 0
    """This generation, and all below it, were called dead."""
    version: int = 0
    """Grows with every change: an answer of the server counts only if nothing changed since it was asked."""
    tried: bool = False
    """Whether the server was asked at all, successfully or not."""
    answered: bool = False
    """Whether it ever said that there is a token, or that there is none."""
    reason: VegaError | None = None
    """Why there is no token, once there was an answer."""
    trouble: VegaError | None = None
    """Why the server cannot be asked now."""

    def look(self, now: float, min_valid: timedelta = timedelta(0)) -> Token | VegaError | None:
        """The token for programs, or the error for them; `None` while there was no answer at all."""
        if self.token is None:
            return self._why_not() if self.answered else None
        left = self.token.valid_until.timestamp() - now
        if left <= 0:
            return _died(self.api, self.token)
        if left < min_valid.total_seconds():
            return DiesTooSoon(
                f"The token of {self.api} lives until {self.token.valid_until:%H:%M} IST, shorter than the {min_valid} asked "
                "for. Ask for less, or have a human sign in after that time.",
                code="dies_too_soon",
            )
        return self.token

    def generation(self) -> int | None:
        """The generation in memory, if any."""
        return self.token.generation if self.token else None

    def is_past(self, now: float) -> bool:
        """Whether the token in memory is dead by the clock."""
        return self.token is not None and now >= self.token.valid_until.timestamp()

    def known_verdict(self, generation: int) -> Answer | None:
        """What a report of this generation is answered with without asking the server, if that is known."""
        if self.token is not None and self.token.generation > generation:
            return Answer.NEWER
        return Answer.DEAD if generation <= self.dead else None

    # What can happen.

    def expired(self, now: float) -> Memory:
        """The clock went on: a token past its end is gone for good, also when the clock is set back."""
        if self.token is None or not self.is_past(now):
            return self
        return self._without(_died(self.api, self.token))

    def withdrawn(self) -> Memory:
        """An event said that programs get no token now. Why is asked for next."""
        if self.token is None:
            return self
        words = f"The server took the token of {self.api} back. `vega status` says why."
        return self._without(NoToken(words, code="withdrawn"))

    def landed(self, found: Found, now: float) -> Memory:
        """The server gave this token."""
        there = replace(self, tried=True, answered=True, trouble=None)
        token = found.token
        if token.generation < self.least:
            if self.token is not None:
                return there
            return there._without(self._refused_generation(token.generation))
        if now >= token.valid_until.timestamp():
            return there._without(_died(self.api, token))
        if self.token == token:
            return replace(there, tag=found.tag)
        return replace(there, token=token, tag=found.tag, least=token.generation, version=self.version + 1, reason=None)

    def kept(self) -> Memory:
        """The server said that the token in memory is still the one."""
        return replace(self, tried=True, answered=True, trouble=None)

    def refused(self, error: VegaError) -> Memory:
        """The server said that there is no token for this program: what is in memory is gone at once."""
        return replace(self, tried=True, answered=True, trouble=None)._without(error)

    def failed(self, error: VegaError) -> Memory:
        """The server could not be asked. The token in memory lives on."""
        return replace(self, tried=True, trouble=error)

    def rejected(self, generation: int) -> Memory:
        """Upstox called this generation dead."""
        dead, least = max(self.dead, generation), max(self.least, generation + 1)
        after = replace(self, dead=dead, least=least, version=self.version + 1)
        if self.token is None or self.token.generation > generation:
            return after
        return after._without(_dead(self.api, generation))

    def unanswered(self, address: str, waited: timedelta) -> VegaError:
        """The error for a program that waited for the first answer in vain."""
        if self.trouble is not None:
            return self.trouble.anew()
        words = f"vega-server at {address} did not answer within {waited.total_seconds():g} s. Its log says what it waits for."
        return Unreachable(words, code="unreachable")

    def _without(self, reason: VegaError) -> Memory:
        return replace(self, token=None, tag=None, version=self.version + 1, reason=reason)

    def _why_not(self) -> VegaError:
        if self.trouble is None:
            reason = self.reason or BadAnswer(f"There is no token of {self.api}, and no reason was given.")
            return reason.anew()
        before = f" Before that: {self.reason.words}" if self.reason else ""
        return type(self.trouble)(self.trouble.words + before, code=self.trouble.code, retry_at=self.trouble.retry_at)

    def _refused_generation(self, offered: int) -> NoToken:
        if offered <= self.dead:
            return _dead(self.api, offered)
        words = (
            f"The server offers generation {offered} of {self.api}, and this program had one of {self.least} already. If the "
            "database was restored from a backup, start the program anew."
        )
        return NoToken(words, code="older_generation")


def _died(api: str, token: Token) -> NoToken:
    words = (
        f"The token of {api} died at {token.valid_until:%Y-%m-%d %H:%M} IST by this machine's clock. A human must sign in: "
        f"run `vega {api}`."
    )
    return NoToken(words, code="expired")


def _dead(api: str, generation: int) -> NoToken:
    words = f"Upstox refuses the token of {api} (generation {generation}). A human must sign in: run `vega {api}`."
    return NoToken(words, code="dead")
