"""Sends requests over asyncio's streams and reads answers and streams of events. Follows no redirect, asks no proxy.

Decides nothing about what answers mean. Errors leave here without the exceptions that caused them: those can hold keys.
"""

from __future__ import annotations

import asyncio
import os

from vega_client.address import UnixSocket, is_loopback
from vega_client.aio.http1 import LIMIT, Body, Head, read_head
from vega_client.aio.within import within
from vega_client.causes import unreachable
from vega_client.endpoint import ANSWER_WITHIN, CONNECT_WITHIN, SILENT_STREAM, Endpoint, Request
from vega_client.replies import LONGEST_BODY, Reply

# EOFError: the connection ended within an answer.
_FAILURES = (OSError, EOFError, ValueError)


async def ask(endpoint: Endpoint, request: Request, timeout: float = ANSWER_WITHIN) -> Reply:
    """Sends a request and reads the whole answer, within `timeout` seconds. Raises `Unreachable` and `BadSetup`."""
    connection = _Connection(endpoint)
    try:
        await connection.connect()
        return await within(timeout, connection.ask(request))
    except _FAILURES as error:
        problem = unreachable(endpoint.address, error)
    finally:
        connection.close()
    raise problem


class Stream:
    """A stream of events that is open."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection = _Connection(endpoint)
        self._body: Body | None = None

    async def open(self, request: Request) -> Reply | None:
        """`None` when the stream is open, else the answer that came instead. Raises `Unreachable` and `BadSetup`."""
        try:
            await self._connection.connect()
            head, body = await within(ANSWER_WITHIN, self._connection.send(request))
            if head.status != 200 or "text/event-stream" not in head.headers.get("content-type", ""):
                return await within(ANSWER_WITHIN, _whole(head, body))
            self._body = body
            return None
        except _FAILURES as error:
            problem = unreachable(self._endpoint.address, error)
        raise problem

    async def read(self) -> bytes:
        """What came next; nothing at the end. Raises `Unreachable` when the stream is cut or silent for too long."""
        if self._body is None:
            return b""
        try:
            return await within(SILENT_STREAM, self._body.read())
        except _FAILURES as error:
            problem = unreachable(self._endpoint.address, error)
        raise problem

    def close(self) -> None:
        """Ends it at once."""
        self._connection.close()


class _Connection:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        await within(CONNECT_WITHIN, self._connect())

    async def _connect(self) -> None:
        address = self._endpoint.address
        if isinstance(address, UnixSocket):
            self._reader, self._writer = await asyncio.open_unix_connection(os.fspath(address.path), limit=LIMIT)
            return
        tls = self._endpoint.tls
        name = address.host if tls is not None else None
        self._reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=tls, server_hostname=name, limit=LIMIT
        )
        self._writer = writer
        # A name such as localhost leads to wherever the machine's tables say.
        if tls is None and not is_loopback(writer.get_extra_info("peername")[0]):
            raise ConnectionRefusedError

    async def ask(self, request: Request) -> Reply:
        head, body = await self.send(request)
        return await _whole(head, body)

    async def send(self, request: Request) -> tuple[Head, Body]:
        if self._reader is None or self._writer is None:
            raise ConnectionError
        self._writer.write(_written(self._endpoint, request))
        await self._writer.drain()
        head = await read_head(self._reader)
        return head, Body(self._reader, head)

    def close(self) -> None:
        # Not a polite end: that of TLS waits for the other side.
        if self._writer is not None:
            self._writer.transport.abort()


def _written(endpoint: Endpoint, request: Request) -> bytes:
    headers = endpoint.headers() | request.headers | {"Connection": "close"}
    if request.body:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + request.body


async def _whole(head: Head, body: Body) -> Reply:
    text = b""
    while len(text) < LONGEST_BODY and (piece := await body.read()):
        text += piece
    return Reply(head.status, head.headers, text)
