"""Reads the server's answers: status, headers and body in, values or errors out. Sends nothing and keeps nothing.

Only what a vega-server itself says counts as a refusal. A proxy's page, half a body or another program at the address is a
`BadAnswer`, which takes no token away. No error holds any part of a body: it could be a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

from vega_client.answer import Answer
from vega_client.errors import BadAnswer, NotAllowed, NoToken, NotYet, VegaError
from vega_client.sse import Event
from vega_client.token import Token, in_ist

LONGEST_BODY = 65_536
"""Bytes of a body that are read; Vega's answers are below 4 KiB."""

_IS_IT_VEGA = "Is it a vega-server that answers there, and not older than this library?"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A token, and the tag by which it is asked for again."""

    token: Token
    tag: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report was answered with, and why Upstox could not say, if so."""

    answer: Answer
    why: str


def is_servable(event: Event) -> bool | None:
    """Whether a `token` event says that programs get a token; `None` for events of other names. Raises `BadAnswer`."""
    if event.name != "token":
        return None
    state = _json(event.data.encode())
    servable = state.get("servable") if state else None
    if not isinstance(servable, bool):
        raise BadAnswer(f"An event cannot be read. {_IS_IT_VEGA}")
    return servable


def token_of(reply: Reply, now: float) -> Found | None:
    """The token of an answer; `None` for "still the one that you have". Raises `VegaError` for every other answer."""
    if reply.status == 304:
        return None
    if reply.status != 200:
        raise problem_of(reply, now)
    token = _token(_json(reply.body))
    if token is None:
        raise BadAnswer(f"The answer holds no token. {_IS_IT_VEGA}")
    return Found(token, reply.headers.get("etag"))


def verdict_of(reply: Reply, now: float) -> Verdict:
    """The verdict on a reported token. Raises `VegaError`."""
    if reply.status != 200:
        raise problem_of(reply, now)
    verdict = _verdict(_json(reply.body) or {})
    if verdict is None:
        raise BadAnswer(f"The answer to the report cannot be read. {_IS_IT_VEGA}")
    return verdict


def problem_of(reply: Reply, now: float) -> VegaError:
    """The error that an answer stands for. `now` is in seconds since 1970."""
    status = reply.status
    view = _json(reply.body) or {}
    code, words = view.get("code"), view.get("detail") or view.get("title")
    if not isinstance(code, str) or not isinstance(words, str):
        if 300 <= status < 400:
            return BadAnswer(f"The answer is a redirect ({status}), which is never followed. Give the server's own address.")
        return BadAnswer(f"The answer is HTTP {status} without Vega's words. {_IS_IT_VEGA}")
    if status in (401, 403):
        kind: type[VegaError] = NotAllowed
    elif status in (409, 429) or code == "unknown_api":
        kind = NoToken
    elif status == 503:
        kind = NotYet
    else:
        kind = BadAnswer
    return kind(words, code=code, retry_at=_retry_at(view, reply.headers, now))


def _retry_at(view: Mapping[str, Any], headers: Mapping[str, str], now: float) -> datetime | None:
    at = view.get("retry_at_unix")
    if _is_whole(at):
        return _time(at)
    after = headers.get("retry-after", "").strip()
    return _time(now + int(after)) if after.isascii() and after.isdigit() and len(after) < 8 else None


def _token(view: Mapping[str, Any] | None) -> Token | None:
    if view is None or view.get("v") != 1:
        return None
    value, generation, until = view.get("access_token"), view.get("generation"), view.get("valid_until_unix")
    # What is sent as a header must not end it.
    if not isinstance(value, str) or not value or not all("!" <= letter <= "~" for letter in value):
        return None
    if not _is_whole(generation) or generation < 1 or not _is_whole(until):
        return None
    end = _time(until)
    return Token(value, generation, end) if end else None


def _verdict(view: Mapping[str, Any]) -> Verdict | None:
    word, failure = view.get("answer"), view.get("failure")
    if word not in [answer.value for answer in Answer]:
        return None
    why = failure.get("words") or failure.get("reason") if isinstance(failure, dict) else None
    return Verdict(Answer(word), why if isinstance(why, str) else "")


def _time(unix: float) -> datetime | None:
    try:
        return in_ist(unix)
    except (ValueError, OverflowError, OSError):
        return None


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(text: bytes) -> dict[str, Any] | None:
    # The parser's own error would hold the text.
    try:
        view = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return view if isinstance(view, dict) else None
