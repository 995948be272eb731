"""Reports: what is finished goes to the server in batches, and each asks for as much new work."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._http.drive import AsyncDriver
from ..errors import ApiError, Conflict, Forbidden, Unauthorized
from .asker import Asker
from .book import Book
from .ending import failure
from .heartbeat import Heartbeat
from .protocol import MAX_BODY, MAX_ENTRIES, Calls, Leased, Recorded, Result, Wanted, in_order

log = logging.getLogger("longhaul.worker")

TOGETHER = 0.003
"""Results within this many seconds are reported together while other attempts run."""


class Reporter:
    """`wanted` says what to lease with so many free places, `admit` takes what was leased."""

    def __init__(
        self,
        book: Book,
        driver: AsyncDriver,
        asker: Asker,
        calls: Calls,
        heartbeat: Heartbeat,
        wanted: Callable[[int], Wanted | None],
        admit: Callable[[Leased], None],
    ) -> None:
        self._book = book
        self._driver = driver
        self._asker = asker
        self._calls = calls
        self._heartbeat = heartbeat
        self._wanted = wanted
        self._admit = admit
        self._pending: deque[Result] = deque()
        self._busy = False
        self._closed = False

    def add(self, result: Result) -> None:
        self._pending.append(result)
        self._book.bell.ring()

    def close(self) -> None:
        """Ends `run` once everything is reported."""
        self._closed = True
        self._book.bell.ring()

    @property
    def idle(self) -> bool:
        """True if there is nothing to report. Otherwise a report asks for work, and no other call need."""
        return not self._pending and not self._busy

    async def run(self) -> None:
        while True:
            await self._book.bell.until(lambda: self._pending or self._closed)
            if not self._pending:
                return
            if self._book.running():
                await asyncio.sleep(TOGETHER)
            self._busy = True
            try:
                await self._tell(self._batch())
            finally:
                self._busy = False
                self._book.bell.ring()

    def _batch(self) -> list[Result]:
        batch: list[Result] = []
        size = 0
        while self._pending and len(batch) < MAX_ENTRIES:
            if batch and size + self._pending[0].size > MAX_BODY:
                break
            size += self._pending[0].size
            batch.append(self._pending.popleft())
        return in_order(batch)

    async def _tell(self, batch: list[Result]) -> None:
        await self._heartbeat.flush(result.lease for result in batch)
        wanted = self._wanted(self._book.free())
        with self._book.reserve(wanted.max if wanted else 0):
            recorded = await self._report(batch, wanted)
        if recorded is not None:
            self._admit(recorded.leased)

    async def _report(self, batch: Sequence[Result], wanted: Wanted | None) -> Recorded | None:
        request = self._calls.report(batch, wanted)
        plan = self._asker.ask(request, lambda answer: Recorded.read(answer, len(batch)))
        try:
            recorded = await self._driver.run(plan)
        except (Unauthorized, Forbidden):
            raise
        except Conflict as error:
            # The whole call was refused.
            for result in batch:
                self._judge(result, {"status": 409, "error": {"message": error.message}})
            return None
        except ApiError as error:
            if len(batch) > 1:
                # Sending them one by one finds the one to blame.
                for result in batch:
                    await self._report([result], None)
            else:
                self._replace(batch[0], error.status, error.message)
            return None
        for result, became in zip(batch, recorded.results, strict=True):
            self._judge(result, became)
        return recorded

    def _judge(self, result: Result, became: Mapping[str, Any]) -> None:
        status = became.get("status")
        message = str((became.get("error") or {}).get("message", ""))
        if status == 413:
            self._replace(result, 413, message)
            return
        if status != 200:
            log.warning("the result of %s is no longer accepted: %s", result.lease, message)
        self._book.settle(result.lease)

    def _replace(self, result: Result, status: int, message: str) -> None:
        """Reports a minimal failure in place of a result that the server refused."""
        log.error("the server refused a result of %s (%s): %s", result.lease, status, message)
        code = "OUTPUT_TOO_LARGE" if status == 413 else "REPORT_REFUSED"
        instead = failure(result.lease, code, message or "the server refused the result", retryable=False)
        if result.kind == "released" or result.members == instead.members or self._was_replaced(result):
            self._book.settle(result.lease)
        else:
            self.add(instead)

    @staticmethod
    def _was_replaced(result: Result) -> bool:
        return (result.members.get("error") or {}).get("code") in ("OUTPUT_TOO_LARGE", "REPORT_REFUSED")
