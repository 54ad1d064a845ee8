"""The promise: programs that call profile 50 times a second through a new token, a restart of the server and 03:30 have no failed
request while there is a token, and send no dead token twice."""

from __future__ import annotations

import unittest
from datetime import datetime

from tests.support.desk import Desk, until
from tests.support.trader import Trader
from tests.support.twins import AsyncTwin, ThreadTwin
from vega_client import IST, Answer


class TradingDay(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()
        self.addCleanup(self.desk.end)
        self.traders: list[Trader] = []

    def until_all(self, generation: int, more: int = 25) -> None:
        """Until each program traded so often with this generation."""
        for trader in self.traders:
            before = trader.good[generation]
            until(lambda: trader.good[generation] >= before + more)  # noqa: B023

    def until_none(self, before: list[int]) -> None:
        """Until no program has a token any more."""
        until(lambda: all(len(trader.without) > number for trader, number in zip(self.traders, before, strict=True)))

    def time(self) -> str:
        """The desk's time of day in India."""
        return datetime.fromtimestamp(self.desk.now(), IST).strftime("%H:%M:%S")

    def test_fifty_requests_a_second(self) -> None:
        desk = self.desk
        desk.start_server()
        desk.sign_in()
        key = desk.key_file("trader", "token:PRIMARY", "Authorization: Bearer {key}\r\n")
        twins = [
            ThreadTwin(socket=desk.socket, clock=desk.now),
            AsyncTwin(url=desk.url, key_file=key, consumer="async-trader", clock=desk.now),
        ]
        for twin in twins:
            self.addCleanup(twin.close)
            self.assertEqual(twin.current().generation, 1)
        seen = twins[0].watch()
        self.traders = [Trader(desk.upstox.base_url, twin) for twin in twins]
        for trader in self.traders:
            trader.start()
            self.addCleanup(trader.stop)
        self.until_all(1)

        # A new token: Upstox kills the old one while it makes the new one.
        desk.sign_in()
        self.until_all(2)
        for trader in self.traders:
            self.assertLessEqual(sum(trader.refused.values()), 1, "the old token was sent after it was refused")
            for generation, answer, seconds in trader.reports:
                self.assertEqual(generation, 1)
                self.assertIs(answer, Answer.NEWER)
                # The verdict on a token of the last minute takes 20 s.
                self.assertLess(seconds, 15, "the new token was there, and the program waited for the verdict on the old one")

        # A restart.
        without = [len(trader.without) for trader in self.traders]
        refused = [trader.refused.total() for trader in self.traders]
        desk.stop_server()
        self.until_all(2)
        desk.start_server()
        self.until_all(2)
        until(lambda: all(twin.memory.trouble is None for twin in twins))
        self.until_all(2)
        self.assertEqual([len(trader.without) for trader in self.traders], without)
        self.assertEqual([trader.refused.total() for trader in self.traders], refused)

        # 03:29: the server gives no token out any more in its last minute.
        desk.move_to("03:28:55")
        self.until_all(2, 3)
        self.until_none(without)
        self.assertLess(self.time(), "03:30:00")
        for trader in self.traders:
            until(lambda: "in its last minute" in trader.without[-1][1])  # noqa: B023
        until(lambda: seen[-1] is None)

        # The next day.
        desk.move_to("08:00:00")
        desk.sign_in()
        self.until_all(3)
        until(lambda: seen[-1] == 3)

        # 03:30 while the server is away: the programs know by themselves.
        desk.stop_server()
        without = [len(trader.without) for trader in self.traders]
        desk.move_to("03:29:55")
        self.until_all(3, 3)
        self.until_none(without)
        self.assertGreaterEqual(self.time(), "03:30:00")
        accepted = [trader.good[3] for trader in self.traders]
        for trader in self.traders:
            self.assertRegex(trader.without[-1][1], "cannot be reached.*died at .* 03:30 IST")
        until(lambda: seen[-1] is None)
        desk.move_to("08:00:00")
        desk.start_server()
        desk.sign_in()
        self.until_all(4)

        for trader, number in zip(self.traders, accepted, strict=True):
            trader.stop()
            self.assertEqual(trader.good[3], number, "nothing was sent with the dead token")
            self.assertEqual(trader.trouble, [])
            self.assertLessEqual(max(trader.refused.values(), default=0), 1, "a dead token was sent twice")
            self.assertLess(trader.slowest, 4, "it waited for the server, which is given up after 5 s")
        self.assertEqual([generation for generation in seen if generation is not None], [1, 2, 3, 4])
