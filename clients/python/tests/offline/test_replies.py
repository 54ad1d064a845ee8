"""Answers of servers, good and bad."""

import json
import unittest
from typing import Any

from vega_client import BadAnswer, NotAllowed, NoToken, NotYet
from vega_client.replies import Reply, is_servable, problem_of, token_of, verdict_of
from vega_client.sse import Event
from vega_client.token import IST

CANARY = "canary-of-a-token"
GOOD: dict[str, Any] = {"v": 1, "api": "PRIMARY", "access_token": CANARY, "generation": 3, "valid_until_unix": 1796076000}


def reply(status: int, view: Any, **headers: str) -> Reply:
    body = view if isinstance(view, bytes) else json.dumps(view).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


class Replies(unittest.TestCase):
    def test_a_token(self) -> None:
        found = token_of(reply(200, GOOD, etag='"3-a"'), 0)
        assert found is not None
        self.assertEqual((found.token.value, found.token.generation, found.tag), (CANARY, 3, '"3-a"'))
        self.assertEqual(found.token.valid_until.isoformat(), "2026-12-01T03:30:00+05:30")
        self.assertIs(found.token.valid_until.tzinfo, IST)
        self.assertIsNone(token_of(reply(304, b""), 0))

    def test_what_is_no_token_is_none_and_is_not_shown(self) -> None:
        cases: dict[str, Any] = {name: {**GOOD, **change} for name, change in {
            "version": {"v": 2}, "no value": {"access_token": ""}, "number": {"access_token": 7},
            "line end": {"access_token": CANARY + "\r\nX: 1"}, "space": {"access_token": CANARY + " "},
            "not ASCII": {"access_token": CANARY + "é"}, "generation 0": {"generation": 0}, "true": {"generation": True},
            "text": {"generation": "3"}, "no end": {"valid_until_unix": None}, "far": {"valid_until_unix": 10**30},
        }.items()}  # fmt: skip
        whole = json.dumps(GOOD).encode()
        cases |= {f"half {at}": whole[:at] for at in range(len(whole))}
        cases |= {"list": [GOOD], "deep": b"[" * 60_000, "page": b"<html>", "not UTF-8": b"\xff\xfe" + whole}
        for name, view in cases.items():
            with self.subTest(name):
                with self.assertRaises(BadAnswer) as caught:
                    token_of(reply(200, view), 0)
                self.assertNotIn("canary", repr(caught.exception) + str(caught.exception.__dict__))
                self.assertIsNone(caught.exception.__cause__ or caught.exception.__context__)

    def test_problems_by_consequence(self) -> None:
        table = [
            (401, "not_signed_in", NotAllowed), (403, "not_allowed", NotAllowed), (404, "unknown_api", NoToken),
            (404, "not_found", BadAnswer), (409, "human_needed", NoToken), (421, "wrong_host", BadAnswer),
            (429, "cooling_down", NoToken), (500, "unexpected", BadAnswer), (503, "token_unknown", NotYet),
            (503, "starting", NotYet), (400, "bad_request", BadAnswer),
        ]  # fmt: skip
        for status, code, kind in table:
            with self.subTest(code):
                error = problem_of(reply(status, {"code": code, "detail": "words"}), 0)
                self.assertIs(type(error), kind)
                self.assertEqual((error.words, error.code, error.retry_at), ("words", code, None))

    def test_only_vegas_own_words_are_a_refusal(self) -> None:
        for status in (301, 302, 307, 401, 403, 404, 409, 429, 502, 503):
            for body in (b"", b"<html>no</html>", b"[]", b'{"code":7,"detail":"x"}', b'{"message":"x"}'):
                with self.subTest(status, body=body):
                    self.assertIs(type(problem_of(reply(status, body), 0)), BadAnswer)

    def test_when_it_is_worth_trying_again(self) -> None:
        view = {"code": "cooling_down", "detail": "w"}
        for fields, headers, wanted in [
            ({"retry_at_unix": 1796076000}, {"retry_after": "5"}, "2026-12-01T03:30:00+05:30"),
            ({}, {"retry_after": "5"}, "1970-01-01T05:30:05+05:30"),
            ({}, {"retry_after": "Tue, 01 Dec 2026 03:30:00 GMT"}, None),
            ({}, {"retry_after": "-5"}, None),
            ({"retry_at_unix": 10**40}, {}, None),
        ]:
            with self.subTest(fields, headers=headers):
                error = problem_of(reply(429, {**view, **fields}, **headers), 0)
                self.assertEqual(error.retry_at.isoformat() if error.retry_at else None, wanted)

    def test_events(self) -> None:
        self.assertIs(is_servable(Event("token", '{"servable":true,"new":1}')), True)
        self.assertIs(is_servable(Event("token", '{"servable":false,"generation":null}')), False)
        self.assertIsNone(is_servable(Event("other", "nonsense")))
        for data in ("nonsense", "[]", "{}", '{"servable":1}'):
            with self.subTest(data), self.assertRaises(BadAnswer):
                is_servable(Event("token", data))

    def test_verdicts(self) -> None:
        for word in ("alive", "dead", "newer", "unknown"):
            self.assertEqual(verdict_of(reply(200, {"answer": word, "failure": None}), 0).answer.value, word)
        for view in ({"answer": "other"}, {"answer": []}, {}, [], b"x"):
            with self.subTest(view), self.assertRaises(BadAnswer):
                verdict_of(reply(200, view), 0)
