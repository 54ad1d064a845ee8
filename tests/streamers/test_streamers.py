# Upstox's own SDK for Python, as it is: its streamers connect to the name that is fixed in their code. To be run by
# `with-upstox`, which leads that name to a simulator:
#
#     tests/streamers/with-upstox -- target/python/bin/python -m unittest discover tests/streamers

import hashlib
import json
import os
import queue
import time
import unittest
import urllib.error
import urllib.request
from datetime import datetime, timezone

import upstox_client

NIFTY = "NSE_INDEX|Nifty 50"
RELIANCE = "NSE_EQ|INE002A01018"
OPTION = "NSE_FO|45450"


def control(method, path, body=None):
    """What the simulator's switchboard answers."""
    request = urllib.request.Request(
        f"{os.environ['UPSTOX_SIMULATOR']}/_sim/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def new_token(app):
    return control("POST", f"apps/{app}/generate_token", {})["access_token"]


def connections():
    return control("GET", "feeds")["connections"]


def until(what, holds, within=20.0):
    deadline = time.monotonic() + within
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within} s")
        time.sleep(0.02)
    return found


def api_client(token):
    configuration = upstox_client.Configuration()
    configuration.access_token = token
    return upstox_client.ApiClient(configuration)


class Heard:
    """What a streamer says, in the order in which it comes."""

    def __init__(self, streamer):
        self.streamer = streamer
        self.events = queue.Queue()
        for event in ("open", "message", "error", "close", "reconnecting", "autoReconnectStopped"):
            streamer.on(event, lambda *what, event=event: self.events.put((event, what)))

    def next(self, wanted, which=lambda *_: True, within=20.0):
        """What the next event of this kind that is so brought with it; others before it are passed over."""
        deadline = time.monotonic() + within
        passed = []
        while True:
            try:
                event, what = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no such {wanted} within {within} s, but {passed}") from None
            if event == wanted and which(*what):
                return what[0] if what else None
            passed.append((event, what))

    def feeds(self, which):
        """The prices of the next frame that are so."""
        return self.next("message", lambda frame: which(frame.get("feeds", {})))["feeds"]


