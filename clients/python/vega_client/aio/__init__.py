"""The same for asyncio: `Server`, `TokenSource` and `Changes` with the same names and meanings, and no threads.

    from vega_client.aio import Server

    async with Server().tokens("PRIMARY") as tokens:
        token = await tokens.current()

Answers, tokens and errors are those of `vega_client`. A source belongs to the event loop that first uses it.
"""

from vega_client.aio.server import Server
from vega_client.aio.source import Changes, TokenSource

__all__ = ["Server", "TokenSource", "Changes"]
