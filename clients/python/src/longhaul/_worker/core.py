"""The worker's main loop: leases, runs and reports until it is told to stop, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from .._http.cancel import end
from .._http.connection import Connection
from .._http.drive import AsyncDriver
from .._http.persist import pauses
from .._text import type_name, words
from ..errors import LonghaulError
from .action import Action
from .asker import Asker
from .attempt import Attempt
from .book import Book
from .ending import abandoned, failure
from .heartbeat import Heartbeat
from .keeper import Keeper
from .pool import Pool
from .process import reap
from .protocol import MAX_LEASES, Calls, Leased, Result, Wanted
from .report import Reporter

log = logging.getLogger("longhaul.worker")

CLEANUP = 2.0
"""Seconds that functions have to clean up after the grace."""
LAST_WORDS = 10.0
"""Seconds that the last report may take before the worker ends without it."""
EMPTY = 0.1
"""The least seconds between two requests for leases when there is no work."""


@dataclass(frozen=True)
class Settings:
    """The settings of a worker. All spans are in seconds."""

    slots: int
    prefetch: int
    span: float
    wait: float
    grace: float
    keeper: bool = False
    """True if heartbeats are also sent from a process of their own."""


class Core:
    """A running worker. `loop` runs coroutine functions, apart from this loop so that they cannot delay a heartbeat."""

    def __init__(
        self,
        name: str,
        connection: Connection,
        asker: Asker,
        actions: Mapping[str, Action],
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._name = name
        self._connection = connection
        self._asker = asker
        self._actions = actions
        self._settings = settings
        self._users_loop = loop
        self._variables = contextvars.copy_context()
        self._stopping = False
        self._hurried = False

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._driver = AsyncDriver(self._connection)
        self._pool = Pool(self._settings.slots)
        self._book = Book(self._settings.slots, self._settings.slots + self._settings.prefetch)
        self._calls = Calls(self._name)
        self._heartbeat = Heartbeat(self._book, self._driver, self._asker, self._calls)
        self._reporter = Reporter(
            self._book, self._driver, self._asker, self._calls, self._heartbeat, self._wanted, self._admit
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeper: Keeper | None = None
        if self._settings.keeper:
            self._keeper = Keeper(self._name, self._asker, self._book, self._connection.settings())
            await self._keeper.start()
        log.info("worker %s asks for %s", self._name, ", ".join(self._actions))
        kept = [self._heartbeat.beat, self._heartbeat.listen, *([self._keeper.run] if self._keeper else [])]
        beats = [asyncio.create_task(_kept(work)) for work in kept]
        reports, asks = asyncio.create_task(self._reporter.run()), asyncio.create_task(self._ask())
        stopped = asyncio.create_task(self._book.bell.until(lambda: self._stopping))
        try:
            await _first([stopped, asks, reports, *beats])
            asks.cancel()
            await self._finish([reports, *beats])
        finally:
            for attempt in self._book.running():
                attempt.stop("stopped")
            await end([stopped, asks, reports, *beats, *self._tasks])
            self._pool.close()
            await self._driver.close()
            if self._keeper is not None:
                await self._keeper.close()

    def stop(self) -> None:
        """Stops the worker, from any thread: the first call begins the grace, the second ends it."""
        self._hurried, self._stopping = self._stopping, True
        if hasattr(self, "_book"):
            self._told()

    async def _ask(self) -> None:
        """Asks for leases, without end, whenever there is room and no report is due that would ask as well."""
        draining = pauses(1.0)
        while True:
            await self._book.bell.until(lambda: self._reporter.idle and self._book.free())
            wanted = self._wanted(self._book.free(), wait=self._settings.wait)
            if wanted is None:
                return
            began = monotonic()
            with self._book.reserve(wanted.max):
                leased = await self._driver.run(self._asker.ask(self._calls.lease(wanted), Leased.read))
            self._admit(leased)
            if leased.draining:
                await asyncio.sleep(next(draining))
                continue
            draining = pauses(1.0)
            if not leased.leases:
                await asyncio.sleep(max(leased.retry_after, EMPTY - (monotonic() - began)))

    def _wanted(self, free: int, *, wait: float = 0.0) -> Wanted | None:
        if self._stopping or not free:
            return None
        return Wanted(tuple(self._actions), self._settings.span, min(free, MAX_LEASES), wait)

    def _admit(self, leased: Leased) -> None:
        for lease in leased.leases:
            action = self._actions.get(lease.queue)
            if self._stopping:
                self._reporter.add(Result("released", lease.id))
            elif action is None:
                message = f"this worker has no action for the queue {lease.queue}"
                self._reporter.add(failure(lease.id, "NO_ACTION", message, retryable=True))
            else:
                self._book.take(Attempt(lease, action, self._told, self._variables))
        if self._keeper is not None:
            self._keeper.tell(self._book.all_held())
        self._begin()

    def _begin(self) -> None:
        while not self._stopping and (attempt := self._book.begin()) is not None:
            task = asyncio.create_task(self._carry_out(attempt))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, attempt: Attempt) -> None:
        try:
            result = await attempt.run(self._pool, self._users_loop)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            log.exception("%s ended without a result", attempt.lease.id)
            message = f"the function ended without a result: {words(error) or type_name(error)}"
            result = failure(attempt.lease.id, "ERROR", message, retryable=True)
        held = self._book.held(attempt.lease.id) is attempt
        self._book.end(attempt)
        if not self._book.running():
            reap()
        if held:
            self._reporter.add(result)
        self._begin()

    def _told(self) -> None:
        """Wakes the loop for news of an attempt, from any thread."""
        # A function may outlive this worker.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._book.bell.ring)

    async def _finish(self, others: list[asyncio.Task[None]]) -> None:
        """Releases attempts not begun, waits for the rest, and abandons those that do not end."""
        log.info("worker %s stops", self._name)
        for attempt in self._book.empty_waiting():
            self._reporter.add(Result("released", attempt.lease.id))
        await self._quiet(self._settings.grace, others, lambda: self._hurried)
        for attempt in self._book.running():
            log.warning("%s did not end in time: it is told to stop", attempt.lease.id)
            attempt.stop("stopped")
        await self._quiet(CLEANUP, others, lambda: False)
        for attempt in self._book.running():
            if self._book.held(attempt.lease.id) is attempt:
                self._reporter.add(abandoned(attempt.lease, attempt.context))
            self._book.end(attempt)
        self._reporter.close()
        if not await _first(others, LAST_WORDS):
            log.error("the server does not take the last results; their leases will end by themselves")

    async def _quiet(self, seconds: float, others: list[asyncio.Task[None]], enough: Callable[[], bool]) -> None:
        """Waits until nothing runs, for `seconds` at the most."""
        quiet = asyncio.create_task(self._book.bell.until(lambda: not self._book.running() or enough()))
        try:
            await _first([quiet, *others], seconds)
        finally:
            quiet.cancel()


async def _kept(work: Callable[[], Awaitable[None]]) -> None:
    """Runs work that must go on while there are leases; starts it again after any error but a refusal."""
    while True:
        try:
            return await work()
        except LonghaulError:
            raise
        except Exception:
            log.exception("a heartbeat failed; heartbeats go on")
            await asyncio.sleep(EMPTY)


async def _first(tasks: list[asyncio.Task[None]], seconds: float | None = None) -> bool:
    """Waits until one of the tasks has ended and raises its error; false if none has ended in time."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return bool(done)
