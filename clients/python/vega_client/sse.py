"""Parser of server-sent events: bytes in, complete events out. Decides nothing about what they mean, and reads from nowhere."""

from __future__ import annotations

from dataclasses import dataclass

from vega_client.errors import BadAnswer

LONGEST_EVENT = 65_536
"""Bytes of one event; Vega's are below 300."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    name: str
    data: str


class EventParser:
    """Takes pieces of a stream, cut anywhere."""

    def __init__(self) -> None:
        self._line = b""
        self._after_cr = False
        self._at_start = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Event]:
        """The events that end in this piece. Raises `BadAnswer` for one of more than 64 KiB."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        # A line ends with CR LF, LF or CR, and bytes.splitlines knows exactly these.
        lines = (self._line + piece).splitlines(keepends=True)
        self._line = b""
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            self._line = lines.pop()
        events = [event for line in lines if (event := self._take(line.rstrip(b"\r\n")))]
        if self._size + len(self._line) > LONGEST_EVENT:
            raise BadAnswer("The stream of events has one that is too long. Is it a vega-server that answers there?")
        return events

    def _take(self, line: bytes) -> Event | None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            event = Event(self._name or "message", "\n".join(self._data)) if self._data else None
            self._name, self._data, self._size = "", [], 0
            return event
        self._size += len(line)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        return None
