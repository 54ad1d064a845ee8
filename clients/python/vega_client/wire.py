"""Sends requests over `http.client` and reads answers and streams, for the twin with threads. Follows no redirect, asks no proxy.

Decides nothing about what answers mean. Errors leave here without the exceptions that caused them: those hold headers and
bodies, and with them keys and tokens.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket

from vega_client.address import UnixSocket, Web, is_loopback
from vega_client.causes import unreachable
from vega_client.endpoint import ANSWER_WITHIN, CONNECT_WITHIN, SILENT_STREAM, Endpoint, Request
from vega_client.replies import LONGEST_BODY, Reply

_PIECE = 16_384


class _Connection(http.client.HTTPConnection):
    """A connection to a server, wherever it is."""

    # upstox_client switches this on for every connection of the process when it debugs: headers with keys would be printed.
    debuglevel = 0

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        super().__init__("localhost")
        self._endpoint = endpoint
        self._patience = timeout

    def connect(self) -> None:
        address = self._endpoint.address
        if isinstance(address, UnixSocket):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(CONNECT_WITHIN)
            self.sock.connect(os.fspath(address.path))
        else:
            self.sock = self._connect_to(address)
        self.sock.settimeout(self._patience)

    def _connect_to(self, address: Web) -> socket.socket:
        connected = socket.create_connection((address.host, address.port), CONNECT_WITHIN)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._endpoint.tls is not None:
                return self._endpoint.tls.wrap_socket(connected, server_hostname=address.host)
            # A name such as localhost leads to wherever the machine's tables say.
            if not is_loopback(connected.getpeername()[0]):
                raise ConnectionRefusedError
        except BaseException:
            connected.close()
            raise
        return connected


def ask(endpoint: Endpoint, request: Request, timeout: float = ANSWER_WITHIN) -> Reply:
    """Sends a request and reads the whole answer. `timeout`: seconds of silence. Raises `Unreachable` and `BadSetup`."""
    connection = _Connection(endpoint, timeout)
    try:
        response = _send(connection, endpoint, request)
        return _reply(response, response.read(LONGEST_BODY))
    except (OSError, http.client.HTTPException, ValueError) as error:
        problem = unreachable(endpoint.address, error)
    finally:
        connection.close()
    raise problem


class Stream:
    """A stream of events that is open. One thread reads it; another one may end it with `abort`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection = _Connection(endpoint, ANSWER_WITHIN)
        self._response: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None

    def open(self, request: Request) -> Reply | None:
        """`None` when the stream is open, else the answer that came instead. Raises `Unreachable` and `BadSetup`."""
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            response = _send(self._connection, self._endpoint, request)
            if response.status != 200 or "text/event-stream" not in response.headers.get("content-type", ""):
                return _reply(response, response.read(LONGEST_BODY))
            self._socket.settimeout(SILENT_STREAM)
            self._response = response
            return None
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = unreachable(self._endpoint.address, error)
        raise problem

    def read(self) -> bytes:
        """What came next; nothing at the end. Raises `Unreachable` when the stream is cut or silent for too long."""
        if self._response is None:
            return b""
        try:
            return self._response.read1(_PIECE)
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            problem = unreachable(self._endpoint.address, error)
        raise problem

    def abort(self) -> None:
        """Ends the stream from any thread: a thread that reads it comes back at once."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not that of SSLSocket, which takes TLS away from under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def forget(self) -> None:
        """After a fork, in the child: gives up its copy of the connection, which goes on in the parent."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                os.close(self._socket.detach())

    def close(self) -> None:
        """Closes the connection; by the thread that reads it."""
        if self._response is not None:
            with contextlib.suppress(OSError, ValueError):
                self._response.close()
        self._connection.close()


def _send(connection: _Connection, endpoint: Endpoint, request: Request) -> http.client.HTTPResponse:
    connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Connection", "close")
    for name, value in (endpoint.headers() | request.headers).items():
        connection.putheader(name, value)
    if request.body:
        connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body or None)
    return connection.getresponse()


def _reply(response: http.client.HTTPResponse, body: bytes) -> Reply:
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
