"""The parser of server-sent events."""

import unittest

from vega_client.errors import BadAnswer
from vega_client.sse import Event, EventParser

TABLE = [
    ("one", b"event: token\ndata: 1\n\n", [("token", "1")]),
    ("CR LF", b"event: token\r\ndata: 1\r\n\r\n", [("token", "1")]),
    ("CR", b"event: token\rdata: 1\r\r", [("token", "1")]),
    ("no name", b"data: 1\n\n", [("message", "1")]),
    ("no space", b"event:token\ndata:1\n\n", [("token", "1")]),
    ("one space alone goes", b"data:  1\n\n", [("message", " 1")]),
    ("lines", b"data: 1\ndata: 2\n\n", [("message", "1\n2")]),
    ("comment", b": hello\n\ndata: 1\n\n", [("message", "1")]),
    ("heartbeats", b":\n\n:\n\n", []),
    ("unknown fields", b"id: 7\nretry: 9\nother\ndata: 1\n\n", [("message", "1")]),
    ("name without data", b"event: token\n\ndata: 1\n\n", [("message", "1")]),
    ("not ended", b"data: 1\n", []),
    ("BOM", b"\xef\xbb\xbfdata: 1\n\n", [("message", "1")]),
    ("line separators of Unicode are no line ends", "data: 1\u20282\x0b3\x853\n\n".encode(), [("message", "1\u20282\x0b3\x853")]),
    ("no UTF-8", b"data: \xff\n\n", [("message", "\ufffd")]),
    ("two", b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", [("a", "1"), ("b", "2")]),
]


class Sse(unittest.TestCase):
    def test_events_are_the_same_wherever_the_stream_is_cut(self) -> None:
        for name, text, wanted in TABLE:
            events = [Event(*event) for event in wanted]
            for size in range(1, len(text) + 1):
                with self.subTest(name, size=size):
                    parser = EventParser()
                    pieces = [text[at : at + size] for at in range(0, len(text), size)]
                    self.assertEqual([event for piece in pieces for event in parser.feed(piece)], events)

    def test_an_endless_event_is_refused(self) -> None:
        for piece in (b"data: " + b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"):
            parser = EventParser()
            with self.assertRaises(BadAnswer):
                for _ in range(100):
                    parser.feed(piece)
