"""Both twins and reports of a token that Upstox refuses: what each answer does to the token in memory."""

from __future__ import annotations

import socket
import threading
import time
import unittest
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

from tests.support.desk import until
from tests.support.fake_vega import answer, problem, says
from tests.support.scripted_server import ScriptedServer
from tests.support.twins import AsyncTwin, ThreadTwin
from vega_client import (
    Answer,
    BadAnswer,
    NoToken,
)

SOON = timedelta(seconds=0.3)


class Cases(ScriptedServer):
    """The cases; each twin runs all of them."""

    def test_a_dead_generation_is_given_to_nobody_even_if_the_server_serves_it(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.verdict = {"answer": "dead"}
        self.assertIs(twin.report_rejected(1), Answer.DEAD)
        self.assertEqual(self.goes(twin, NoToken).code, "dead")
        self.vega.tell()
        until(lambda: self.vega.count("token") >= 2)
        time.sleep(0.1)
        self.goes(twin, NoToken)
        reports = self.vega.count("rejections")
        self.assertIs(twin.report_rejected(1), Answer.DEAD)
        self.assertEqual(self.vega.count("rejections"), reports, "that is known")
        self.vega.serve(2)
        self.comes(twin, 2)
        self.assertIs(twin.report_rejected(1), Answer.NEWER)

    def test_newer_is_there_when_the_call_returns(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.wait_for_stream()
        self.vega.token = (2, "token-2")  # nobody is told
        self.vega.verdict = {"answer": "newer", "newest_generation": 2}
        self.assertIs(twin.report_rejected(1), Answer.NEWER)
        self.assertEqual(twin.current().value, "token-2")

    def test_newer_without_a_newer_token_is_no_answer(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.verdict = {"answer": "newer", "newest_generation": 2}
        module = "vega_client.source" if self.Twin is ThreadTwin else "vega_client.aio.source"
        with mock.patch(f"{module}.NEWER_WITHIN", 0):
            with self.assertRaises(BadAnswer):
                twin.report_rejected(1)
            self.vega.token, self.vega.problem = None, problem(409, "human_needed", "Sign in.")
            with self.assertRaisesRegex(NoToken, "Sign in."):
                twin.report_rejected(1)

    def test_a_newer_token_that_the_server_gives_only_later_is_waited_for(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.wait_for_stream()
        self.vega.verdict = {"answer": "newer", "newest_generation": 2}

        def publish() -> None:
            self.vega.token = (2, "token-2")  # nobody is told

        threading.Timer(0.3, publish).start()
        self.assertIs(twin.report_rejected(1), Answer.NEWER)
        self.assertEqual(twin.current().value, "token-2")

    def test_a_newer_token_that_the_follower_has_first_is_not_waited_for_again(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.wait_for_stream()
        self.vega.verdict = {"answer": "newer", "newest_generation": 2}

        def overtaken(connection: socket.socket) -> None:
            self.vega.serve(2)
            until(lambda: twin.memory.generation() == 2, 10)
            connection.sendall(self.vega._answer("token", {}))

        self.vega.faults["token"].append(overtaken)
        begun = time.monotonic()
        self.assertIs(twin.report_rejected(1), Answer.NEWER)
        self.assertLess(time.monotonic() - begun, 4)

    def test_a_newer_token_ends_the_wait_for_a_verdict(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.wait_for_stream()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        self.vega.faults["rejections"].append(lambda _: go_on.wait(30))
        threading.Timer(0.3, self.vega.serve, (2,)).start()
        begun = time.monotonic()
        self.assertIs(twin.report_rejected(1), Answer.NEWER)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(twin.current().generation, 2)

    def test_other_answers_take_nothing_away(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        for word in ("alive", "unknown"):
            self.vega.verdict = {"answer": word, "failure": {"reason": "static_ip", "words": "another address"}}
            self.assertIs(twin.report_rejected(1), Answer(word))
            self.assertEqual(twin.current().generation, 1)
        self.assertEqual(self.vega.requests[-1][2]["_body"], '{"generation": 1}')
        self.vega.verdict = {"answer": "whatever"}
        with self.assertRaises(BadAnswer):
            twin.report_rejected(1)
        with self.assertRaises(ValueError):
            twin.report_rejected(0)
        self.vega.faults["rejections"].append(says(answer(404, {"code": "unknown_api", "detail": "No such API."})))
        with self.assertRaisesRegex(NoToken, "No such API"):
            twin.report_rejected(1)

    def test_an_answer_that_was_overtaken_does_not_count(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.wait_for_stream()
        go_on = threading.Event()

        def slow(connection: socket.socket) -> None:
            go_on.wait(10)
            connection.sendall(answer(200, {"v": 1, "access_token": "a", "generation": 2, "valid_until_unix": 4_000_000_000}))

        self.vega.faults["token"].append(slow)
        self.vega.tell()
        until(lambda: not self.vega.faults["token"])
        self.vega.verdict = {"answer": "dead"}
        self.assertIs(twin.report_rejected(1), Answer.DEAD)
        self.vega.token, self.vega.problem = None, problem(409, "human_needed", "Sign in.")
        go_on.set()
        until(lambda: (found := self.goes(twin, NoToken)).code == "human_needed" and found)


class WithThreads(Cases, unittest.TestCase):
    Twin = ThreadTwin


class WithAsyncio(Cases, unittest.TestCase):
    Twin = AsyncTwin


def load_tests(loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: Any) -> Iterator[Any] | unittest.TestSuite:
    """Only the twins, not the cases by themselves."""
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (WithThreads, WithAsyncio))