class Streamers(unittest.TestCase):
    def setUp(self):
        # Half past eleven in India, so that no token dies meanwhile.
        now = datetime.now(timezone.utc)
        self.move_clock(now.replace(hour=6, minute=0, second=0))
        control("PUT", "feeds/settings", {"interval_ms": 50, "market_data_limit": 5})
        control("POST", "counters/reset")
        self.addCleanup(control, "POST", "feeds/cut")

    def move_clock(self, to):
        seconds = (to - datetime.now(timezone.utc)).total_seconds()
        control("PUT", "clock", {"offset_seconds": int(seconds)})

    def connect(self, streamer):
        heard = Heard(streamer)
        streamer.connect()
        # Nothing that a test has opened connects again once it is over.
        self.addCleanup(streamer.auto_reconnect, False)
        return heard

    def market_data(self, token, instruments, mode="ltpc"):
        return self.connect(upstox_client.MarketDataStreamerV3(api_client(token), instruments, mode))

    def portfolio(self, token):
        return self.connect(upstox_client.PortfolioDataStreamer(api_client(token)))

    def test_ticks_of_what_is_subscribed(self):
        heard = self.market_data(new_token("PRIMARY"), [NIFTY])
        first = heard.next("message")
        self.assertEqual(first["type"], "market_info")
        self.assertEqual(first["marketInfo"]["segmentStatus"]["NSE_EQ"], "NORMAL_OPEN")

        snapshot = heard.next("message")
        # Protocol buffers leave the first value of an enumeration out.
        self.assertNotIn("type", snapshot)
        self.assertEqual(list(snapshot["feeds"]), [NIFTY])
        prices = {heard.feeds(lambda feeds: feeds)[NIFTY]["ltpc"]["ltp"] for _ in range(3)}
        self.assertEqual(len(prices), 3)

        heard.streamer.subscribe([RELIANCE], "full")
        feeds = heard.feeds(lambda feeds: len(feeds) == 2)
        market = feeds[RELIANCE]["fullFeed"]["marketFF"]
        self.assertEqual(len(market["marketLevel"]["bidAskQuote"]), 5)
        self.assertEqual(feeds[RELIANCE]["requestMode"], "full_d5")

        heard.streamer.subscribe([OPTION], "option_greeks")
        greeks = heard.feeds(lambda feeds: OPTION in feeds)[OPTION]["firstLevelWithGreeks"]
        self.assertIn("delta", greeks["optionGreeks"])

        heard.streamer.change_mode([NIFTY, RELIANCE], "full_d30")
        feeds = heard.feeds(lambda feeds: feeds.get(NIFTY, {}).get("requestMode") == "full_d30")
        self.assertIn("indexFF", feeds[NIFTY]["fullFeed"])
        self.assertEqual(len(feeds[RELIANCE]["fullFeed"]["marketFF"]["marketLevel"]["bidAskQuote"]), 30)

        heard.streamer.unsubscribe([RELIANCE, OPTION])
        heard.feeds(lambda feeds: list(feeds) == [NIFTY])
        (open_feed,) = connections()
        self.assertEqual(open_feed["subscriptions"], {NIFTY: "full_d30"})

    def test_an_order_update(self):
        heard = self.portfolio(new_token("PRIMARY"))
        heard.next("open")
        sent = control("POST", "feeds/order_updates", {"fields": {"tag": "strategy-a"}})
        self.assertEqual(sent["sent_to"], 1)
        update = json.loads(heard.next("message"))
        self.assertEqual((update["update_type"], update["tag"]), ("order", "strategy-a"))
        self.assertEqual(update, sent["update"])

    def test_a_connection_outlives_the_replacement_of_its_token_and_is_known_by_it(self):
        old = new_token("PRIMARY")
        heard = self.market_data(old, [NIFTY])
        heard.feeds(lambda feeds: NIFTY in feeds)
        before = connections()[0]["token"]
        self.assertTrue(before["newest"])
        new = new_token("PRIMARY")
        other = self.portfolio(new)
        other.next("open")

        ticks = connections()[0]["ticks_sent"]
        until("more ticks", lambda: connections()[0]["ticks_sent"] > ticks + 3)
        market_data, portfolio = connections()
        self.assertEqual((market_data["feed"], market_data["app"]), ("market_data", "PRIMARY"))
        self.assertEqual((portfolio["feed"], portfolio["app"]), ("portfolio", "PRIMARY"))
        for feed, token, newest in ((market_data, old, False), (portfolio, new, True)):
            self.assertEqual(feed["token"]["newest"], newest)
            self.assertEqual(feed["token"]["fingerprint"], hashlib.sha256(token.encode()).hexdigest()[:16])
        self.assertEqual(portfolio["token"]["number"], market_data["token"]["number"] + 1)

        refused = self.market_data(old, [NIFTY])
        refused.next("error", lambda error: "401 Unauthorized" in str(error))
        counters = control("GET", "counters")
        self.assertEqual((counters["feeds_opened"], counters["feeds_refused"]), (2, 1))

    def test_a_connection_ends_with_its_token(self):
        kills = {
            "revoked": lambda: control("POST", "apps/PRIMARY/revoke_token", {}),
            "03:30": lambda: self.move_clock(datetime.now(timezone.utc).replace(hour=22, minute=0, second=1)),
        }
        for how, kill in kills.items():
            with self.subTest(how):
                self.setUp()
                heard = self.market_data(new_token("PRIMARY"), [NIFTY])
                heard.feeds(lambda feeds: NIFTY in feeds)
                kill()
                heard.next("close")
                # The SDK tries again by itself, with the same token.
                heard.next("error", lambda error: "401 Unauthorized" in str(error))
                self.assertEqual(connections(), [])
                self.assertEqual(control("GET", "counters")["feeds_ended_by_token"], 1)

    def test_a_cut_connection_comes_back_with_what_was_subscribed(self):
        heard = self.market_data(new_token("PRIMARY"), [NIFTY, RELIANCE])
        heard.feeds(lambda feeds: len(feeds) == 2)
        (before,) = connections()
        self.assertEqual(control("POST", "feeds/cut"), {"cut": 1})
        heard.next("reconnecting")
        heard.feeds(lambda feeds: len(feeds) == 2)
        (after,) = connections()
        self.assertNotEqual(after["id"], before["id"])
        self.assertEqual(after["subscriptions"], before["subscriptions"])

    def test_calls_of_the_sdk_reach_the_simulator_by_the_same_name(self):
        client = api_client(new_token("PRIMARY"))
        self.assertEqual(client.configuration.host, "https://api.upstox.com")
        self.assertTrue(client.configuration.verify_ssl)
        profile = upstox_client.UserApi(client).get_profile("2.0")
        self.assertEqual(profile.data.user_id, "AB1234")
        with self.assertRaises(upstox_client.rest.ApiException) as refused:
            upstox_client.UserApi(api_client("another")).get_profile("2.0")
        self.assertEqual(refused.exception.status, 401)


if __name__ == "__main__":
    unittest.main()
