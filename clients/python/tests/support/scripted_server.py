"""What the tests of both twins begin with: a server that a test scripts, and waits for what a twin gives."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from tests.support.desk import until
from tests.support.fake_vega import FakeVega
from vega_client import Token, VegaError


class ScriptedServer:
    """The server, and one twin at it."""

    Twin: Any

    def setUp(self: Any) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.vega = FakeVega(str(self.folder / "s"))
        self.addCleanup(self.vega.stop)

    def twin(self: Any, **arguments: Any) -> Any:
        if not {"socket", "url"} & arguments.keys():
            arguments["socket"] = self.folder / "s"
        twin = self.Twin(**arguments)
        self.addCleanup(twin.close)
        return twin

    def comes(self: Any, twin: Any, generation: int) -> Token:
        def there() -> Token | None:
            with contextlib.suppress(VegaError):
                token: Token = twin.current()
                return token if token.generation == generation else None
            return None

        token: Token = until(there, 10)
        return token

    def goes(self: Any, twin: Any, kind: type[VegaError]) -> VegaError:
        def gone() -> VegaError | None:
            try:
                twin.current()
            except kind as error:
                return error
            return None

        error: VegaError = until(gone, 10)
        return error
