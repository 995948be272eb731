"""An attempt that this worker holds, from its lease to its result."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

from ..context import CURRENT, Context, Why
from .action import Action
from .ending import abandoned, failure
from .lease import Lease
from .pool import Pool
from .protocol import Result


class Attempt:
    """The worker's state of an attempt. Only the worker's own thread changes it."""

    def __init__(self, lease: Lease, action: Action, tell: Callable[[], None], variables: contextvars.Context) -> None:
        self.lease = lease
        self.action = action
        self.context = Context(lease, tell)
        # A copy for each attempt: what one sets, no other sees.
        self._variables = variables.copy()
        self._variables.run(CURRENT.set, self.context)
        self.since = monotonic()
        self.until = self.since + lease.span
        """The moment at which the lease ends unless it is extended."""
        self.cancelled = False
        """True once the server has said so."""
        self.ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Result] | None = None

    async def run(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> Result:
        """Calls the function: in a thread, or on the loop for handlers if it is `async`. There is always a result."""
        try:
            if self.action.is_async:
                future = self._launch(loop)
            else:
                perform = self.action.perform
                future = pool.submit(lambda: self._variables.run(perform, self.lease, self.context))
        except RuntimeError as error:
            # There is no thread to be had, or no loop any more. Nothing was begun.
            return failure(self.lease.id, "WORKER_EXHAUSTED", f"the function was not called: {error}", retryable=True)
        return await asyncio.wrap_future(future)

    def stop(self, why: Why) -> None:
        """Tells the function to stop: a thread may look for it, a coroutine is cancelled."""
        self.context._end(why)
        if self._loop is not None:
            # Behind the launch, whose turn came before. A loop that is closed runs nothing any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())

    def _launch(self, loop: asyncio.AbstractEventLoop) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()

        def ended(task: asyncio.Task[Result]) -> None:
            # A function that was cancelled before its first step gave no result of its own.
            future.set_result(abandoned(self.lease, self.context) if task.cancelled() else task.result())

        def launch() -> None:
            coroutine = self.action.perform_async(self.lease, self.context)
            try:
                self._task = self._variables.run(loop.create_task, coroutine)
            except BaseException as error:
                # A loop may have a task factory of somebody's own.
                coroutine.close()
                future.set_exception(error)
            else:
                self._task.add_done_callback(ended)

        self._loop = loop
        loop.call_soon_threadsafe(launch)
        return future
