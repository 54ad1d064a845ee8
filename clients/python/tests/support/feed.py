"""Upstox's two feeds for the SDK's real streamers, which connect to `wss://api.upstox.com` by themselves.

The SDK asks `https_proxy` of the environment for a tunnel, as its websockets do, and trusts every certificate: this is the
proxy, and at the other end of its tunnel a websocket over TLS. Nothing of the SDK is patched and no name is looked up.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any
from unittest import mock

from tests.support.desk import until
from tests.support.fake_vega import read_request


class Connection:
    """One feed that a streamer opened."""

    def __init__(self, path: str, token: str, stream: ssl.SSLSocket) -> None:
        self.path = path
        self.token = token
        self.said: list[Any] = []
        """Requests of the streamer, as JSON."""
        self.closed = False
        self._stream = stream

    def send(self, data: bytes, opcode: int = 2) -> None:
        """One message to the streamer."""
        length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
        with contextlib.suppress(OSError):
            self._stream.sendall(bytes([0x80 | opcode]) + length + data)

    def cut(self) -> None:
        """The connection breaks."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._stream, socket.SHUT_RDWR)

    def serve(self) -> None:
        """Reads until the end."""
        with contextlib.suppress(OSError, EOFError, struct.error):
            while True:
                opcode, data = self._frame()
                if opcode == 8:
                    self.send(data, 8)
                    break
                self.said.append(json.loads(data))
        self.closed = True
        with contextlib.suppress(OSError):
            self._stream.close()

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        mask = self._exactly(4)
        return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._exactly(length)))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._stream.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece

        return data


class Feed:
    """Serves both feeds, to whoever has a good token."""

    def __init__(self, certificate: Path) -> None:
        self.good: set[str] = set()
        self.connections: list[Connection] = []
        self.refused: list[str] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        proxy = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.environment = mock.patch.dict(os.environ, {"https_proxy": proxy, "no_proxy": ""})
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more, and breaks every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.cut()

    def newest(self, count: int) -> Connection:
        """The newest connection, once there were so many."""
        until(lambda: len(self.connections) >= count, 10)
        return self.connections[-1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            tunnel = read_request(raw)
            assert tunnel is not None and tunnel[:2] == ("CONNECT", "api.upstox.com:443"), tunnel
            raw.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            stream = self._tls.wrap_socket(raw, server_side=True)
            request = read_request(stream)
            assert request is not None
        except OSError:
            raw.close()
            return
        _, path, headers = request
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.good:
            self.refused.append(token)
            stream.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            stream.close()
            return
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        upgrade = f"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        connection = Connection(path, token, stream)
        stream.sendall(upgrade.encode())
        self.connections.append(connection)
        connection.serve()
