"""All that a request to the server needs: address, key, certificates, the program's name. Decides the headers and the paths
of the four requests; sends nothing."""

from __future__ import annotations

import json
import os
import re
import socket as sockets
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote, urlencode

from vega_client.address import Address, UnixSocket, Web, default_socket, web_address
from vega_client.errors import BadSetup
from vega_client.key_file import read_key

CONNECT_WITHIN = 5.0
"""Seconds until a connection must stand."""

ANSWER_WITHIN = 10.0
"""Seconds that the server may be silent before it answers."""

VERDICT_WITHIN = 70.0
"""The same for a report: Upstox is asked for 20 s and more meanwhile."""

SILENT_STREAM = 45.0
"""Seconds without a byte after which a stream is dead: three of the server's heartbeats."""

NEWER_WITHIN = 5
"""Seconds that the server may take to give a newer token after it said that there is one: it learns of a token from its
database before its readers have it."""

STALE_REASON = 60.0
"""Seconds after which the reason that there is no token is asked for anew: its words and times go with the clock."""

StrPath = str | os.PathLike[str]

Kind = Literal["trade", "read"]
"""What a token opens: everything that its app may do, or only market data."""

_CONSUMER = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """One request without its key."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server as this program reaches it."""

    address: Address
    key_file: Path | None
    tls: ssl.SSLContext | None
    consumer: str | None

    @classmethod
    def of(
        cls,
        url: str | None,
        socket: StrPath | None,
        key_file: StrPath | None,
        ca: StrPath | None,
        consumer: str | None,
    ) -> Endpoint:
        """Checks a program's arguments. Raises `BadSetup`."""
        if url is not None and socket is not None:
            raise BadSetup("A server is reached by its URL or by its socket: give one of them.", code="address")
        if consumer is not None and not _CONSUMER.fullmatch(consumer):
            raise BadSetup("consumer is at most 64 letters, digits, dots, _ and -.", code="consumer")
        address: Address
        if url is None:
            if not hasattr(sockets, "AF_UNIX"):
                raise BadSetup("This system has no such sockets: give the server's URL and key_file=PATH.", code="no_socket")
            address = UnixSocket(Path(socket)) if socket is not None else default_socket()
        else:
            address = web_address(url)
            if key_file is None:
                words = "A server at a URL wants an access key: give key_file=PATH; `vega key add` makes a key."
                raise BadSetup(words, code="key_file")
        has_tls = isinstance(address, Web) and address.tls
        if ca is not None and not has_tls:
            raise BadSetup("ca is for https addresses alone.", code="ca")
        endpoint = cls(address, Path(key_file) if key_file is not None else None, _tls(ca) if has_tls else None, consumer)
        endpoint.headers()
        return endpoint

    def headers(self) -> dict[str, str]:
        """Headers of every request. The key is read each time, so that a file that is replaced counts. Raises `BadSetup`."""
        headers = {"Host": self.address.host_header, "User-Agent": "vega-client-python/0.1.0"}
        if self.consumer is not None:
            headers["X-Vega-Consumer"] = self.consumer
        if self.key_file is not None:
            headers["Authorization"] = read_key(self.key_file).header()
        return headers


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which token a source is of."""

    api: str
    kind: Kind = "trade"

    def _path(self, route: str, **query: str) -> str:
        # Servers that know one kind alone are asked as before.
        if self.kind != "trade":
            query["kind"] = self.kind
        asked = f"?{urlencode(query)}" if query else ""
        return f"/api/v1/apis/{quote(self.api, safe='')}/{route}{asked}"

    def token_request(self, tag: str | None, wait: int = 0) -> Request:
        """For the token, or for another one than that of the tag. The server waits for it at most so many seconds."""
        known = {"If-None-Match": tag} if tag is not None else {}
        path = self._path("token", wait=f"{wait}s") if wait else self._path("token")
        return Request("GET", path, {"Accept": "application/json", **known})

    def events_request(self) -> Request:
        """For the stream of changes."""
        return Request("GET", self._path("events"), {"Accept": "text/event-stream"})

    def report_request(self, generation: int) -> Request:
        """For the verdict on a refused token."""
        body: dict[str, Any] = {"generation": generation}
        if self.kind != "trade":
            body["kind"] = self.kind
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        path = f"/api/v1/apis/{quote(self.api, safe='')}/rejections"
        return Request("POST", path, headers, json.dumps(body).encode())


def wanted(api: str, kind: Kind) -> Wanted:
    """The token that a program asks for. Raises `BadSetup` for what can be none."""
    if not api.strip() or api in (".", "..") or not api.isprintable():
        raise BadSetup("The API is named as in Vega's settings, such as PRIMARY.", code="api")
    if kind not in get_args(Kind):
        raise BadSetup("A token is of kind trade or read.", code="kind")
    return Wanted(api, kind)


def _tls(ca: StrPath | None) -> ssl.SSLContext:
    problem = ""
    try:
        return ssl.create_default_context(cafile=os.fspath(ca) if ca is not None else None)
    except (OSError, ValueError) as error:
        problem = str(error)
    raise BadSetup(f"The certificates in {ca} cannot be read: {problem}. It must be a PEM file.", code="ca")
