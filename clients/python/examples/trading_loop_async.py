"""The trading loop for asyncio, beside a task that is told of every change.

python examples/trading_loop_async.py PRIMARY [UPSTOX]
"""

import asyncio
import contextlib
import sys

from trading_loop import profile

from vega_client import NoToken, Unreachable
from vega_client.aio import Server, TokenSource


async def tell(tokens: TokenSource) -> None:
    """Says when the token changes, and when there is none any more."""
    async for generation in tokens.changes():
        print("no token: stop trading" if generation is None else f"trading with generation {generation}")


async def trade(tokens: TokenSource, upstox: str) -> None:
    """Goes on until Ctrl-C."""
    while True:
        try:
            token = await tokens.current()
        except (NoToken, Unreachable) as error:
            print(f"not trading: {error.words}")
            await asyncio.sleep(5)
            continue
        status = await asyncio.to_thread(profile, upstox, token.value)
        if status == 401:
            print(f"reported: {(await tokens.report_rejected(token.generation)).name}")
        await asyncio.sleep(0.2)


async def main(api: str, upstox: str) -> None:
    """Both at once."""
    async with Server(consumer="trading-loop").tokens(api) as tokens:
        await asyncio.gather(tell(tokens), trade(tokens, upstox))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "https://api.upstox.com"))
