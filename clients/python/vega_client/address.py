"""Where a server is: a socket in the file system, or a URL. Decides which addresses a key may be sent to; opens nothing."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vega_client.errors import BadSetup


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A socket of this machine. The kernel tells the server who calls."""

    path: Path

    @property
    def host_header(self) -> str:
        """What the server expects as `Host`."""
        return "localhost"

    def __str__(self) -> str:
        return f"the socket {self.path}"


@dataclass(frozen=True, slots=True)
class Web:
    """A host and a port, over TLS or, on this machine alone, in plain text."""

    host: str
    port: int
    tls: bool

    @property
    def host_header(self) -> str:
        """Host and port as they are sent."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.tls else 80
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host_header}"


Address = UnixSocket | Web


def default_socket() -> UnixSocket:
    """The socket of the server of this user. Raises `BadSetup` where there can be none."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if not folder:
        words = (
            "XDG_RUNTIME_DIR is not set, so the server's socket has no usual place. Give it: Server(socket=PATH); the "
            "server's log says where it is."
        )
        raise BadSetup(words, code="no_socket")
    return UnixSocket(Path(folder) / "vega" / "vega.sock")


def web_address(url: str) -> Web:
    """The address of a URL. Raises `BadSetup` for one that is more than scheme, host and port, or that would send keys in
    plain text beyond this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    has_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not host or has_more or not url.isascii():
        words = "The server's address is scheme, host and port alone, such as http://127.0.0.1:28020 or https://vega.example."
        raise BadSetup(words, code="address")
    tls = parts.scheme == "https"
    if not tls and host != "localhost" and not is_loopback(host):
        words = f"http://{host} would carry keys and tokens where others can read them. Use https; http is for this machine."
        raise BadSetup(words, code="plain_http")
    return Web(host, port or (443 if tls else 80), tls)


def is_loopback(host: str) -> bool:
    """Whether this is a numeric address of this machine alone."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
