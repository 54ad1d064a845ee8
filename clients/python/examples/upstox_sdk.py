"""Upstox's own SDK with the newest token: a request every second, and the market feed beside it.

python examples/upstox_sdk.py PRIMARY [UPSTOX]
"""

import contextlib
import sys
import time
from typing import Any

import upstox_client
from upstox_client.rest import ApiException

from vega_client import Server, TokenSource, VegaError
from vega_client.upstox import Configuration, MarketDataStreamerV3


def main(api: str, upstox: str | None) -> None:
    """Goes on until Ctrl-C."""
    with Server(consumer="sdk-example").tokens(api) as tokens:
        configuration = Configuration(tokens)
        if upstox is not None:
            configuration.host = upstox
        user = upstox_client.UserApi(upstox_client.ApiClient(configuration))
        streamer = MarketDataStreamerV3(tokens, instrumentKeys=["NSE_INDEX|Nifty 50"], mode="ltpc")
        streamer.on("message", print)
        streamer.on("error", lambda error: print(f"feed: {error}"))
        streamer.connect()
        try:
            while True:
                step(tokens, user)
                time.sleep(1)
        finally:
            streamer.disconnect()


def step(tokens: TokenSource, user: Any) -> None:
    """One request, and what to do when it fails."""
    generation = 0
    try:
        generation = tokens.current().generation
        print(f"generation {generation}: {user.get_profile('2.0').data.user_id}")
    except ApiException as error:
        if error.status == 401:
            print(f"reported: {tokens.report_rejected(generation).name}")
        else:
            print(f"Upstox answers {error.status}")
    except VegaError as error:
        print(f"no request: {error.words}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
