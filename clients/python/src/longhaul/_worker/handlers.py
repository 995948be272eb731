"""The event loop of `async` functions, in a thread of its own. Nothing that they do ends it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from .._text import type_name
from .pool import Pool

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("longhaul.worker")

FAREWELL = 1.0
"""Seconds that tasks left on the loop have to end once they are cancelled."""


class Handlers:
    """A loop outside the main thread, so that signals are handled while a function blocks it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(Daemons())
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="longhaul-handlers", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._closing:
            # A task that raises SystemExit or KeyboardInterrupt, or calls `loop.stop()`, ends `run_forever`.
            try:
                self.loop.run_forever()
            except BaseException as error:
                log.error("%s came out of a task of a function; the loop goes on", type_name(error))
        with contextlib.suppress(BaseException):
            self.loop.run_until_complete(_farewell())
        self.loop.close()

    def close(self) -> None:
        """Ends the loop, or abandons it if a function blocks it."""
        self._closing = True
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(2 * FAREWELL)


async def _farewell() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=FAREWELL)
    await asyncio.get_running_loop().shutdown_asyncgens()


class Daemons(ThreadPoolExecutor):
    """The executor of `asyncio.to_thread`, with daemon threads, as others delay the end of the process."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._pool = Pool(min(32, (os.cpu_count() or 1) + 4))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._pool.submit(functools.partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> Any:
        self._pool.close()
