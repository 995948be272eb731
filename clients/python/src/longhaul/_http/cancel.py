"""Deadlines and cancellation for asyncio that lose no cancellation.

`asyncio.wait_for` before Python 3.12 drops a cancellation that comes together with the answer: a loop that was to end
goes on, and whoever waits for its end waits for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

AGAIN = 0.1
"""Seconds after which a task that goes on is cancelled again."""


async def within(work: Coroutine[Any, Any, T], seconds: float | None) -> T:
    """Runs `work` for so many seconds at the most, or raises `asyncio.TimeoutError`."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        await end({task})


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks until each has ended: libraries that run in them may lose a cancellation, too."""
    tasks = list(tasks)
    going = {task for task in tasks if not task.done()}
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=AGAIN)
    for task in tasks:
        # An error that nobody looks at would be reported as one that was never retrieved.
        if not task.cancelled():
            task.exception()
