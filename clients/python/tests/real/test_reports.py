"""Reports of refused tokens, the words when there is no token, and keys that may not: at a real server."""

from __future__ import annotations

import importlib.util
import io
import logging
import subprocess
import sys
import threading
import time
import unittest
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.desk import Desk, until
from tests.support.twins import AsyncTwin, ThreadTwin
from vega_client import Answer, BadSetup, DiesTooSoon, NotAllowed, NoToken, VegaError

FOLDER = Path(__file__).resolve().parents[2]


class AtADesk(unittest.TestCase):
    """One desk for all: each test brings the token that it needs."""

    desk: Desk

    @classmethod
    def setUpClass(cls) -> None:
        cls.desk = Desk(apps=2)
        cls.addClassCleanup(cls.desk.end)
        cls.desk.start_server()

    def both(self, **arguments: Any) -> list[Any]:
        """Both twins at this desk."""
        if "url" not in arguments:
            arguments["socket"] = self.desk.socket
        twins = [kind(clock=self.desk.now, **arguments) for kind in (ThreadTwin, AsyncTwin)]
        for twin in twins:
            self.addCleanup(twin.close)
        return twins

    def test_reports_and_secrets(self) -> None:
        desk = self.desk
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        logger = logging.getLogger()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        twins = self.both()
        shown: list[str] = []
        for twin in twins:
            with self.assertRaises(NoToken) as caught:
                twin.current()
            self.assertEqual(caught.exception.code, "human_needed")
            self.assertRegex(caught.exception.words, "PRIMARY.*[Rr]un `vega PRIMARY`")
            shown.append(repr(caught.exception))

        desk.sign_in()
        for twin in twins:
            token = until(lambda: token_of(twin))  # noqa: B023
            self.assertIs(twin.report_rejected(token.generation), Answer.ALIVE)
            self.assertEqual(twin.current(), token)
            self.assertEqual(token.valid_until.strftime("%H:%M %z"), "03:30 +0530")
            with self.assertRaises(DiesTooSoon):
                twin.current(min_valid=timedelta(days=2))
            with self.assertRaises(VegaError) as never:
                twin.report_rejected(token.generation + 5)
            shown += [repr(token), repr(twin.source), repr(never.exception)]

        desk.sign_in()
        for twin in twins:
            self.assertIs(twin.report_rejected(1), Answer.NEWER)
            self.assertEqual(twin.current().generation, 2)

        # Past the minute in which one refusal proves nothing, and past the five seconds in which one question serves all.
        desk.move_clocks(desk.offset + 120)
        desk.upstox.revoke()
        self.assertIs(twins[0].report_rejected(2), Answer.DEAD)
        for twin in twins:
            until(lambda: token_of(twin) is None)  # noqa: B023
            with self.assertRaises(NoToken) as dead:
                twin.current()
            shown.append(repr(dead.exception))
            self.assertIn(twin.report_rejected(2), (Answer.DEAD,))

        desk.sign_in()
        for twin in twins:
            until(lambda: (token := token_of(twin)) and token.generation == 3)  # noqa: B023
        everything = "\n".join(shown) + log.getvalue()
        secrets = desk.upstox.access_tokens()
        self.assertGreaterEqual(len(secrets), 3)
        self.assertFalse([secret for secret in secrets if secret in everything])

    def test_keys(self) -> None:
        desk = self.desk
        desk.sign_in("WEBSOCKET1")
        good = desk.key_file("good", "token:WEBSOCKET1,status")
        narrow = desk.key_file("narrow", "token:PRIMARY")
        for twin in self.both(api="WEBSOCKET1", url=desk.url, key_file=narrow):
            with self.assertRaises(NotAllowed) as caught:
                twin.current()
            self.assertEqual(caught.exception.code, "not_allowed")
            self.assertIn("lacks the scope", caught.exception.words)
            with self.assertRaises(NotAllowed):
                twin.report_rejected(1)
        for twin in self.both(api="NO_SUCH_API"):
            with self.assertRaises(NoToken) as unknown:
                twin.current()
            self.assertEqual(unknown.exception.code, "unknown_api")
            self.assertIn("WEBSOCKET1", unknown.exception.words)
        twins = self.both(api="websocket1", url=desk.url, key_file=good, consumer="strategy-a")
        for twin in twins:
            self.assertEqual(twin.current().generation, 1)
        seen = twins[0].watch()
        until(lambda: seen == [1])
        self.assertEqual(desk.vega("key", "revoke", "good").returncode, 0)
        begun = time.monotonic()
        for twin in twins:
            error = until(lambda: refusal_of(twin))  # noqa: B023
            self.assertEqual(error.code, "not_signed_in")
        self.assertLess(time.monotonic() - begun, 20)
        until(lambda: seen == [1, None])


