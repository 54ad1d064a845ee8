"""Always the newest Upstox access token, from a `vega-server`.

    from vega_client import Server

    tokens = Server().tokens("PRIMARY")
    token = tokens.current()

`vega_client.aio` is the same for asyncio, `vega_client.upstox` connects to Upstox's own SDK.
"""

import logging

from vega_client.answer import Answer
from vega_client.errors import (
    BadAnswer,
    BadSetup,
    Closed,
    DiesTooSoon,
    NotAllowed,
    NoToken,
    NotYet,
    Unreachable,
    VegaError,
)
from vega_client.server import Server
from vega_client.source import Changes, TokenSource
from vega_client.token import IST, Token

__version__ = "0.1.0"

__all__ = [
    "Server",
    "TokenSource",
    "Changes",
    "Token",
    "Answer",
    "VegaError",
    "NoToken",
    "DiesTooSoon",
    "NotYet",
    "NotAllowed",
    "Unreachable",
    "BadAnswer",
    "BadSetup",
    "Closed",
    "IST",
]

# A program that sets up no logging is told nothing; what matters is in the errors.
logging.getLogger("vega_client").addHandler(logging.NullHandler())
