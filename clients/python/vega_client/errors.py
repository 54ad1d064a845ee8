"""What can go wrong, by consequence. Messages name the cause and what to do next, and never hold a secret.

Does not decide when an error is raised: `memory` and the two `source` modules do.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

_E = TypeVar("_E", bound="VegaError")


class VegaError(Exception):
    """Every error of this library.

    `words`: cause and way out, for a human. `code`: a stable word for programs; the server's own where it is the server that
    refuses. `retry_at`: when it is worth trying again, in Indian time, if that is known.
    """

    def __init__(self, words: str, *, code: str = "", retry_at: datetime | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.retry_at = retry_at

    def anew(self: _E) -> _E:
        """The same error to raise once more: an exception that many threads raise would collect all their tracebacks."""
        return type(self)(self.words, code=self.code, retry_at=self.retry_at)


class NoToken(VegaError):
    """There is no token for programs now. Mostly a human must sign in (`human_needed`), or the account cools down
    (`cooling_down`, with `retry_at`)."""


class DiesTooSoon(NoToken):
    """There is a token, and it dies sooner than `min_valid` asks for."""


class NotYet(NoToken):
    """The server does not know yet whether its token is good, or is being started. The library asks again by itself."""


class NotAllowed(VegaError):
    """The server does not give this token to this program: the access key is unknown, revoked or lacks the scope
    `token:API`, or the program was stopped."""


class Unreachable(VegaError):
    """The server cannot be reached, and there is no living token in memory. The library tries again by itself."""


class BadAnswer(VegaError):
    """Something answered, but not as a vega-server of this version does. The library tries again by itself."""


class BadSetup(VegaError):
    """The program's own arguments or files cannot work: a key file that others can read, a wrong address."""


class Closed(VegaError):
    """The source was closed."""
