"""A small trading loop: calls Upstox's profile 5 times a second, each time with the newest token, and reports a 401.

    python examples/trading_loop.py PRIMARY [UPSTOX]

UPSTOX is https://api.upstox.com unless it is given. Without another setting the token comes over the socket of this user.
"""

import contextlib
import sys
import time
import urllib.error
import urllib.request

from vega_client import NoToken, Server, TokenSource, Unreachable


def profile(upstox: str, token: str) -> int:
    """The HTTP status that Upstox answers."""
    request = urllib.request.Request(f"{upstox}/v2/user/profile", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def trade(tokens: TokenSource, upstox: str) -> None:
    """Goes on until Ctrl-C."""
    while True:
        try:
            token = tokens.current()
        except (NoToken, Unreachable) as error:
            print(f"not trading: {error.words}")
            time.sleep(5)
            continue
        status = profile(upstox, token.value)
        print(f"generation {token.generation}: {status}")
        if status == 401:
            print(f"reported: {tokens.report_rejected(token.generation).name}")
        time.sleep(0.2)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt), Server(consumer="trading-loop").tokens(sys.argv[1]) as source:
        trade(source, sys.argv[2] if len(sys.argv) > 2 else "https://api.upstox.com")
