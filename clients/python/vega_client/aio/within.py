"""Waits for some work, at most so long. Instead of `asyncio.wait_for`, which before Python 3.12 can lose a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def within(seconds: float, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of the work. Raises `TimeoutError` after so many seconds, and what the work raises. Work that is not waited
    for any more is cancelled."""
    task = asyncio.ensure_future(work)
    # Nobody may be left who takes its error.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait([task], timeout=seconds)
        if task.done():
            return task.result()
    finally:
        task.cancel()
    raise TimeoutError
