"""Upstox's own SDK, unpatched, with a source: requests, and both streamers over a feed of the test's own."""

from __future__ import annotations

import http.server
import json
import logging
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any

import vega_client
from tests.support.certificate import make_certificate
from tests.support.desk import until
from tests.support.fake_vega import FakeVega, problem
from tests.support.feed import Feed
from vega_client import NoToken

try:
    import upstox_client

    from vega_client.upstox import Configuration, MarketDataStreamerV3, PortfolioDataStreamer
except ImportError:
    raise unittest.SkipTest("upstox_client is missing: run these with target/python/bin/python") from None

NIFTY, BANK, GOLD = "NSE_INDEX|Nifty 50", "NSE_INDEX|Nifty Bank", "MCX_FO|1"


class WithSdk(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.vega = FakeVega(str(self.folder / "s"))
        self.addCleanup(self.vega.stop)
        self.vega.serve(1)
        self.tokens = self.source()
        logging.getLogger("websocket").setLevel(logging.CRITICAL)

    def source(self) -> vega_client.TokenSource:
        source = vega_client.Server(socket=self.folder / "s", chance=lambda: 0.02).tokens("PRIMARY")
        self.addCleanup(source.close)
        return source

    def generation_is(self, generation: int) -> None:
        self.vega.serve(generation)
        until(lambda: self.tokens.current().generation == generation)


class Requests(WithSdk):
    def setUp(self) -> None:
        super().setUp()
        self.seen: list[str] = []
        seen = self.seen

        class Upstox(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers["Authorization"])
                body = json.dumps({"status": "success", "data": {"user_id": "AB1234"}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstox)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.host = f"http://127.0.0.1:{server.server_port}"

    def api(self, tokens: vega_client.TokenSource) -> Any:
        configuration = Configuration(tokens)
        configuration.host = self.host
        return upstox_client.UserApi(upstox_client.ApiClient(configuration))

    def test_each_request_has_the_newest_token(self) -> None:
        api = self.api(self.tokens)
        for generation in (1, 2, 3):
            self.generation_is(generation)
            self.assertEqual(api.get_profile("2.0").data.user_id, "AB1234")
        self.assertEqual(self.seen, ["Bearer token-1", "Bearer token-2", "Bearer token-3"])

    def test_without_a_token_nothing_is_sent(self) -> None:
        api = self.api(self.tokens)
        self.tokens.current()
        self.vega.withdraw(problem(409, "human_needed", "Sign in."))
        until(lambda: getattr(self.tokens._follower.memory.reason, "code", "") == "human_needed")
        with self.assertRaises(NoToken):
            api.get_profile("2.0")
        self.assertEqual(self.seen, [])

    def test_two_sources_are_two_configurations(self) -> None:
        other_vega = FakeVega(str(self.folder / "other"))
        self.addCleanup(other_vega.stop)
        other_vega.serve(1, "other-token")
        other = vega_client.Server(socket=self.folder / "other").tokens("PRIMARY")
        self.addCleanup(other.close)
        first, second = Configuration(self.tokens), Configuration(other)
        self.assertEqual((first.access_token, second.access_token), ("token-1", "other-token"))
        self.assertEqual((first.sandbox, Configuration(other, sandbox=True).sandbox), (False, True))
        self.assertIs(first.tokens, self.tokens)
        plain = upstox_client.Configuration()
        self.assertEqual(plain.access_token, "", "the SDK's own is as it was")
        with self.assertRaises(AttributeError):
            first.access_token = "x"
        handlers = len(logging.getLogger("upstox_client").handlers)
        for _ in range(5):
            Configuration(self.tokens)
        self.assertEqual(len(logging.getLogger("upstox_client").handlers), handlers)


class Slow:
    """A source whose `current` takes its time, as on a busy machine."""

    def __init__(self, tokens: vega_client.TokenSource) -> None:
        self._tokens = tokens

    def current(self) -> vega_client.Token:
        time.sleep(0.2)
        return self._tokens.current()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokens, name)


class Streamers(WithSdk):
    def setUp(self) -> None:
        super().setUp()
        self.feed = Feed(make_certificate(self.folder, "feed"))
        self.addCleanup(self.feed.close)
        self.feed.environment.start()
        self.addCleanup(self.feed.environment.stop)
        self.feed.good |= {f"token-{generation}" for generation in range(1, 10)}
        self.events: list[tuple[str, Any]] = []

    def market(self, **arguments: Any) -> Any:
        return self.listened(MarketDataStreamerV3(self.tokens, **arguments))

    def listened(self, streamer: Any) -> Any:
        for name in streamer.Event.values():
            streamer.on(name, lambda *told, name=name: self.events.append((name, told[0] if told else None)))
        # The SDK's thread of the connection looks up only 10 s later.
        self.addCleanup(streamer.disconnect)
        return streamer

    def heard(self, name: str) -> list[Any]:
        return [told for event, told in self.events if event == name]

    def subscriptions(self, connection: Any, count: int) -> dict[str, set[str]]:
        """What a connection subscribed to, by mode, after so many requests."""
        until(lambda: len(connection.said) >= count, 10)
        found: dict[str, set[str]] = {}
        for said in connection.said:
            self.assertEqual(said["method"], "sub")
            found.setdefault(said["data"]["mode"], set()).update(said["data"]["instrumentKeys"])
        return found

    def test_a_new_token_gets_a_connection_with_everything_replayed(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY], mode="full")
        streamer.subscribe([GOLD], "ltpc")  # before there is a connection
        streamer.connect()
        first = self.feed.newest(1)
        self.assertEqual((first.token, first.path), ("token-1", "/v3/feed/market-data-feed"))
        until(lambda: self.heard("open"))
        streamer.subscribe([BANK], "option_greeks")
        self.assertEqual(self.subscriptions(first, 3), {"full": {NIFTY}, "ltpc": {GOLD}, "option_greeks": {BANK}})
        streamer.unsubscribe([GOLD])
        streamer.change_mode([BANK], "full")
        until(lambda: len(first.said) == 5)

        self.generation_is(2)
        second = self.feed.newest(2)
        self.assertEqual(second.token, "token-2")
        self.assertEqual(self.subscriptions(second, 1), {"full": {NIFTY, BANK}})
        until(lambda: first.closed)
        until(lambda: len(self.heard("open")) == 2)
        self.assertEqual(self.heard("reconnecting"), ["Token of generation 2"])
        self.assertEqual(self.heard("close") + self.heard("error"), [], "the program is not told of the old connection")
        second.send(tick(NIFTY))
        until(lambda: self.heard("message"))
        self.assertIn(NIFTY, self.heard("message")[0]["feeds"])
        self.assertEqual(len(self.feed.connections), 2)

    def test_what_a_replaced_connection_says_does_not_count(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.connect()
        first = self.feed.newest(1)
        until(lambda: self.heard("open"))
        old = streamer.feeder.ws
        self.generation_is(2)
        until(lambda: first.closed and len(self.heard("open")) == 2)
        told = list(self.events)
        streamer.handle_error(old, "Handshake status 401 Unauthorized")
        streamer.handle_message(old, tick(NIFTY))
        streamer.handle_close(old, 1006, "")
        streamer.handle_open(old)
        time.sleep(0.2)
        self.assertEqual(self.events, told)
        self.assertEqual((self.vega.count("rejections"), len(self.feed.connections)), (0, 2))

    def test_the_portfolio_feed_too(self) -> None:
        streamer = self.listened(PortfolioDataStreamer(self.tokens, position_update=True))
        streamer.connect()
        first = self.feed.newest(1)
        self.assertEqual(first.path, "/v2/feed/portfolio-stream-feed?update_types=order%2Cposition")
        until(lambda: self.heard("open"))
        self.generation_is(2)
        second = self.feed.newest(2)
        self.assertEqual((second.token, second.path), ("token-2", first.path))
        until(lambda: first.closed and len(self.heard("open")) == 2)
        second.send(b'{"order": 1}', 1)
        until(lambda: self.heard("message") == ['{"order": 1}'])

    def test_a_broken_connection_is_the_sdks_to_mend(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.auto_reconnect(True, 0.05, 5)
        streamer.connect()
        self.feed.newest(1)
        until(lambda: self.heard("open"))
        self.feed.connections[0].cut()
        second = self.feed.newest(2)
        self.assertEqual((second.token, self.subscriptions(second, 1)), ("token-1", {"ltpc": {NIFTY}}))
        until(lambda: len(self.heard("open")) == 2)
        self.generation_is(2)
        self.assertEqual(self.feed.newest(3).token, "token-2")
        until(lambda: second.closed)

    def test_without_a_token_it_waits_for_one(self) -> None:
        self.vega.withdraw(problem(409, "human_needed", "Sign in."))
        until(lambda: getattr(self.tokens._follower.memory.reason, "code", "") == "human_needed")
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.connect()
        self.assertEqual([error.code for error in self.heard("error")], ["human_needed"])
        self.vega.serve(2)
        self.assertEqual(self.feed.newest(1).token, "token-2")
        self.assertEqual(self.feed.refused, [])

    def test_a_lost_token_leaves_the_connection_and_the_same_one_makes_no_other(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.connect()
        first = self.feed.newest(1)
        self.vega.withdraw(problem(503, "token_unknown", "Wait."))
        until(lambda: self.tokens._follower.memory.token is None)
        self.vega.serve(1)
        until(lambda: self.tokens._follower.memory.token)
        time.sleep(0.2)
        self.assertEqual((len(self.feed.connections), first.closed), (1, False))

    def test_a_token_that_the_feed_refuses_is_reported_and_never_sent_again(self) -> None:
        self.feed.good.discard("token-1")
        self.vega.verdict = {"answer": "dead"}
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.auto_reconnect(True, 0.05, 5)
        streamer.connect()
        until(lambda: self.vega.count("rejections") == 1)
        time.sleep(0.3)
        self.assertEqual(self.feed.refused, ["token-1"])
        self.vega.serve(2)
        self.assertEqual(self.feed.newest(1).token, "token-2")

    def test_a_token_that_is_alive_is_tried_again_some_times(self) -> None:
        self.feed.good.discard("token-1")
        self.vega.verdict = {"answer": "alive"}
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.auto_reconnect(True, 0.02, 3)
        streamer.connect()
        until(lambda: len(self.feed.refused) == 4)
        time.sleep(0.3)
        self.assertEqual(len(self.feed.refused), 4)
        self.generation_is(2)
        self.assertEqual(self.feed.newest(1).token, "token-2")

    def test_the_first_generation_makes_one_connection(self) -> None:
        streamer = self.listened(MarketDataStreamerV3(Slow(self.tokens)))  # type: ignore[arg-type]
        streamer.connect()
        self.feed.newest(1)
        time.sleep(0.6)
        self.assertEqual(len(self.feed.connections), 1)

    def test_after_disconnect_nothing_connects(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.connect()
        first = self.feed.newest(1)
        until(lambda: self.heard("open"))
        streamer.disconnect()
        until(lambda: first.closed)
        self.generation_is(2)
        time.sleep(0.2)
        self.assertEqual(len(self.feed.connections), 1)
        self.assertFalse([t for t in threading.enumerate() if t.name == "vega-client-streamer"])
        streamer.connect()
        self.assertEqual(self.feed.newest(2).token, "token-2")

    def test_a_disconnect_before_the_connection_stands_is_not_forgotten(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.connect()
        streamer.disconnect()
        until(lambda: self.feed.newest(1).closed)
        self.assertEqual(self.heard("open"), [])

    def test_a_connection_that_is_replaced_before_it_stands_is_closed(self) -> None:
        streamer = self.market(instrumentKeys=[NIFTY])
        streamer.connect()
        self.generation_is(2)
        until(lambda: any(connection.token == "token-2" for connection in self.feed.connections))
        until(lambda: all(connection.closed for connection in self.feed.connections if connection.token == "token-1"))
        until(lambda: self.heard("open"))


def tick(instrument: str) -> bytes:
    """A message of the market feed."""
    from upstox_client.feeder.proto import MarketDataFeedV3_pb2 as feed

    response = feed.FeedResponse()
    response.feeds[instrument].ltpc.ltp = 100.5
    return bytes(response.SerializeToString())
