"""A `Configuration` of the SDK whose token is the newest at each request. Decides nothing else about the SDK."""

from __future__ import annotations

import copy
from typing import Any

import upstox_client

from vega_client.source import TokenSource


class _OneForEachSource(type(upstox_client.Configuration)):  # type: ignore[misc]
    """The SDK's own metaclass makes one configuration and copies it for whoever asks later, whatever the arguments are:
    the second source would get the token of the first."""

    def __init__(cls, *arguments: Any) -> None:
        super().__init__(*arguments)
        cls._made: dict[bool, Any] = {}

    def __call__(cls, tokens: TokenSource, sandbox: bool = False) -> Any:
        # The SDK adds a log handler to the process for each that it makes, so there is one of a kind, and copies.
        if sandbox not in cls._made:
            cls._made[sandbox] = type.__call__(cls, sandbox)
        configuration = copy.copy(cls._made[sandbox])
        configuration._tokens = tokens
        return configuration


class Configuration(upstox_client.Configuration, metaclass=_OneForEachSource):  # type: ignore[misc]
    """`Configuration(tokens, sandbox=False)` for `upstox_client.ApiClient`: every request takes `tokens.current()`.

    A request raises what `current()` raises, such as `NoToken`, and nothing is sent then. `access_token` cannot be set.
    """

    _tokens: TokenSource

    @property
    def access_token(self) -> str:
        """The newest token. The SDK reads it for each request."""
        return self._tokens.current().value

    @access_token.setter
    def access_token(self, value: str) -> None:
        # The SDK's own constructor empties it.
        if value:
            raise AttributeError("The token comes from Vega. Use upstox_client.Configuration for a token of your own.")

    @property
    def tokens(self) -> TokenSource:
        """Where the token comes from."""
        return self._tokens
