"""A desk of its own for a test: the simulated Upstox, settings, data, and the real `vega` and `vega-server` run at it.

Each desk has its own folder and its own ports, and ends the processes that it started.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.certificate import make_certificate
from vega_client import IST

APP = "PRIMARY"


def program(name: str) -> Path:
    """One program: in the folder that VEGA_BIN_DIR names, else where cargo builds it. Never skips."""
    named = os.environ.get("VEGA_BIN_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[4] / "target" / "debug"
    path = folder / name
    if not path.is_file():
        raise AssertionError(f"{path} is missing. Build it (`cargo build --bins`), or name its folder in VEGA_BIN_DIR.")
    return path


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(says: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until something holds, and returns it. What comes within moments takes long where other tests and their browsers
    have the machine."""
    end = time.monotonic() + seconds
    while True:
        found = says()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("it did not come true in time")
        time.sleep(0.01)


class Upstox:
    """The simulated Upstox, of which the tests know the controls."""

    base_url: str
    account: dict[str, Any]

    def sim(self, method: str, page: str, body: Any = None) -> Any:
        """One of its controls."""
        data = json.dumps(body).encode() if body is not None else (b"" if method == "POST" else None)
        request = urllib.request.Request(f"{self.base_url}/_sim/{page}", data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        with _opener().open(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def revoke(self) -> None:
        """Kills every token."""
        self.sim("POST", "accounts/default/revoke_tokens")

    def access_tokens(self) -> list[str]:
        """Every token that there ever was."""
        return list(self.sim("GET", "secrets")["access_tokens"])

    def stop(self) -> None:
        """Ends it, if it belongs to the test."""


class UpstoxOfThisNamespace(Upstox):
    """The one to which the name of Upstox leads here: `tests/streamers/with-upstox` started it."""

    def __init__(self) -> None:
        if "UPSTOX_SIMULATOR" not in os.environ:
            raise AssertionError("This is run by tests/streamers/with-upstox; the README says how.")
        self.base_url = os.environ["UPSTOX_SIMULATOR"]
        self.account = self.sim("GET", "state")["accounts"][0]


class OwnUpstox(Upstox):
    """One for this test alone, with a simulated human."""

    def __init__(self, folder: Path, apps: int = 1) -> None:
        redirect = f"http://localhost:{free_port()}/api/v1/auth/upstox/callback"
        names = ["PRIMARY", "WEBSOCKET1", "WEBSOCKET2"][:apps]
        self.account = {
            "name": "default",
            "mobile": "9000000001",
            "pin": "246810",
            "totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "user_id": "AB1234",
            "apps": [
                {
                    "name": name,
                    "client_id": f"{number}0000000-aaaa-4bbb-8ccc-00000000000{number}",
                    "client_secret": f"s{number}mulated{number}",
                    "redirect_uri": redirect,
                }
                for number, name in enumerate(names, 1)
            ],
        }
        seed = folder / "seed.json"
        seed.write_text(json.dumps({"accounts": [self.account]}))
        self.process = subprocess.Popen(
            [program("upstox-simulator"), "--listen", "127.0.0.1:0", "--simulated-human", "4", "--seed", seed],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.base_url = json.loads(self.process.stdout.readline())["base_url"]
        self.sim("PUT", "otp_limit", {"limit": 1000})

    def stop(self) -> None:
        """Ends it."""
        _end(self.process)


class Desk:
    """Settings, data and programs for one simulated Upstox."""

    def __init__(self, apps: int = 1, tls: bool = False, upstox: Upstox | None = None) -> None:
        programs = [program(name) for name in ("vega-hooked", "vega-server-hooked", "upstox-simulator")]
        self.vega_program, self.server_program, _ = programs
        self.home = Path(tempfile.mkdtemp(prefix="vega-py-"))
        self.certificate = make_certificate(self.home, "localhost") if tls else None
        self.server: subprocess.Popen[bytes] | None = None
        self.upstox = upstox or OwnUpstox(self.home, apps)
        self.port = free_port()
        self.offset = 0
        self.runtime = self.home / "run"
        self.socket = self.runtime / "vega" / "vega.sock"
        (self.home / "hooks").mkdir()
        self.runtime.mkdir(mode=0o700)
        config = self.home / "config" / "vega"
        for folder in (config.parent, config):
            folder.mkdir(mode=0o700)
        window = self.home / "chromium-that-nobody-sees"
        self._write(window, '#!/bin/sh\nexec chromium --headless=new "$@"\n', 0o700)
        account = self.upstox.account
        lines = [
            f"UPSTOX_MOBILE_NUMBER={account['mobile']}",
            f"UPSTOX_USER_ID={account['user_id']}",
            f"UPSTOX_REDIRECT_URI={account['apps'][0]['redirect_uri']}",
            f"VEGA__UPSTOX__API_BASE_URL={self.upstox.base_url}",
            f"VEGA__BROWSER__BINARY={window}",
            f"VEGA__SERVER__LISTEN=127.0.0.1:{self.port}",
        ]
        if self.certificate is not None:
            lines += [f"VEGA__SERVER__TLS_CERT={self.certificate}.crt", f"VEGA__SERVER__TLS_KEY={self.certificate}"]
        for number, app in enumerate(account["apps"]):
            lines.append(f"UPSTOX_API_NAME_{number}={app['name']}")
            lines.append(f"UPSTOX_CLIENT_ID_{number}={app['client_id']}")
            lines.append(f"UPSTOX_CLIENT_SECRET_{number}={app['client_secret']}")
        self._write(config / ".env", "\n".join(lines) + "\n", 0o600)

    def _write(self, path: Path, text: str, mode: int) -> None:
        # A shell writes it: a program that this process has open for writing could not be started by another thread.
        subprocess.run(["/bin/sh", "-c", 'printf %s "$2" > "$1"', "sh", path, text], check=True)
        path.chmod(mode)

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}" if self.certificate is None else f"https://localhost:{self.port}"

    def environment(self) -> dict[str, str]:
        """What programs of this desk see, and nothing else."""
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "TERM": "xterm",
            "HOME": str(self.home),
            "WAYLAND_DISPLAY": "of-no-computer",
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "VEGA_TEST_HOOKS": str(self.home / "hooks"),
        }

    def vega(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `vega` to its end, with this text piped in."""
        return subprocess.run(
            [self.vega_program, *arguments],
            env=self.environment(),
            cwd=self.home,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def adopt_analytics(self) -> str:
        """A human makes an analytics token at Upstox, and gives it to Vega."""
        made: str = self.upstox.sim("POST", "accounts/default/analytics_token")["access_token"]
        ran = self.vega("adopt", "--analytics", "default", given=made)
        if ran.returncode != 0:
            raise AssertionError(f"not adopted: {ran}")
        return made

    def sign_in(self, api: str = APP) -> None:
        """A human signs in: a new generation."""
        ran = self.vega("--yes", "--force", "--reason", "test", api)
        if ran.returncode != 0:
            raise AssertionError(f"no sign-in: {ran}")

    def key_file(self, name: str, scopes: str, text: str = "{key}\n") -> Path:
        """A file with a new access key."""
        ran = self.vega("key", "add", name, "--scope", scopes)
        if ran.returncode != 0:
            raise AssertionError(f"no key: {ran}")
        path = self.home / f"{name}.key"
        path.touch(0o600)
        path.write_text(text.format(key=ran.stdout.strip()))
        return path

    def start_server(self) -> None:
        """Starts the server and waits until it serves."""
        with open(self.home / "server.log", "ab") as log:
            self.server = subprocess.Popen(
                [self.server_program],
                env=self.environment(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            with _opener(self.certificate).open(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop_server(self) -> None:
        """Asks the server to end, and waits."""
        if self.server is not None:
            _end(self.server)
            self.server = None

    def log(self) -> str:
        """What the server wrote."""
        return (self.home / "server.log").read_text()

    def move_clocks(self, seconds: int) -> None:
        """Moves everybody's clock: this desk's, the simulator's, and that of programs which use `now`."""
        self.offset = seconds
        self.upstox.sim("PUT", "clock", {"offset_seconds": seconds})
        following = self.home / "hooks" / "next"
        following.write_text(str(seconds))
        following.rename(self.home / "hooks" / "clock_offset")

    def move_to(self, clock_time: str) -> None:
        """Moves everybody's clock on to this time of day in India."""
        now = datetime.fromtimestamp(self.now(), IST)
        then = datetime.fromisoformat(f"{now.date()}T{clock_time}+05:30")
        if then < now:
            then += timedelta(days=1)
        self.move_clocks(self.offset + round((then - now).total_seconds()))

    def now(self) -> float:
        """This desk's time, in seconds since 1970."""
        return time.time() + self.offset

    def end(self) -> None:
        """Ends everything that runs here."""
        self.stop_server()
        self.upstox.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def profile(base_url: str, token: str) -> int:
    """The HTTP status of a profile call."""
    request = urllib.request.Request(f"{base_url}/v2/user/profile", headers={"Authorization": f"Bearer {token}"})
    try:
        with _opener().open(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def _opener(authority: Path | None = None) -> urllib.request.OpenerDirector:
    without_proxy = urllib.request.ProxyHandler({})
    if authority is None:
        return urllib.request.build_opener(without_proxy)
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority))
    return urllib.request.build_opener(without_proxy, tls)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
