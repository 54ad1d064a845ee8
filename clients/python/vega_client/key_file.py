"""Reads an access key from its file. Decides which files are safe to use; never shows what is in them."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from vega_client.errors import BadSetup

_LONGEST = 4_096
_HEADER = re.compile(r"authorization\s*:", re.IGNORECASE)
_BEARER = re.compile(r"bearer\s+", re.IGNORECASE)
_KEY = re.compile(r"[!-~]{1,512}")


class Key:
    """An access key. Neither `repr` nor `str` shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def header(self) -> str:
        """The value of the `Authorization` header."""
        return f"Bearer {self._value}"

    def __repr__(self) -> str:
        return "Key([redacted])"


def read_key(path: Path) -> Key:
    """The key in the first line: alone, or as a header (`Authorization: Bearer KEY`). Line ends of any system may follow.

    Raises `BadSetup` for a file that is missing, that others may read or write, or that holds no key.
    """
    problem = ""
    text = b""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o066:
                problem = f"Others may read or write the key file {path}. Close it with: chmod 600 '{path}'"
            else:
                text = file.read(_LONGEST)
    except OSError as error:
        problem = f"The key file {path} cannot be read: {error.strerror}. `vega key add` makes a key."
    if problem:
        raise BadSetup(problem, code="key_file")
    key = _key_in(text)
    if key is None:
        words = f"The first line of the key file {path} is no access key. Write KEY or `Authorization: Bearer KEY` into it."
        raise BadSetup(words, code="key_file")
    return key


def _key_in(text: bytes) -> Key | None:
    lines = text.removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace").splitlines()
    line = lines[0].strip() if lines else ""
    header = _HEADER.match(line)
    if header:
        line = line[header.end() :].strip()
    bearer = _BEARER.match(line)
    if bearer:
        line = line[bearer.end() :]
    return Key(line) if _KEY.fullmatch(line) else None
