"""One vega-server as programs name it. Checks how it is reached; sends nothing before `tokens` is called."""

from __future__ import annotations

import time
from collections.abc import Callable

from vega_client.backoff import default_chance
from vega_client.endpoint import Endpoint, Kind, StrPath, wanted
from vega_client.follower import Follower
from vega_client.source import TokenSource


class Server:
    """A `vega-server` of this machine or of another one."""

    def __init__(
        self,
        url: str | None = None,
        *,
        socket: StrPath | None = None,
        key_file: StrPath | None = None,
        ca: StrPath | None = None,
        consumer: str | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = default_chance,
    ) -> None:
        """Without arguments: the socket of this user, `$XDG_RUNTIME_DIR/vega/vega.sock`, which needs no key.

        `url`: scheme, host and port; `https`, or `http` on this machine. It needs `key_file`, the path of a file with an
        access key in its first line that nobody else can read; `ca` is the path of a PEM file with the authority of its
        certificate. `socket`: the path of another socket. `consumer`: the name under which the server shows this program
        (letters, digits, `.`, `_`, `-`; at most 64). `clock` (seconds since 1970) and `chance` (0 to 1) are for tests.

        Raises `BadSetup`.
        """
        self._endpoint = Endpoint.of(url, socket, key_file, ca, consumer)
        self._clock = clock
        self._chance = chance

    def tokens(self, api: str, *, kind: Kind = "trade") -> TokenSource:
        """The token of this API, always the newest. Keep the source: it follows the server until it is closed or dropped.

        `kind="read"`: the analytics token of the API's account. It only reads market data, and lives for a year: over 03:30, and
        through a morning on which nobody signs in. The access key or the `[[socket]]` rule needs the scope `read:API`.

        Raises `BadSetup`.
        """
        return TokenSource(Follower(self._endpoint, wanted(api, kind), self._clock, self._chance))

    def __repr__(self) -> str:
        return f"<Server at {self._endpoint.address}>"
