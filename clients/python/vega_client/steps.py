"""What an answer or an error of the server does to the memory of a source, alike for both twins. Keeps nothing and waits for
nothing."""

from __future__ import annotations

import logging

from vega_client.backoff import Backoff
from vega_client.endpoint import STALE_REASON
from vega_client.errors import BadAnswer, NotAllowed, NoToken, NotYet, VegaError
from vega_client.memory import Memory
from vega_client.replies import Reply, is_servable, token_of
from vega_client.sse import EventParser

log = logging.getLogger("vega_client")


def after_reply(asked: Memory, reply: Reply, now: float) -> Memory:
    """What follows from the answer to the question for the token. `asked` is the memory when the question was asked: what
    follows counts only where its version still holds. Raises `VegaError` for an answer that says neither yes nor no."""
    try:
        found = token_of(reply, now)
    except VegaError as error:
        if not _refuses(error):
            raise
        refusal = error.anew()
    else:
        if found is not None:
            return asked.landed(found, now)
        if asked.tag is not None:
            return asked.kept()
        raise BadAnswer("The server says that the token is still the same, and this program has none.")
    return asked.refused(refusal)


def after_error(memory: Memory, error: VegaError) -> Memory:
    """What follows when the stream could not be opened or went wrong. A server that refuses takes the token away; one that
    cannot be asked does not."""
    anew = error.anew()
    return memory.refused(anew) if _refuses(error) else memory.failed(anew)


def wait_after_error(error: VegaError, backoff: Backoff, now: float) -> float:
    """Seconds until the next attempt."""
    is_asked_for = error.retry_at is not None and not _refuses(error)
    return backoff.after_failure(error.retry_at.timestamp() - now if is_asked_for and error.retry_at else 0.0)


def newest_state(parser: EventParser, piece: bytes) -> bool | None:
    """Whether programs get a token, by the last event in this piece of the stream; `None` when none says it. Raises
    `BadAnswer`."""
    states = [state for event in parser.feed(piece) if (state := is_servable(event)) is not None]
    return states[-1] if states else None


def is_stale(memory: Memory, asked_at: float, now: float) -> bool:
    """Whether to ask anew why there is no token: no event comes when only that changes."""
    return memory.token is None and abs(now - asked_at) >= STALE_REASON


def tell(before: Memory, after: Memory) -> None:
    """Writes changes to the log. No secret is in it."""
    if after.token is not None and after.token != before.token:
        log.info("%s: generation %d, until %s", after.api, after.token.generation, after.token.valid_until)
    if before.token is not None and after.token is None and after.reason is not None:
        log.warning("%s: no token any more. %s", after.api, after.reason.words)
    if before.trouble is None and after.trouble is not None:
        log.warning("%s: %s", after.api, after.trouble.words)


def _refuses(error: VegaError) -> bool:
    return isinstance(error, NoToken | NotAllowed) and not isinstance(error, NotYet)
