"""The SDK's two streamers, connected anew whenever the token changes: their subscriptions and handlers stay.

They are the SDK's own classes with the same methods and events. Decides when a connection is replaced; what is sent over it and
how it is decoded is the SDK's. Where a connection breaks while the token stays, the SDK's own auto-reconnect acts.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import upstox_client
from upstox_client.feeder.streamer import Streamer

from vega_client.answer import Answer
from vega_client.errors import VegaError
from vega_client.source import Changes, TokenSource
from vega_client.upstox.configuration import Configuration


class _Following(Streamer):  # type: ignore[misc]
    """What both streamers have before the SDK's class. The SDK calls the four `handle_…` by itself, in a connection's thread."""

    feeder: Any

    def __init__(self, tokens: TokenSource, **arguments: Any) -> None:
        super().__init__(upstox_client.ApiClient(Configuration(tokens)), **arguments)
        self._tokens = tokens
        # One connection is replaced after the other. No handler of the program runs while it is held.
        self._lock = threading.RLock()
        self._by_sdk = threading.local()
        self._changes: Changes | None = None
        self._generation: int | None = None
        self._open = False
        self._refused = 0
        self._stood: weakref.WeakSet[Any] = weakref.WeakSet()

    def connect(self) -> None:
        """Connects with the newest token, and follows the changes of it. Without a token an `error` event tells why, and the
        connection is made as soon as there is one."""
        begun: Changes | None = None
        with self._lock:
            if self._changes is None:
                if self._is_by_sdk():
                    # Its reconnecting outlives a disconnect.
                    return
                self._changes = begun = self._tokens.changes()
        self._dial()
        if begun is not None:
            # Not before, or its first generation would connect beside this.
            arguments = (weakref.ref(self), begun)
            threading.Thread(target=_follow, args=arguments, name="vega-client-streamer", daemon=True).start()

    def disconnect(self) -> None:
        """Ends the connection, and follows the token no more."""
        with self._lock:
            changes, self._changes = self._changes, None
            self._generation, self._open = None, False
            self.disconnect_valid = True
        if changes is not None:
            changes.close()
        self._end(self.feeder)

    def handle_open(self, ws: Any) -> None:
        """Called by the SDK."""
        with self._lock:
            self._stood.add(ws)
            is_wanted = self._changes is not None and self._is_of_now(ws)
            self._open = self._open or is_wanted
        if is_wanted:
            self._refused = 0
            super().handle_open(ws)
        else:
            ws.on_error = ws.on_close = None
            ws.close()

    def handle_message(self, ws: Any, message: Any) -> None:
        """Called by the SDK."""
        if self._is_of_now(ws):
            super().handle_message(ws, message)

    def handle_error(self, ws: Any, error: Any) -> None:
        """Called by the SDK."""
        if not self._is_of_now(ws):
            return
        generation = self._generation
        if generation is not None and "401 Unauthorized" in str(error):
            threading.Thread(target=self._report, args=(generation,), name="vega-client-report", daemon=True).start()
        with self._called_by_sdk():
            super().handle_error(ws, error)

    def handle_close(self, ws: Any, code: Any, words: Any) -> None:
        """Called by the SDK."""
        with self._lock:
            if not self._is_of_now(ws):
                return
            self._open = False
        with self._called_by_sdk():
            super().handle_close(ws, code, words)

    def _is_of_now(self, ws: Any) -> bool:
        """Connections that were replaced go on talking for a moment."""
        return self.feeder is not None and self.feeder.ws is ws

    def _is_by_sdk(self) -> bool:
        return getattr(self._by_sdk, "depth", 0) > 0

    @contextlib.contextmanager
    def _called_by_sdk(self) -> Iterator[None]:
        self._by_sdk.depth = getattr(self._by_sdk, "depth", 0) + 1
        try:
            yield
        finally:
            self._by_sdk.depth -= 1

    def _dial(self, generation: int | None = None) -> None:
        """Connects, unless a connection with this generation is under way already."""
        problem: VegaError | None = None
        with self._lock:
            if self._changes is None or (generation is not None and generation == self._generation):
                return
            replaced: Any = self.feeder
            try:
                self._generation = self._tokens.current().generation
                self._open = False
                super().connect()
            except VegaError as error:
                self.feeder, self._generation, problem = replaced, None, error
        if problem is not None:
            self.emit(self.Event["ERROR"], problem)
        else:
            self._end(replaced)

    def _end(self, feeder: Any) -> None:
        """Ends a connection that is not wanted any more. May take 3 s: the SDK waits for the other side."""
        with self._lock:
            # Before it stands the SDK would lose it and leave it open: `handle_open` ends it then.
            has_stood = feeder is not None and feeder.ws in self._stood
        if has_stood:
            with contextlib.suppress(Exception):
                feeder.disconnect()

    def _renew(self, generation: int) -> None:
        """There is a token of this generation."""
        with self._lock:
            if self._changes is None or generation == self._generation:
                return
            self._try_anew()
        self.emit(self.Event["RECONNECTING"], f"Token of generation {generation}")
        self._dial(generation)

    def _try_anew(self) -> None:
        self.reconnect_in_progress = False
        self.disconnect_valid = False
        self.reconnect_attempts = 0

    def _report(self, generation: int) -> None:
        """Upstox refused to connect with this generation."""
        try:
            answer = self._tokens.report_rejected(generation)
        except VegaError as error:
            self.emit(self.Event["ERROR"], error)
            return
        # After other answers the next generation connects. A token of the last minute is not known everywhere at Upstox.
        if answer is Answer.ALIVE and self.enable_auto_reconnect and self._refused < self.retry_count:
            self._refused += 1
            threading.Event().wait(self.interval)
            with self._lock:
                if generation != self._generation or self._open:
                    return
                self._try_anew()
            self._dial()


class MarketDataStreamerV3(_Following, upstox_client.MarketDataStreamerV3):  # type: ignore[misc]
    """The SDK's `MarketDataStreamerV3` for a `TokenSource`.

    `MarketDataStreamerV3(tokens, instrumentKeys=[…], mode="ltpc")`; `on`, `connect`, `subscribe` and the others are the SDK's.
    Subscriptions made while no connection stands are kept, and sent when it does. When the token changes, a `reconnecting`
    event comes, then `open`; for up to 3 s Upstox may see both connections. At a lost token the connection is left as it is.
    """

    def __init__(self, tokens: TokenSource, instrumentKeys: list[str] | None = None, mode: str = "ltpc") -> None:
        super().__init__(tokens, instrumentKeys=list(instrumentKeys or []), mode=mode)

    def subscribe(self, instrumentKeys: list[str], mode: str) -> None:
        """Subscribes to these instruments, now or as soon as there is a connection. What the SDK raises while it sends leaves
        them subscribed: the next connection has them."""
        if self.is_invalid_mode(mode):
            return
        self.subscriptions[mode].update(instrumentKeys)
        if self._open:
            self.feeder.subscribe(instrumentKeys, mode)

    def unsubscribe(self, instrumentKeys: list[str]) -> None:
        """Ends these subscriptions."""
        self._forget(instrumentKeys)
        if self._open:
            self.feeder.unsubscribe(instrumentKeys)

    def change_mode(self, instrumentKeys: list[str], newMode: str) -> None:
        """Lets these instruments come in another mode."""
        if self.is_invalid_mode(newMode):
            return
        self._forget(instrumentKeys)
        self.subscriptions[newMode].update(instrumentKeys)
        self.mode = newMode
        if self._open:
            self.feeder.change_mode(instrumentKeys, newMode)

    def _forget(self, instrument_keys: list[str]) -> None:
        for keys in self.subscriptions.values():
            keys.difference_update(instrument_keys)


class PortfolioDataStreamer(_Following, upstox_client.PortfolioDataStreamer):  # type: ignore[misc]
    """The SDK's `PortfolioDataStreamer` for a `TokenSource`: which updates come is said when it is made.

    When the token changes, a `reconnecting` event comes, then `open`; for up to 3 s Upstox may see both connections, and an
    update can come twice. What happened between two connections is not repeated by Upstox: ask for orders at each `open`.
    """

    def __init__(
        self,
        tokens: TokenSource,
        order_update: bool = True,
        position_update: bool = False,
        holding_update: bool = False,
        gtt_update: bool = False,
    ) -> None:
        super().__init__(
            tokens,
            order_update=order_update,
            position_update=position_update,
            holding_update=holding_update,
            gtt_update=gtt_update,
        )


def _follow(streamer: weakref.ref[_Following], changes: Changes) -> None:
    """Tells a streamer of each new generation, until it is gone or `changes` is closed."""
    for generation in changes:
        there = streamer()
        if there is None:
            return
        if generation is not None:
            there._renew(generation)
        del there
