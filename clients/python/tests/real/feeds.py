"""The streamers with Upstox's own SDK as it is, at the simulator's feeds by the name that is fixed in its code: through a new
token, a broken network, 03:30 and a token that Upstox takes back. The simulator tells which token each connection lives on.

Not found by `discover`: it runs in a namespace, where that name leads to a simulator.

    ../../tests/streamers/with-upstox --simulated-human 4 -- ../../target/python/bin/python -m unittest -v tests.real.feeds
"""

from __future__ import annotations

import hashlib
import json
import logging
import unittest
from typing import Any

import vega_client
from tests.support.desk import Desk, UpstoxOfThisNamespace, until
from vega_client import VegaError
from vega_client.upstox import MarketDataStreamerV3, PortfolioDataStreamer

NIFTY, RELIANCE, TCS = "NSE_INDEX|Nifty 50", "NSE_EQ|INE002A01018", "NSE_EQ|INE467B01029"


class ThroughTokenChanges(unittest.TestCase):
    def setUp(self) -> None:
        logging.getLogger("websocket").setLevel(logging.CRITICAL)
        self.upstox = UpstoxOfThisNamespace()
        self.upstox.sim("PUT", "feeds/settings", {"interval_ms": 50, "market_data_limit": 5})
        self.desk = Desk(upstox=self.upstox)
        self.addCleanup(self.desk.end)
        # From here to half past eight of the next morning the server does not ask Upstox by itself.
        self.desk.move_to("17:10:00")
        self.desk.start_server()
        self.tokens = vega_client.Server(socket=self.desk.socket, clock=self.desk.now).tokens("PRIMARY")
        self.addCleanup(self.tokens.close)
        self.ticks: list[set[str]] = []
        self.orders: list[str] = []
        self.market = MarketDataStreamerV3(self.tokens, instrumentKeys=[NIFTY], mode="ltpc")
        self.market.on("message", lambda frame: self.ticks.append(set(frame.get("feeds", {}))))
        self.portfolio = PortfolioDataStreamer(self.tokens, position_update=True)
        self.portfolio.on("message", lambda update: self.orders.append(json.loads(update)["tag"]))
        for streamer in (self.market, self.portfolio):
            self.addCleanup(streamer.disconnect)

    def connections(self) -> list[Any]:
        """The sockets that are open at Upstox."""
        return list(self.upstox.sim("GET", "feeds")["connections"])

    def refused(self) -> int:
        """How often a connection was refused since the last reset."""
        return int(self.upstox.sim("GET", "counters")["feeds_refused"])

    def generation(self) -> int | None:
        """The generation that programs get now."""
        try:
            return self.tokens.current().generation
        except VegaError:
            return None

    def until_all_live_on(self, generation: int) -> None:
        """Until there are both feeds, each once, and both on this token."""
        until(lambda: self.generation() == generation)
        fingerprint = hashlib.sha256(self.tokens.current().value.encode()).hexdigest()[:16]

        def is_so() -> bool:
            there = self.connections()
            return sorted(one["feed"] for one in there) == ["market_data", "portfolio"] and all(
                one["token"]["newest"] and one["token"]["fingerprint"] == fingerprint for one in there
            )

        until(is_so)

    def until_subscribed_to(self, modes: dict[str, str]) -> None:
        """Until Upstox knows just these subscriptions, and sends just these ticks."""
        until(lambda: [one["subscriptions"] for one in self.connections() if one["feed"] == "market_data"] == [modes])
        before = len(self.ticks)
        until(lambda: set(modes) in self.ticks[before:])

    def until_told_of(self, tag: str) -> None:
        """An update of an order comes, and once."""
        (portfolio,) = (one for one in self.connections() if one["feed"] == "portfolio")
        self.assertEqual(portfolio["update_types"], ["order", "position"])
        self.assertEqual(self.upstox.sim("POST", "feeds/order_updates", {"fields": {"tag": tag}})["sent_to"], 1)
        until(lambda: tag in self.orders)
        self.assertEqual(self.orders.count(tag), 1)

    def test_none_stays_on_an_old_token(self) -> None:
        desk = self.desk
        # Before there is a token.
        self.market.subscribe([RELIANCE], "full")
        self.market.connect()
        self.portfolio.connect()
        self.assertEqual(self.connections(), [])
        desk.sign_in()
        self.until_all_live_on(1)
        self.until_subscribed_to({NIFTY: "ltpc", RELIANCE: "full"})
        self.until_told_of("first")

        # A new one.
        self.market.change_mode([NIFTY], "full")
        self.until_subscribed_to({NIFTY: "full", RELIANCE: "full"})
        desk.sign_in()
        self.until_all_live_on(2)
        self.until_subscribed_to({NIFTY: "full", RELIANCE: "full"})
        self.until_told_of("second")
        self.market.unsubscribe([RELIANCE])
        self.market.subscribe([TCS], "option_greeks")
        wanted = {NIFTY: "full", TCS: "option_greeks"}
        self.until_subscribed_to(wanted)

        # A network that breaks.
        before = {one["id"] for one in self.connections()}
        self.assertEqual(self.upstox.sim("POST", "feeds/cut"), {"cut": 2})
        until(lambda: len(there := self.connections()) == 2 and not before & {one["id"] for one in there})
        self.until_all_live_on(2)
        self.until_subscribed_to(wanted)

        # 03:30, and the next morning.
        self.upstox.sim("POST", "counters/reset")
        desk.move_to("03:30:02")
        until(lambda: self.connections() == [] and self.generation() is None)
        desk.move_to("08:00:00")
        desk.sign_in()
        self.until_all_live_on(3)
        self.until_subscribed_to(wanted)
        self.until_told_of("third")
        self.assertEqual(self.refused(), 0, "no connection was asked for with the dead token")

        # Upstox takes a token back; one of the last minute would be asked about for 20 seconds.
        desk.move_clocks(desk.offset + 120)
        self.upstox.sim("POST", "apps/PRIMARY/revoke_token", {})
        until(lambda: self.generation() is None)
        refused = self.refused()
        self.assertIn(refused, (1, 2), "each streamer asks once at most, and it is reported")
        self.assertEqual(self.connections(), [])
        reports = desk.vega("audit", "--api", "PRIMARY", "--json").stdout.count('"token_reported"')
        self.assertIn(reports, (1, 2), "it is a report that tells")
        desk.sign_in()
        self.until_all_live_on(4)
        self.until_subscribed_to(wanted)
        self.until_told_of("fourth")
        self.assertEqual(self.refused(), refused)


if __name__ == "__main__":
    unittest.main()
