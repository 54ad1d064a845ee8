"""The HTTP of the asyncio twin."""

import asyncio
import unittest

from vega_client.aio.http1 import Body, HttpError, parse_head, read_head

HEAD = b"HTTP/1.1 200 OK\r\n"
TABLE = [
    ("by length", HEAD + b"Content-Length: 5\r\n\r\nhelloTOO MUCH", b"hello"),
    ("nothing", HEAD + b"Content-Length: 0\r\n\r\nTOO MUCH", b""),
    ("until the end", HEAD + b"\r\nhello", b"hello"),
    ("chunks", HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\nTOO MUCH", b"hello"),
    ("chunks in hex", HEAD + b"transfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n", b"0123456789"),
    ("after 100", b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nhi", b"hi"),
    ("304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
]
BROKEN = [
    ("nothing", b""), ("half a head", HEAD), ("no HTTP", b"SSH-2.0-OpenSSH\r\n\r\n"), ("no status", b"HTTP/1.1 abc\r\n\r\n"),
    ("HTTP/2", b"HTTP/2 200 OK\r\n\r\n"), ("no colon", HEAD + b"header\r\n\r\n"), ("space", HEAD + b"A : b\r\n\r\n"),
    ("endless head", HEAD + b"A: " + b"x" * 200_000), ("short", HEAD + b"Content-Length: 5\r\n\r\nhell"),
    ("bad length", HEAD + b"Content-Length: 5x\r\n\r\nhello"), ("minus", HEAD + b"Content-Length: -5\r\n\r\nhello"),
    ("bad chunk", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
    ("endless chunk line", HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 200_000),
    ("chunk without end", HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"),
    ("cut chunk", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe"),
    ("no last chunk", HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"),
]  # fmt: skip


async def read(text: bytes, size: int) -> bytes:
    reader = asyncio.StreamReader(limit=65_536)

    async def feed() -> None:
        for at in range(0, len(text), size):
            reader.feed_data(text[at : at + size])
            await asyncio.sleep(0)
        reader.feed_eof()

    feeding = asyncio.create_task(feed())
    try:
        body = Body(reader, await read_head(reader))
        whole = b""
        while piece := await body.read():
            whole += piece
        return whole
    finally:
        await feeding


class Http1(unittest.TestCase):
    def test_bodies_wherever_they_are_cut(self) -> None:
        for name, text, wanted in TABLE:
            for size in (1, 2, 3, 7, len(text)):
                with self.subTest(name, size=size):
                    self.assertEqual(asyncio.run(read(text, size)), wanted)

    def test_what_is_broken_is_no_answer(self) -> None:
        for name, text in BROKEN:
            with self.subTest(name), self.assertRaises((HttpError, EOFError)):
                asyncio.run(read(text, max(1, len(text) // 3)))

    def test_headers(self) -> None:
        head = parse_head(b"HTTP/1.1 503 No\r\nRetry-After: 3 \r\nX-A:b:c\r\n\r\n")
        self.assertEqual((head.status, dict(head.headers)), (503, {"retry-after": "3", "x-a": "b:c"}))
