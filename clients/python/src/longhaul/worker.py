"""The worker: functions for queues, and a process that runs them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Literal, TypeVar

from ._http.connection import connect
from ._http.reach import Outage, Reach
from ._worker.action import Action
from ._worker.asker import Asker
from ._worker.capture import captured
from ._worker.core import Core, Settings
from ._worker.handlers import Handlers
from ._worker.process import imports_main_module, signals
from ._worker.protocol import MAX_WAIT, new_name

log = logging.getLogger("longhaul.worker")

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Worker:
    """Does the work of sub-tasks: leases attempts from queues, calls your functions, reports what came of them.

    `slots`: how many attempts run at once; `prefetch`: how many more are held ready, so that a function which takes
    milliseconds need not wait for the next. `lease`: seconds after which another worker takes over should this one die.
    `grace`: seconds that what runs may take to end when the worker stops. `wait`: how long a request waits for work.
    `name`: the beginning of the worker's name; the rest is random.

    A server that cannot be reached is asked again, with pauses of up to `longest_pause` seconds; after `patience`
    seconds without it, never unless given, the worker ends with `Unreachable`.

    `heartbeats`: with `"process"` they go out from a process of their own, too, so that a function which holds the
    interpreter for longer than a lease keeps its lease. Without, they need the interpreter for a moment now and then.

    `capture_prints`, `capture_logging`: what functions print, and their records of `logging`, is in their tasks' logs,
    too.

    Who we are to the server is given, or read from the environment, as for `Client`.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        api_key: str | None = None,
        user: str | None = None,
        password: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        insecure: bool | None = None,
        answer: float = 10.0,
        slots: int = 8,
        prefetch: int = 0,
        lease: float = 30.0,
        grace: float = 30.0,
        wait: float = 30.0,
        longest_pause: float = 10.0,
        patience: float | None = None,
        heartbeats: Literal["thread", "process"] = "thread",
        capture_prints: bool = False,
        capture_logging: bool = False,
        name: str = "python",
    ) -> None:
        _check(slots >= 1 and prefetch >= 0, "a worker has at least one slot, and no less than nothing is held ready")
        _check(1 <= lease <= 3600, "a lease lasts a second to an hour")
        _check(0 <= wait <= MAX_WAIT, "a request waits for a minute at the most")
        _check(grace >= 0, "a grace is not negative")
        _check(0 < longest_pause <= 3600, "the longest pause is more than nothing, and an hour at the most")
        _check(patience is None or patience >= 0, "patience is not negative")
        _check(_NAME.fullmatch(name), "a name has 1 to 100 of A-Z a-z 0-9 . _ -")
        self._connection, authority = connect(
            server, api_key=api_key, user=user, password=password, ca=ca, insecure=insecure, answer=answer
        )
        self._asker = Asker(authority, Reach(self._connection.server, patience), longest_pause)
        _check(heartbeats in ("thread", "process"), 'heartbeats are "thread" or "process"')
        self._settings = Settings(slots, prefetch, lease, wait, grace, heartbeats == "process")
        self._capture = capture_prints, capture_logging
        self._name = name
        self._actions: dict[str, Action] = {}
        self._core: Core | None = None
        self._lock = threading.Lock()

    def action(self, queue: str) -> Callable[[F], F]:
        """Registers a function for a queue: a `def` runs in a thread, an `async def` on the event loop.

        It takes a `Context` and the input, as what its annotation says: a dictionary, a dataclass, a `TypedDict`, or
        anything with `model_validate`; or the `Context` alone. What it returns is the output. It fails by raising:
        `ActionError` or `OutcomeUnknown` say how; any other exception counts as a failure that may be retried.
        """
        _check(_NAME.fullmatch(queue), f"a queue has 1 to 100 of A-Z a-z 0-9 . _ -, unlike {queue!r}")
        _check(queue not in self._actions, f"the queue {queue} has a function")
        _check(len(self._actions) < 32, "a worker asks for 32 queues at the most")

        def register(function: F) -> F:
            self._actions[queue] = Action.of(function)
            return function

        return register

    @property
    def outage(self) -> Outage | None:
        """The current outage of the server, since when and why; `None` while it can be reached. The log has it, too."""
        return self._asker.reach.outage

    def run(self) -> None:
        """Works until SIGTERM or SIGINT, or `stop`. A second signal ends the grace of what still runs.

        In a child that multiprocessing begins by importing this script, it does nothing.
        """
        if imports_main_module():
            log.debug("a child imports the script of a worker: it is none")
            return
        handlers = Handlers()
        try:
            with self._core_on(handlers.loop) as core, signals(core.stop):
                _waited_for(_started(core), core.stop)
        finally:
            handlers.close()

    async def run_async(self) -> None:
        """Works on the running event loop, without signal handlers. Cancelling it stops the worker."""
        with self._core_on(asyncio.get_running_loop()) as core:
            ended = asyncio.wrap_future(_started(core))
            cancelled: asyncio.CancelledError | None = None
            while not ended.done():
                try:
                    await asyncio.shield(ended)
                except asyncio.CancelledError as error:
                    cancelled = error
                    core.stop()
            ended.result()
            if cancelled is not None:
                raise cancelled

    def stop(self) -> None:
        """Stops the worker, from any thread: the first call begins the grace, the second ends it."""
        core = self._core
        if core is not None:
            core.stop()

    @contextlib.contextmanager
    def _core_on(self, loop: asyncio.AbstractEventLoop) -> Iterator[Core]:
        core = Core(new_name(self._name), self._connection, self._asker, self._actions, self._settings, loop)
        with self._lock:
            _check(self._actions, "a worker needs an action")
            if self._core is not None:
                raise RuntimeError("the worker runs already")
            self._core = core
        prints, records = self._capture
        try:
            with captured(prints=prints, records=records):
                yield core
        finally:
            self._core = None


def _started(core: Core) -> Future[None]:
    """Runs the worker in a thread of its own; the future has its end."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(asyncio.run(core.run()))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, name="longhaul-worker", daemon=True).start()
    return future


def _waited_for(future: Future[None], stop: Callable[[], None]) -> None:
    while True:
        try:
            return future.result()
        except KeyboardInterrupt:
            if future.done():
                raise
            # No handler is installed where the platform has none.
            stop()


def _check(holds: object, message: str) -> None:
    if not holds:
        raise ValueError(message)
