"""The part of HTTP/1.1 that answers of a vega-server need, over asyncio's streams: head, body by length, chunks or end.

Decides where an answer ends; what it means is decided by `vega_client.replies`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT = 65_536
"""Bytes of a head, of a line and of what is read at once."""


class HttpError(ValueError):
    """What came is no answer of HTTP/1.1. Holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers; their names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The head of the answer. Raises `HttpError`, `EOFError` and what the connection raises."""
    while True:
        try:
            head = parse_head(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError:
            raise HttpError("the head is too long") from None
        # 1xx come before the answer itself.
        if head.status >= 200:
            return head


def parse_head(text: bytes) -> Head:
    """Reads a status line and headers. Raises `HttpError`."""
    first, *lines = text.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (status.isascii() and status.isdigit() and len(status) == 3):
        raise HttpError("this is no HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError("a header cannot be read")
        headers[name.lower()] = value.strip()
    return Head(int(status), headers)


class Body:
    """What follows a head."""

    def __init__(self, reader: asyncio.StreamReader, head: Head) -> None:
        """Raises `HttpError` for a length that is none."""
        self._reader = reader
        self._chunked = head.headers.get("transfer-encoding", "").lower() == "chunked"
        self._left: int | None = None
        self._ended = head.status in (204, 304)
        length = head.headers.get("content-length")
        if length is not None and not self._chunked:
            self._left = _number(length.encode("latin-1"), 10)
        if self._chunked:
            self._left = 0

    async def read(self) -> bytes:
        """The next piece; nothing at the end. Raises `HttpError`, and `EOFError` when the connection ended before."""
        if not self._ended and self._left == 0:
            self._ended = not self._chunked or not await self._next_chunk()
        if self._ended:
            return b""
        piece = await self._reader.read(LIMIT if self._left is None else min(LIMIT, self._left))
        if self._left is None:
            return piece
        if not piece:
            raise EOFError
        self._left -= len(piece)
        if self._chunked and self._left == 0 and await self._reader.readexactly(2) != b"\r\n":
            raise HttpError("a chunk has no end")
        return piece

    async def _next_chunk(self) -> bool:
        size, _, _ = (await self._line()).partition(b";")
        self._left = _number(size.strip(), 16)
        if self._left > 0:
            return True
        while await self._line():
            pass
        return False

    async def _line(self) -> bytes:
        try:
            return (await self._reader.readuntil(b"\r\n")).removesuffix(b"\r\n")
        except asyncio.LimitOverrunError:
            raise HttpError("a line is too long") from None


def _number(text: bytes, base: int) -> int:
    digits = b"0123456789abcdefABCDEF" if base == 16 else b"0123456789"
    if not text or len(text) > 15 or text.strip(digits):
        raise HttpError("a length cannot be read")
    return int(text, base)
