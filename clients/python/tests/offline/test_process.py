"""The source as a citizen of its process: threads, forks, signals, garbage, its end, and no secret anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
import unittest
import warnings
import weakref
from pathlib import Path

import vega_client
import vega_client.aio
from tests.support.desk import until
from tests.support.fake_vega import FakeVega, answer, problem, says
from tests.support.twins import AsyncTwin, ThreadTwin
from vega_client import VegaError

TOKEN = "canary-token"
KEY = "canary-key"
FOLDER = Path(__file__).resolve().parents[2]


class WithFake(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.socket = self.folder / "s"
        self.vega = FakeVega(str(self.socket))
        self.addCleanup(self.vega.stop)
        self.vega.serve(1, TOKEN)

    def script(self, text: str, *more: str) -> subprocess.Popen[str]:
        """A process of its own that runs this text; `SOCKET` stands for the server."""
        lines = f"SOCKET = {str(self.socket)!r}\n" + textwrap.dedent(text)
        environment = {**os.environ, "PYTHONPATH": str(FOLDER), "TZ": "America/New_York"}
        return subprocess.Popen([sys.executable, *more, "-c", lines], env=environment, stdout=-1, stderr=-1, text=True)

    def ran(self, text: str, *more: str) -> str:
        process = self.script(text, *more)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, err), (0, ""))
        return out


class Processes(WithFake):
    def test_a_program_ends_whatever_the_source_does(self) -> None:
        begun = time.monotonic()
        out = self.ran("""
            import vega_client
            tokens = vega_client.Server(socket=SOCKET).tokens("PRIMARY")
            print(tokens.current())
            """)
        self.assertIn("generation=1", out)
        self.assertLess(time.monotonic() - begun, 5)
        self.ran("""
            import asyncio, vega_client.aio
            tokens = vega_client.aio.Server(socket=SOCKET).tokens("PRIMARY")
            print(asyncio.run(tokens.current()))
            print(asyncio.run(tokens.current()))
            """, "-X", "dev", "-W", "error")  # fmt: skip

    def test_a_program_that_waits_ends_at_ctrl_c(self) -> None:
        self.vega.stop()
        for call in ("tokens.current(timeout=datetime.timedelta(hours=1))", "tokens.report_rejected(7)", "next(changes)"):
            if call == "tokens.report_rejected(7)":
                self.vega.start()
                self.vega.faults["rejections"].append(lambda _: time.sleep(8))
            elif call == "next(changes)":
                call = "[next(changes), next(changes)]"
            with self.subTest(call):
                process = self.script(f"""
                    import vega_client, datetime
                    tokens = vega_client.Server(socket=SOCKET).tokens("PRIMARY")
                    changes = tokens.changes()
                    print("waits", flush=True)
                    {call}
                    """)
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(0.3)
                begun = time.monotonic()
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=10)
                self.assertLess(time.monotonic() - begun, 3)
                self.assertIn("KeyboardInterrupt", err)

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork on this system")
    def test_a_fork_leaves_the_parent_alone_and_follows_by_itself(self) -> None:
        source = vega_client.Server(socket=self.socket, chance=lambda: 0.01).tokens("PRIMARY")
        self.addCleanup(source.close)
        source.current()
        self.vega.wait_for_stream()
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:  # pragma: no cover
            told = b"failed"
            with contextlib.suppress(BaseException):
                first = source.current().generation
                os.write(write, b"1")
                until(lambda: source.current().generation == 2, 10)
                told = f"{first} then 2".encode()
                source.close()
            os.write(write, told)
            os._exit(0)
        os.close(write)
        self.assertEqual(os.read(read, 1), b"1")
        until(lambda: len(self.vega.streams) == 2, 10)
        self.vega.serve(2, TOKEN)
        with os.fdopen(read, "rb") as pipe:
            self.assertEqual(pipe.read(), b"1 then 2")
        os.waitpid(child, 0)
        until(lambda: source.current().generation == 2)
        self.vega.serve(3, TOKEN)
        until(lambda: source.current().generation == 3)
        self.assertEqual(self.vega.count("events"), 2, "the parent's stream went on")

    def test_a_fork_while_locks_are_held_does_not_hang(self) -> None:
        out = self.ran("""
            import os, threading, vega_client, warnings
            warnings.simplefilter("ignore")
            tokens = vega_client.Server(socket=SOCKET).tokens("PRIMARY")
            tokens.current()
            held, go_on = threading.Event(), threading.Event()
            def hold():
                with tokens._follower.changed:
                    held.set()
                    go_on.wait(10)
            threading.Thread(target=hold).start()
            held.wait()
            child = os.fork()
            if child == 0:
                print(tokens.current().generation, next(tokens.changes()), flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            go_on.set()
            """)
        self.assertEqual(out, "1 1\n")

    def test_the_zone_of_the_machine_does_not_count(self) -> None:
        out = self.ran("""
            import vega_client, time
            time.tzset()
            print(vega_client.Server(socket=SOCKET).tokens("PRIMARY").current().valid_until)
            """)
        self.assertEqual(out, "2096-10-02 12:36:40+05:30\n")

    def test_many_threads_get_tokens_at_once(self) -> None:
        source = vega_client.Server(socket=self.socket, chance=lambda: 0.01).tokens("PRIMARY")
        self.addCleanup(source.close)
        wrong: list[object] = []
        counts = [0] * 8

        def trade(number: int) -> None:
            newest = 0
            while counts[number] >= 0 and newest < 10:
                token = source.current()
                counts[number] += 1
                if token.generation < newest or token.value != f"{TOKEN}-{token.generation}":
                    wrong.append(token)
                newest = token.generation

        self.vega.serve(2, f"{TOKEN}-2")
        threads = [threading.Thread(target=trade, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for generation in range(3, 11):
            self.vega.serve(generation, f"{TOKEN}-{generation}")
            time.sleep(0.005)
        for thread in threads:
            thread.join(20)
        self.assertEqual(wrong, [])
        self.assertFalse(any(thread.is_alive() for thread in threads))


class Garbage(WithFake):
    def test_a_source_that_is_dropped_ends_its_thread(self) -> None:
        source = vega_client.Server(socket=self.socket).tokens("PRIMARY")
        source.current()
        gone = weakref.ref(source)
        thread = source._follower._thread
        assert thread is not None
        self.assertTrue(thread.daemon)
        cycle: list[object] = [source]
        cycle.append(cycle)
        del source, cycle
        gc.collect()
        self.assertIsNone(gone())
        thread.join(5)
        self.assertFalse(thread.is_alive())

    def test_a_source_that_is_dropped_ends_its_task(self) -> None:
        async def drop() -> None:
            source = vega_client.aio.Server(socket=self.socket).tokens("PRIMARY")
            await source.current()
            task = source._follower._task
            assert task is not None
            del source
            gc.collect()
            await asyncio.wait([task], timeout=5)
            self.assertTrue(task.done())

        asyncio.run(drop())

    def test_errors_do_not_pile_up(self) -> None:
        self.vega.withdraw(problem(409, "human_needed", "Sign in."))
        source = vega_client.Server(socket=self.socket).tokens("PRIMARY")
        self.addCleanup(source.close)
        depths = []
        for _ in range(50):
            try:
                source.current()
            except VegaError as error:
                depths.append(len(traceback.extract_tb(error.__traceback__)))
        self.assertEqual(len(set(depths)), 1)


class Secrets(WithFake):
    """The token and the key are canaries: nothing that a program may print or log holds them."""

    def test_nothing_shows_a_secret(self) -> None:
        key = self.folder / "key"
        key.touch(0o600)
        key.write_text(f"{KEY}\n")
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        root = logging.getLogger()
        root.addHandler(handler)
        level = root.level
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.setLevel, level)
        self.addCleanup(root.removeHandler, handler)
        shown: list[str] = []
        # What upstox_client does when it debugs.
        import http.client

        http.client.HTTPConnection.debuglevel = 1
        self.addCleanup(setattr, http.client.HTTPConnection, "debuglevel", 0)
        out = io.StringIO()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(out):
            for kind in (ThreadTwin, AsyncTwin):
                twin = kind(socket=self.socket, key_file=key)
                self.addCleanup(twin.close)
                token = twin.current()
                shown += [
                    repr(token),
                    str(token),
                    f"{token}",
                    repr(twin.source),
                    repr(twin.memory),
                    repr(vars(twin.source._follower)),
                ]
                for text in (
                    b"",
                    answer(200, {"access_token": TOKEN, "v": 1})[:-3],
                    f"HTTP/1.1 200 {TOKEN}\r\n{TOKEN}\r\n\r\n".encode(),
                    f"{TOKEN}\r\n\r\n".encode(),
                    answer(200, {"answer": TOKEN}),
                    answer(200, TOKEN),
                    answer(500, {"error": TOKEN, "code": 7}),
                ):
                    self.vega.faults["rejections"].append(says(text))
                    try:
                        twin.report_rejected(1)
                    except VegaError as error:
                        shown += [locals_of(error), repr(error), repr(error.__dict__), repr(pickle.dumps(error))]
                    else:
                        self.fail("that was no answer")
                self.vega.faults["events"].extend([says(f"HTTP/1.1 200 {TOKEN}\r\n\r\n{TOKEN}".encode())] * 3)
                self.vega.end_streams()
                until(lambda: twin.memory.trouble)  # noqa: B023
                shown.append(repr(twin.memory))
                self.vega.faults["events"].clear()
                twin.close()
        everything = "\n".join(shown) + log.getvalue() + out.getvalue() + printed.getvalue()
        for secret in (TOKEN, KEY):
            at = everything.find(secret)
            self.assertEqual(at, -1, everything[max(0, at - 200) : at + 200])
        self.assertIn("generation=1", everything)
        self.assertEqual(printed.getvalue(), "")


def locals_of(error: BaseException) -> str:
    """The traceback as tools show it that print the local variables of the library's frames, of all errors in the chain."""
    shown = []
    chain: BaseException | None = error
    while chain is not None:
        for frame, _ in traceback.walk_tb(chain.__traceback__):
            if str(FOLDER / "vega_client") in frame.f_code.co_filename:
                shown.append(f"{frame.f_code.co_name}: {frame.f_locals!r}")
        shown.append(repr(chain))
        chain = chain.__cause__ or chain.__context__
    assert len(shown) > 1
    return "\n".join(shown)
