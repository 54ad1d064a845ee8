"""A program's own arguments: addresses, key files, names."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import vega_client
from vega_client import BadSetup, Server, aio
from vega_client.address import default_socket, web_address
from vega_client.endpoint import Endpoint
from vega_client.key_file import read_key

KEY = "vega_canary_of_a_key"


class Addresses(unittest.TestCase):
    def test_those_that_keys_may_be_sent_to(self) -> None:
        for url, host, shown in [
            ("http://127.0.0.1:28020", "127.0.0.1:28020", "http://127.0.0.1:28020"),
            ("http://localhost:28020/", "localhost:28020", "http://localhost:28020"),
            ("http://[::1]:28020", "[::1]:28020", "http://[::1]:28020"),
            ("https://vega.example", "vega.example", "https://vega.example"),
            ("https://vega.example:8443", "vega.example:8443", "https://vega.example:8443"),
        ]:
            with self.subTest(url):
                address = web_address(url)
                self.assertEqual((address.host_header, str(address)), (host, shown))

    def test_those_that_they_may_not(self) -> None:
        for url in [
            "http://vega.example", "http://192.168.1.5:28020", "http://127.0.0.1.evil.example", "http://localhost.evil.example",
            "http://0.0.0.0:1", "ftp://localhost", "localhost:28020", "", "https://", "https://user:pass@vega.example",
            "https://vega.example/path", "https://vega.example?x=1", "https://vega.example#x", "https://vega.example:99999",
            "http://[::ffff:8.8.8.8]:1", "https://véga.example", "http://2130706433.example",
        ]:  # fmt: skip
            with self.subTest(url), self.assertRaises(BadSetup):
                web_address(url)

    def test_the_usual_socket(self) -> None:
        with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": "/run/user/7"}):
            self.assertEqual(str(default_socket().path), "/run/user/7/vega/vega.sock")
        with mock.patch.dict(os.environ), self.assertRaisesRegex(BadSetup, "socket=PATH"):
            os.environ.pop("XDG_RUNTIME_DIR", None)
            Server()

    def test_arguments_that_do_not_fit(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            key = Path(folder) / "key"
            key.touch(0o600)
            key.write_text(KEY)
            for arguments in [
                {"url": "http://127.0.0.1:1"},
                {"url": "http://127.0.0.1:1", "key_file": key, "socket": "/x"},
                {"url": "http://127.0.0.1:1", "key_file": key, "ca": key},
                {"url": "https://localhost:1", "key_file": key, "ca": key},
                {"url": "https://localhost:1", "key_file": key, "ca": Path(folder) / "none"},
                {"url": "http://127.0.0.1:1", "key_file": Path(folder) / "none"},
                {"socket": "/x", "consumer": "two words"},
                {"socket": "/x", "consumer": "x" * 65},
                {"socket": "/x", "consumer": "a\r\nb"},
            ]:
                for kind in (Server, aio.Server):
                    with self.subTest(arguments, kind=kind), self.assertRaises(BadSetup) as caught:
                        kind(**arguments)  # type: ignore[arg-type]
                    self.assertNotIn("canary", str(caught.exception))
            for api in ("", " ", ".", "..", "A\nB"):
                with self.subTest(api), self.assertRaises(BadSetup):
                    Server(socket="/x").tokens(api)


class Version(unittest.TestCase):
    def test_it_is_the_same_everywhere(self) -> None:
        project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
        self.assertIn(f'version = "{vega_client.__version__}"', project)
        agent = Endpoint.of(None, "/x", None, None, None).headers()["User-Agent"]
        self.assertEqual(agent, f"vega-client-python/{vega_client.__version__}")


class KeyFiles(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "a key's file"
        self.path.touch(0o600)

    def test_a_key_is_found_however_it_was_written(self) -> None:
        for text in [
            KEY, f"{KEY}\n", f"{KEY}\r\n", f"{KEY}\r", f"  {KEY}\t\n", f"{KEY}\nsecond line\n", f"\ufeff{KEY}\n",
            f"Authorization: Bearer {KEY}\n", f"authorization:bearer {KEY}\r\n", f"Bearer {KEY}",
        ]:  # fmt: skip
            with self.subTest(text):
                self.path.write_bytes(text.encode())
                self.assertEqual(read_key(self.path).header(), f"Bearer {KEY}")

    def test_what_is_no_key_is_refused_and_not_shown(self) -> None:
        for text in [
            b"", b"\n", b"\nkey", b"canary two words", "canaryé".encode(), "canary".encode("utf-16"), b"canary\0",
            b"Authorization: Basic canary word", b"canary" * 1000,
        ]:  # fmt: skip
            with self.subTest(text):
                self.path.write_bytes(text)
                with self.assertRaises(BadSetup) as caught:
                    read_key(self.path)
                self.assertNotIn("canary", str(caught.exception))

    def test_files_that_others_can_read_are_refused_with_the_way_out(self) -> None:
        self.path.write_text(KEY)
        for mode, good in [
            (0o600, True),
            (0o400, True),
            (0o700, True),
            (0o640, False),
            (0o604, False),
            (0o620, False),
            (0o602, False),
        ]:
            with self.subTest(oct(mode)):
                self.path.chmod(mode)
                if good:
                    read_key(self.path)
                else:
                    with self.assertRaisesRegex(BadSetup, "chmod 600"):
                        read_key(self.path)

    def test_a_key_is_never_shown(self) -> None:
        self.path.write_text(KEY)
        key = read_key(self.path)
        self.assertNotIn("canary", f"{key} {key!r} {[key]}")
