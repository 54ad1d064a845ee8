"""A small server that answers like vega-server, and badly when a test says so. Raw sockets: every byte is the test's."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.support.desk import until

Fault = Callable[["socket.socket"], None]
"""Gets the connection after the request was read, and does what it likes."""


class FakeVega:
    """Serves one token, at a socket in the file system or at a port."""

    def __init__(self, path: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.path = path
        self.until = 4_000_000_000
        self.token: tuple[int, str] | None = None
        self.problem: tuple[int, dict[str, Any], str] = problem(409, "human_needed", "A human must sign in: run `vega PRIMARY`.")
        self.verdict: dict[str, Any] = {}
        self.faults: dict[str, deque[Fault]] = {"token": deque(), "events": deque(), "rejections": deque()}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.streams: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listens, at the same place each time."""
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.path)
        else:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            self.port = listener.getsockname()[1]
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Is gone: nobody listens, and no stream is open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        self.end_streams()

    def serve(self, generation: int, value: str | None = None, until: int = 4_000_000_000) -> None:
        """From now on there is this token; streams are told."""
        self.until = until
        self.token = (generation, value or f"token-{generation}")
        self.tell()

    def withdraw(self, told: tuple[int, dict[str, Any], str]) -> None:
        """From now on there is none, and this is said."""
        self.token, self.problem = None, told
        self.tell()

    def tell(self) -> None:
        """One event to each stream."""
        self._send(self.event())

    def beat(self) -> None:
        """A heartbeat to each stream."""
        self._send(chunk(b":\n\n"))

    def _send(self, text: bytes) -> None:
        with self._lock:
            for stream in self.streams:
                with contextlib.suppress(OSError):
                    stream.sendall(text)

    def end_streams(self, cut: bool = True) -> None:
        """Ends every stream, cleanly or not."""
        with self._lock:
            streams, self.streams = self.streams, []
        for stream in streams:
            with contextlib.suppress(OSError):
                if not cut:
                    stream.sendall(b"0\r\n\r\n")
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()

    def event(self) -> bytes:
        """How things stand, as a chunk."""
        generation = self.token[0] if self.token else None
        state = {"v": 1, "api": "PRIMARY", "servable": self.token is not None, "generation": generation, "more": [1]}
        return chunk(f"event: token\ndata: {json.dumps(state)}\n\n".encode())

    def count(self, route: str) -> int:
        """Requests for this route so far."""
        return sum(path.partition("?")[0].endswith(route) for _, path, _ in self.requests)

    def wait_for_stream(self) -> None:
        """Until somebody follows."""
        until(lambda: self.streams, 10)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self._listener is not listener:
                connection.close()
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            request = read_request(connection)
        except OSError:
            connection.close()
            return
        if request is None:
            connection.close()
            return
        self.requests.append(request)
        route, _, query = request[1].rsplit("/", 1)[1].partition("?")
        faults = self.faults.get(route)
        try:
            if faults:
                faults.popleft()(connection)
            elif route != "events":
                if query:
                    self._wait(int(query.removeprefix("wait=").removesuffix("s")), request[2])
                connection.sendall(self._answer(route, request[2]))
            elif self._listener is not None:
                connection.sendall(STREAM)
                with self._lock:
                    connection.sendall(self.event())
                    self.streams.append(connection)
                return
        except OSError:
            pass
        connection.close()

    def _wait(self, seconds: int, headers: dict[str, str]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and (self.token is None or headers.get("if-none-match") == self._tag()):
            time.sleep(0.01)

    def _tag(self) -> str:
        assert self.token is not None
        return f'"{self.token[0]}-{abs(hash(self.token[1])):x}"'

    def _answer(self, route: str, headers: dict[str, str]) -> bytes:
        if route == "rejections":
            return answer(200, self.verdict)
        if self.token is None:
            return answer(*self.problem[:2], more=self.problem[2])
        generation, value = self.token
        tag = self._tag()
        if headers.get("if-none-match") == tag:
            return answer(304, None, more=f"ETag: {tag}\r\n")
        view = {
            "v": 1,
            "api": "PRIMARY",
            "access_token": value,
            "generation": generation,
            "valid_until": "as it says",
            "valid_until_unix": self.until,
        }
        return answer(200, view, more=f"ETag: {tag}\r\n")


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def problem(status: int, code: str, words: str, more: str = "", **fields: Any) -> tuple[int, dict[str, Any], str]:
    """What `withdraw` takes."""
    return status, {"code": code, "title": "No", "detail": words, **fields}, more


def chunk(text: bytes) -> bytes:
    """One chunk."""
    return f"{len(text):x}\r\n".encode() + text + b"\r\n"


def answer(status: int, view: Any, more: str = "") -> bytes:
    """A whole answer."""
    body = b"" if view is None else json.dumps(view).encode()
    length = "" if status == 304 else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status} It Is\r\n{length}{more}Connection: close\r\n\r\n".encode() + body


def says(text: bytes) -> Fault:
    """Sends these bytes and closes."""
    return lambda connection: connection.sendall(text)


def read_request(connection: socket.socket) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers, after the body was read."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65_536)
        if not piece:
            return None
        text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    headers["_body"] = body.decode()
    method, path, _ = first.split(" ")
    return method, path, headers