class AnalyticsToken(unittest.TestCase):
    def test_who_only_reads_goes_on_over_the_night(self) -> None:
        desk = Desk()
        self.addCleanup(desk.end)
        desk.start_server()
        desk.sign_in()
        made = desk.adopt_analytics()
        reads = desk.key_file("charts", "read:PRIMARY")
        trades = desk.key_file("trader", "token:PRIMARY")
        for kind in (ThreadTwin, AsyncTwin):
            twin = kind(url=desk.url, key_file=reads, kind="read", clock=desk.now)
            self.addCleanup(twin.close)
            token = until(lambda: token_of(twin))  # noqa: B023
            self.assertEqual((token.generation, token.value), (1, made))
            self.assertIs(twin.report_rejected(1), Answer.ALIVE)
            self.assertEqual(twin.current(min_valid=timedelta(hours=24)).generation, 1)
            trader = kind(url=desk.url, key_file=trades, kind="read", clock=desk.now)
            self.addCleanup(trader.close)
            with self.assertRaises(NotAllowed) as caught:
                trader.current()
            self.assertIn("read:PRIMARY", caught.exception.words)
        with self.assertRaises(BadSetup):
            ThreadTwin(url=desk.url, key_file=reads, kind="order")  # type: ignore[arg-type]


class OverTls(unittest.TestCase):
    def test_tokens_and_the_examples(self) -> None:
        desk = Desk(tls=True)
        self.addCleanup(desk.end)
        desk.start_server()
        desk.sign_in()
        key = desk.key_file("trader", "token:PRIMARY")
        for kind in (ThreadTwin, AsyncTwin):
            twin = kind(url=desk.url, key_file=key, ca=desk.certificate)
            self.addCleanup(twin.close)
            self.assertEqual(twin.current().generation, 1)
            self.assertIs(twin.report_rejected(1), Answer.ALIVE)
        # The feed of the SDK's example leads nowhere here.
        environment = {
            **desk.environment(),
            "PYTHONPATH": str(FOLDER),
            "PYTHONUNBUFFERED": "1",
            "https_proxy": "http://127.0.0.1:9",
        }
        examples = {"trading_loop.py": "generation 1: 200", "trading_loop_async.py": "trading with generation 1"}
        if importlib.util.find_spec("upstox_client") is not None:
            examples["upstox_sdk.py"] = "generation 1: AB1234"
        for name, wanted in examples.items():
            with self.subTest(name):
                words = [sys.executable, str(FOLDER / "examples" / name), "PRIMARY", desk.upstox.base_url]
                program = subprocess.Popen(words, env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True)
                assert program.stdout is not None
                watchdog = threading.Timer(30, program.kill)
                watchdog.start()
                seen = []
                for line in program.stdout:
                    seen.append(line.strip())
                    if seen[-1] == wanted:
                        break
                watchdog.cancel()
                program.kill()
                program.communicate(timeout=20)
                self.assertIn(wanted, seen)


def token_of(twin: Any) -> Any:
    """The token, or nothing."""
    try:
        return twin.current()
    except VegaError:
        return None


def refusal_of(twin: Any) -> Any:
    """The refusal, or nothing."""
    try:
        twin.current()
    except NotAllowed as error:
        return error
    return None
