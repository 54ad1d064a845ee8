"""Both twins against a server that a test scripts: changes, restarts, and all that a server or the network can do wrong."""

from __future__ import annotations

import os
import ssl
import threading
import time
import unittest
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

from tests.support.certificate import make_certificate
from tests.support.desk import until
from tests.support.fake_vega import STREAM, FakeVega, answer, chunk, problem, says
from tests.support.scripted_server import ScriptedServer
from tests.support.twins import AsyncTwin, ThreadTwin
from vega_client import (
    Closed,
    DiesTooSoon,
    NotAllowed,
    NoToken,
    NotYet,
    Unreachable,
)

SOON = timedelta(seconds=0.3)


class Cases(ScriptedServer):
    """The cases; each twin runs all of them."""

    def test_the_newest_token_is_given_and_told(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin(consumer="strategy-a")
        seen = twin.watch()
        until(lambda: seen == [1])
        self.assertEqual(twin.current().value, "token-1")
        for generation in (2, 3):
            self.vega.serve(generation)
            self.assertEqual(self.comes(twin, generation).value, f"token-{generation}")
            until(lambda: seen == list(range(1, generation + 1)))  # noqa: B023
        for _, _, headers in self.vega.requests:
            self.assertEqual((headers["host"], headers["x-vega-consumer"]), ("localhost", "strategy-a"))
            self.assertNotIn("authorization", headers)
        self.assertEqual(self.vega.requests[-1][2]["if-none-match"][:3], '"2-')

    def test_what_is_in_memory_is_given_without_the_network(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.stop()
        begun = time.monotonic()
        for _ in range(200):
            self.assertEqual(twin.current().generation, 1)
        self.assertLess(time.monotonic() - begun, 1)

    def test_no_token_comes_with_the_servers_words(self: Any) -> None:
        self.vega.problem = problem(429, "cooling_down", "Wait until 09:20.", retry_at_unix=1796076000)
        twin = self.twin()
        with self.assertRaises(NoToken) as caught:
            twin.current()
        error = caught.exception
        self.assertEqual((error.code, error.words, str(error)), ("cooling_down", "Wait until 09:20.", "Wait until 09:20."))
        self.assertEqual(error.retry_at.isoformat(), "2026-12-01T03:30:00+05:30")
        self.vega.serve(1)
        self.comes(twin, 1)

    def test_a_token_that_is_withdrawn_is_gone_and_comes_back(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        seen = twin.watch()
        until(lambda: seen == [1])
        self.vega.withdraw(problem(409, "human_needed", "Sign in."))
        error = until(lambda: (found := self.goes(twin, NoToken)).code == "human_needed" and found)
        self.assertEqual(error.words, "Sign in.")
        until(lambda: seen == [1, None])
        self.vega.serve(1)
        self.comes(twin, 1)
        until(lambda: seen == [1, None, 1])

    def test_a_withdrawn_token_is_gone_before_the_reason_is_known(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        twin.current()
        self.vega.wait_for_stream()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        self.vega.faults["token"].append(lambda _: go_on.wait(30))
        self.vega.withdraw(problem(409, "human_needed", "Sign in."))
        self.assertEqual(self.goes(twin, NoToken).code, "withdrawn")

    def test_why_there_is_no_token_is_asked_for_anew_with_the_heartbeats(self: Any) -> None:
        now = [1_000_000.0]
        twin = self.twin(clock=lambda: now[0])
        self.goes(twin, NoToken)
        self.vega.wait_for_stream()
        self.vega.problem = problem(429, "cooling_down", "Wait.")
        for passed, code in [(30, "human_needed"), (30, "cooling_down")]:
            now[0] += passed
            before = self.vega.count("token")
            self.vega.beat()
            if code == "cooling_down":
                until(lambda: self.vega.count("token") > before)  # noqa: B023
                until(lambda: self.goes(twin, NoToken).code == "cooling_down")
            else:
                time.sleep(0.1)
                self.assertEqual(self.vega.count("token"), before)

    def test_it_lives_through_a_restart(self: Any) -> None:
        for cut in (True, False):
            with self.subTest(cut=cut):
                self.vega.serve(1)
                twin = self.twin()
                seen = twin.watch()
                until(lambda: seen == [1])  # noqa: B023
                self.vega.wait_for_stream()
                self.vega.end_streams(cut)
                self.vega.stop()
                time.sleep(0.05)
                self.assertEqual(twin.current().generation, 1)
                self.vega.token = (2, "token-2")
                self.vega.start()
                self.comes(twin, 2)
                until(lambda: seen == [1, 2])  # noqa: B023
                twin.close()

    def test_after_a_stream_that_ended_it_waits_a_random_time(self: Any) -> None:
        self.vega.serve(1)
        chances: list[float] = []

        def chance() -> float:
            chances.append(0.01)
            return 0.01

        twin = self.twin(chance=chance)
        twin.current()
        self.vega.wait_for_stream()
        self.assertEqual(len(chances), 0)
        self.vega.end_streams(cut=False)
        until(lambda: self.vega.count("events") == 2)
        self.assertEqual(len(chances), 1)

    def test_what_goes_wrong_on_the_way_is_tried_again(self: Any) -> None:
        bad_events = {
            "closed": says(b""),
            "half a head": says(b"HTTP/1.1 200 OK\r\nContent-"),
            "no HTTP": says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            "garbage": says(os.urandom(5000)),
            "a page": says(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"),
            "200, but no stream": says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
            "a redirect": says(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
            "starting": says(answer(503, {"code": "starting", "detail": "Wait."})),
            "an empty stream": says(STREAM + b"0\r\n\r\n"),
            "a cut event": says(STREAM + chunk(b"event: token\ndata: {")),
            "a cut chunk": says(STREAM + b"ff\r\nevent"),
            "a bad chunk": says(STREAM + b"xyz\r\nevent"),
            "an event that is no JSON": says(STREAM + chunk(b"event: token\ndata: {\n\n")),
            "an endless event": says(STREAM + chunk(b"data: " + b"x" * 70_000)),
            "old": says(answer(404, {"code": "not_found", "detail": "There is no such thing"})),
        }
        for name, fault in bad_events.items():
            with self.subTest(name):
                self.vega.serve(1)
                self.vega.faults["events"].extend([fault, fault])
                twin = self.twin()
                self.assertEqual(twin.current().generation, 1)
                twin.close()

    def test_a_token_that_comes_broken_is_asked_for_again_and_the_old_one_lives(self: Any) -> None:
        whole = answer(200, {"v": 1, "access_token": "canary-token", "generation": 2, "valid_until_unix": 4_000_000_000})
        bad = {
            "half": whole[: len(whole) // 2 + 30],
            "short": whole[:-2],
            "nothing": b"",
            "a page": b"HTTP/1.1 401 Go Away\r\nContent-Length: 6\r\n\r\n<html>",
            "starting": answer(503, {"code": "starting", "detail": "Wait."}),
            "not known": answer(503, {"code": "token_unknown", "detail": "Wait."}, more="Retry-After: 0\r\n"),
            "unasked 304": answer(304, None),
            "huge": b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
        }
        for name, text in bad.items():
            with self.subTest(name):
                self.vega.serve(1)
                twin = self.twin()
                if name == "unasked 304":
                    twin.close()
                    self.vega.faults["token"].append(says(text))
                    twin = self.twin()
                else:
                    twin.current()
                    self.vega.wait_for_stream()
                    self.vega.faults["token"].extend([says(text)] * 2)
                    self.vega.serve(2)
                    self.assertIn(twin.current().generation, (1, 2), "the old one is given until the new one is there")
                    self.comes(twin, 2)
                    self.vega.serve(3)
                self.comes(twin, 1 if name == "unasked 304" else 3)
                twin.close()
                self.vega.faults["token"].clear()

    def test_a_server_that_is_asked_too_early_is_asked_when_it_says(self: Any) -> None:
        self.vega.serve(1)
        starting = answer(503, {"code": "starting", "detail": "The server is being started."}, more="Retry-After: 1\r\n")
        self.vega.faults["events"].append(says(starting))
        begun = time.monotonic()
        twin = self.twin()
        twin.current()
        self.assertGreater(time.monotonic() - begun, 0.9)
        self.vega.faults["events"].extend([says(starting)] * 3)
        impatient = self.twin()
        with self.assertRaises(NotYet) as caught:
            impatient.current(timeout=SOON)
        self.assertEqual(caught.exception.words, "The server is being started.")

    def test_a_server_that_is_not_there_is_named_with_the_cause(self: Any) -> None:
        self.vega.stop()
        twin = self.twin()
        seen = twin.watch()
        begun = time.monotonic()
        with self.assertRaisesRegex(Unreachable, f"{self.folder}/s.*no such socket.*Start") as caught:
            twin.current(timeout=SOON)
        self.assertLess(time.monotonic() - begun, 2)
        self.assertIsNone(caught.exception.__cause__ or caught.exception.__context__)
        until(lambda: seen == [None])
        self.vega.token = (1, "x")
        self.vega.start()
        self.comes(twin, 1)

    def test_the_first_answer_is_waited_for(self: Any) -> None:
        self.vega.stop()
        twin = self.twin()
        self.vega.token = (1, "x")
        threading.Timer(0.3, self.vega.start).start()
        self.assertEqual(twin.current().generation, 1)

    def test_a_silent_server_is_left(self: Any) -> None:
        self.vega.serve(1)
        module = "vega_client.wire" if self.Twin is ThreadTwin else "vega_client.aio.wire"
        with mock.patch(f"{module}.SILENT_STREAM", 0.2):
            twin = self.twin()
            twin.current()
            until(lambda: self.vega.count("events") == 3, 5)
            self.assertEqual(twin.current().generation, 1)
        silent = threading.Event()
        self.vega.faults["events"].append(lambda connection: silent.wait(5))  # type: ignore[arg-type, return-value]
        with mock.patch(f"{module}.ANSWER_WITHIN", 0.2):
            other = self.twin()
            self.assertEqual(other.current().generation, 1)
        silent.set()

    def test_a_key_that_is_revoked_takes_the_token_away(self: Any) -> None:
        self.vega.serve(1)
        for status, code in [(401, "not_signed_in"), (403, "not_allowed")]:
            with self.subTest(code):
                twin = self.twin()
                seen = twin.watch()
                until(lambda: seen == [1])  # noqa: B023
                refusal = says(answer(status, {"code": code, "detail": "The key is revoked."}))
                self.vega.faults["events"].extend([refusal] * 1000)
                self.vega.end_streams()
                error = self.goes(twin, NotAllowed)
                self.assertEqual((error.code, error.words), (code, "The key is revoked."))
                until(lambda: seen == [1, None])  # noqa: B023
                # Allowed again.
                self.vega.faults["events"].clear()
                self.comes(twin, 1)
                twin.close()

    def test_a_token_dies_by_the_clock_also_while_the_server_is_away(self: Any) -> None:
        now = [1_000_000.0]
        self.vega.serve(1, until=1_003_600)
        twin = self.twin(clock=lambda: now[0])
        seen = twin.watch()
        until(lambda: seen == [1])
        twin.current(min_valid=timedelta(hours=1))
        with self.assertRaises(DiesTooSoon):
            twin.current(min_valid=timedelta(hours=1, seconds=1))
        self.vega.stop()
        until(lambda: twin.memory.trouble)
        now[0] = 1_003_599.9
        self.assertEqual(twin.current().generation, 1)
        now[0] = 1_003_600.0
        with self.assertRaisesRegex(Unreachable, "no such socket.*died at"):
            twin.current()
        now[0] = 1_000_000.0
        with self.assertRaises(Unreachable):
            twin.current()
        until(lambda: seen == [1, None])
        self.assertLess(len(self.vega.requests), 4)

    def test_after_close_nothing_goes_on(self: Any) -> None:
        self.vega.serve(1)
        twin = self.twin()
        seen = twin.watch()
        twin.current()
        until(lambda: seen == [1])
        begun = time.monotonic()
        twin.close()
        self.assertLess(time.monotonic() - begun, 1)
        self.assertFalse([thread for thread in threading.enumerate() if thread.name == "vega-client-PRIMARY"])
        if self.Twin is ThreadTwin:
            for call in (twin.current, lambda: twin.report_rejected(1)):
                with self.assertRaises(Closed):
                    call()
            self.assertEqual(list(twin.source.changes()), [])
            twin.close()

    def test_keys_go_to_loopback_and_over_trusted_tls_alone(self: Any) -> None:
        key = self.folder / "key"
        key.touch(0o600)
        key.write_text("Authorization: Bearer vega_k1\r\n")
        certificate = make_certificate(self.folder, "localhost")
        other = make_certificate(self.folder, "other")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        for tls, url in [(None, "http://127.0.0.1"), (None, "http://localhost"), (context, "https://localhost")]:
            with self.subTest(url):
                web = FakeVega(tls=tls)
                self.addCleanup(web.stop)
                web.serve(1)
                arguments = {"url": f"{url}:{web.port}", "key_file": key, **({"ca": certificate} if tls else {})}
                proxies = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "ALL_PROXY")}
                with mock.patch.dict(os.environ, proxies):
                    twin = self.twin(**arguments)
                    self.assertEqual(twin.current().generation, 1)
                self.assertEqual(web.requests[0][2]["authorization"], "Bearer vega_k1")
                self.assertEqual(web.requests[0][2]["host"], f"{url.partition('//')[2]}:{web.port}")
                key.write_text("vega_k2\n")
                web.serve(2)
                self.comes(twin, 2)
                self.assertEqual(web.requests[-1][2]["authorization"], "Bearer vega_k2", "a replaced file counts")
                key.write_text("vega_k1\n")
                twin.close()
                if tls is None:
                    continue
                for more in ({"ca": other}, {}):
                    distrusting = self.twin(url=arguments["url"], key_file=key, **more)
                    before = len(web.requests)
                    with self.assertRaisesRegex(Unreachable, "not trusted.*ca=PATH"):
                        distrusting.current(timeout=SOON)
                    self.assertEqual(len(web.requests), before)
                    distrusting.close()

    def test_a_name_that_leads_elsewhere_gets_no_key(self: Any) -> None:
        web = FakeVega()
        self.addCleanup(web.stop)
        web.serve(1)
        key = self.folder / "key"
        key.touch(0o600)
        key.write_text("vega_k1\n")
        module = "vega_client.wire" if self.Twin is ThreadTwin else "vega_client.aio.wire"
        with mock.patch(f"{module}.is_loopback", return_value=False):
            twin = self.twin(url=f"http://localhost:{web.port}", key_file=key)
            with self.assertRaises(Unreachable):
                twin.current(timeout=SOON)
        self.assertEqual(web.requests, [])

    def test_a_key_file_that_becomes_open_to_others_is_not_used(self: Any) -> None:
        key = self.folder / "key"
        key.touch(0o600)
        key.write_text("vega_k1\n")
        self.vega.serve(1)
        twin_at_work = self.twin(key_file=key)
        twin_at_work.current()
        self.vega.wait_for_stream()
        key.chmod(0o644)
        before = len(self.vega.requests)
        self.vega.end_streams()
        until(lambda: twin_at_work.memory.trouble)
        self.assertIn("chmod 600", str(twin_at_work.memory.trouble))
        self.assertEqual(twin_at_work.current().generation, 1, "the token in memory lives on")
        self.assertEqual(len(self.vega.requests), before)


class WithThreads(Cases, unittest.TestCase):
    Twin = ThreadTwin


class WithAsyncio(Cases, unittest.TestCase):
    Twin = AsyncTwin


def load_tests(loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: Any) -> Iterator[Any] | unittest.TestSuite:
    """Only the twins, not the cases by themselves."""
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (WithThreads, WithAsyncio))
