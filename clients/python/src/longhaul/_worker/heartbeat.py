"""Heartbeats: they extend leases, carry news of the work, and learn what was cancelled.

Two loops. One listens: a long poll for all leases that have lasted a while, so that a cancellation is known at once;
each extends them, and lasts a third of the lease. The other sends news, and extends what the first does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from .._http.cancel import end
from .._http.drive import AsyncDriver
from .._http.persist import LONGEST
from ..errors import ApiError, Forbidden, Unauthorized
from .asker import Asker
from .attempt import Attempt
from .book import Book
from .protocol import MAX_ENTRIES, MAX_WAIT, Beat, Calls

log = logging.getLogger("longhaul.worker")

NEWS = 1.0
"""The least seconds between two heartbeats with news."""
YOUNG = 1.0
"""Seconds within which an attempt needs no heartbeat."""
PACE = 0.25
"""The least seconds between the starts of two long polls."""
NEWS_BODY = 1024 * 1024
"""The most characters of log in one heartbeat: few enough even if JSON needs six bytes for each."""


class Heartbeat:
    def __init__(self, book: Book, driver: AsyncDriver, asker: Asker, calls: Calls) -> None:
        self._book = book
        self._driver = driver
        self._asker = asker
        self._calls = calls
        self._beating = asyncio.Lock()
        self._last = -NEWS
        self._telling: set[Attempt] = set()
        """The attempts of which stages or lines are on their way to the server."""

    async def beat(self) -> None:
        """Sends news, without end, and extends leases that are due."""
        while True:
            now = monotonic()
            due = [attempt for attempt in self._book.all_held() if self._due(attempt) <= now]
            if due:
                await self._send_news(due[:MAX_ENTRIES])
            else:
                await self._book.bell.wait(self._until(self._due))

    async def listen(self) -> None:
        """Sends long polls, without end, for attempts that are no longer young; each starts anew when more join."""
        while True:
            group = [attempt for attempt in self._book.all_held() if self._joins(attempt) <= monotonic()][:MAX_ENTRIES]
            if group:
                await self._listen(group)
            else:
                await self._book.bell.wait(self._until(self._joins))

    async def flush(self, leases: Iterable[str]) -> None:
        """Sends the last stages and log lines before the result, after which no more are accepted."""
        held = [attempt for lease in leases if (attempt := self._book.held(lease)) is not None]
        while True:
            untold = [attempt for attempt in held if attempt.context._has_more_than_progress()]
            if untold:
                await self._send_news(untold)
            elif self._telling.isdisjoint(held):
                return
            else:
                # Lines that are on their way come before those that the result has.
                async with self._beating:
                    pass

    async def _send_news(self, attempts: list[Attempt]) -> None:
        async with self._beating:
            news = [(attempt, attempt.context._take_news(NEWS_BODY // len(attempts))) for attempt in attempts]
            self._last = monotonic()
            self._telling = {attempt for attempt, told in news if told.keys() - {"progress"}}
            entries = [{"lease": attempt.lease.id, **told} for attempt, told in news]
            try:
                await self._send(entries, wait=0.0, span=min(attempt.lease.span for attempt in attempts))
            except (Unauthorized, Forbidden):
                raise
            except ApiError as error:
                await self._refused(news, error)
            except BaseException:
                for attempt, told in news:
                    attempt.context._put_back(told)
                raise
            finally:
                self._telling = set()

    async def _refused(self, news: list[tuple[Attempt, dict[str, Any]]], error: ApiError) -> None:
        """Drops news that the server refuses, so that the rest is delivered."""
        for attempt, told in news:
            entry = {"lease": attempt.lease.id, **told}
            try:
                if len(news) == 1:
                    raise error
                await self._send([entry], wait=0.0, span=attempt.lease.span)
            except (Unauthorized, Forbidden):
                raise
            except ApiError as refusal:
                log.error("the server refused what was told of %s: %s", attempt.lease.id, refusal)
        await asyncio.sleep(NEWS)

    async def _listen(self, group: list[Attempt]) -> None:
        began = monotonic()
        span = min(attempt.lease.span for attempt in group)
        wait = min(MAX_WAIT, max(PACE, min(attempt.until - began for attempt in group) / 3))
        entries = [{"lease": attempt.lease.id} for attempt in group]
        call = asyncio.create_task(self._send(entries, wait=wait, span=span))
        more = asyncio.create_task(self._somebody_joins(group))
        try:
            await asyncio.wait({call, more}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                return
            ended = call.result()
        except (Unauthorized, Forbidden):
            raise
        except ApiError as error:
            log.error("the server refused a heartbeat: %s", error)
            ended = False
        finally:
            await end((call, more))
        # A server that stops answers early and has nothing to say.
        pace = PACE if ended else min(NEWS, wait)
        await asyncio.sleep(max(0.0, pace - (monotonic() - began)))

    async def _somebody_joins(self, group: list[Attempt]) -> None:
        members = set(group)
        while True:
            # There is room for so many; the other loop keeps the rest.
            full = len(group) == MAX_ENTRIES
            others = [] if full else [attempt for attempt in self._book.all_held() if attempt not in members]
            if any(self._joins(attempt) <= monotonic() for attempt in others):
                return
            await self._book.bell.wait(_next(map(self._joins, others)))

    async def _send(self, entries: list[dict[str, Any]], *, wait: float, span: float) -> bool:
        """Sends a heartbeat until it is answered; true if it cancelled or ended a lease."""
        third = span / 3
        request = self._calls.heartbeat(entries, wait=wait, patience=min(LONGEST, max(1.0, third)))
        plan = self._asker.ask(request, lambda answer: Beat.read(answer, len(entries)), longest=third)
        ended = False
        for told in await self._driver.run(plan):
            ended = self._learn(told) or ended
        return ended

    def _learn(self, told: Beat) -> bool:
        attempt = self._book.held(told.lease)
        if attempt is None:
            # The result was recorded meanwhile.
            return True
        if told.refusal is not None:
            log.error("the server refused what was told of %s: %s", attempt.lease.id, told.refusal)
        if told.state == "lost":
            if not attempt.ended:
                log.warning("the lease of %s is lost: its work is to stop", attempt.lease.id)
                attempt.stop("lost")
            self._book.settle(attempt.lease.id)
            return True
        attempt.until = monotonic() + (attempt.lease.span if told.span is None else told.span)
        if told.state == "cancelled" and not attempt.cancelled:
            attempt.cancelled = True
            attempt.stop("cancelled")
            return True
        return False

    def _due(self, attempt: Attempt) -> float:
        """The moment at which an attempt needs a heartbeat besides the long polls."""
        due = attempt.until - attempt.lease.span * (2 / 3 if attempt.cancelled else 1 / 2)
        return min(due, self._last + NEWS) if attempt.context._has_news() and not attempt.ended else due

    def _joins(self, attempt: Attempt) -> float:
        """The moment at which an attempt joins the long polls: never once cancelled, as that would end each poll."""
        return float("inf") if attempt.cancelled else attempt.since + min(YOUNG, attempt.lease.span / 3)

    def _until(self, when: Callable[[Attempt], float]) -> float | None:
        return _next(map(when, self._book.all_held()))


def _next(moments: Iterable[float]) -> float | None:
    """Seconds until the first of the moments; `None` if there is none."""
    first = min(moments, default=float("inf"))
    return None if first == float("inf") else max(0.0, first - monotonic())
