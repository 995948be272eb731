"""The client of asyncio. `Client` is the same for programs that block."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, overload

from ._http.connection import connect
from ._http.drive import AsyncDriver
from ._verbs import Verbs
from .events import Changes, Event
from .model import Attempt, LogLine, Principal, Status, Task


class AsyncClient:
    """Starts, finds, watches, retries and cancels tasks. For one event loop.

    Give an API key, or a user and password, which become a session that renews itself. What is not given is read from
    `LONGHAUL_SERVER`, `LONGHAUL_TOKEN`, `LONGHAUL_USER`, `LONGHAUL_PASSWORD`, `LONGHAUL_CA` and `LONGHAUL_INSECURE`.
    `answer`: how many seconds an answer may take; `patience`: for how long a server that does not answer, or is busy,
    is asked again, where that can do no harm.
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
        answer: float = 30.0,
        patience: float = 30.0,
    ) -> None:
        connection, authority = connect(
            server, api_key=api_key, user=user, password=password, ca=ca, insecure=insecure, answer=answer
        )
        self._driver = AsyncDriver(connection)
        self._verbs = Verbs(authority, patience)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. The session, if there is one, goes on; `logout` ends it."""
        await self._driver.close()

    async def logout(self) -> None:
        """Ends the session on the server."""
        await self._driver.run(self._verbs.logout())

    async def whoami(self) -> Principal:
        """The account that the credential belongs to."""
        return await self._driver.run(self._verbs.whoami())

    async def start(
        self,
        workflow: str,
        input: Any = None,
        *,
        name: str | None = None,
        version: int | None = None,
        labels: Mapping[str, str] | None = None,
        not_before: datetime | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Task:
        """Starts a task of a workflow. It is durable when this returns.

        The same `idempotency_key` and request never start a second task; without one, a key is made for this call, so
        that it can be sent again. `wait`: seconds to wait for the end of the task, 300 at the most.
        """
        return await self._driver.run(
            self._verbs.start(
                workflow,
                input,
                name=name,
                version=version,
                labels=labels,
                not_before=not_before,
                idempotency_key=idempotency_key,
                wait=wait,
            )
        )

    async def get(
        self, id: str, *, include: Iterable[str] = (), summary: bool = False, wait: float | None = None
    ) -> Task:
        """A task. `include`: also `input`, `labels`, `outputs`, or `all`. `summary`: only sub-tasks that failed."""
        return await self._driver.run(self._verbs.get(id, include=include, summary=summary, wait=wait))

    async def attempts(self, id: str) -> tuple[Attempt, ...]:
        """Every execution of a task's sub-tasks."""
        return await self._driver.run(self._verbs.attempts(id))

    def logs(self, id: str, *, sub_task: str | None = None, after: int = 0) -> AsyncIterator[LogLine]:
        """Log lines of a task's sub-tasks so far, those after line number `after`."""
        return self._driver.each(self._verbs.logs(id, sub_task=sub_task, after=after))

    def list(
        self,
        *,
        status: Status | str | Iterable[Status | str] | None = None,
        type: str | None = None,
        resource_id: str | None = None,
        resource_type: str | None = None,
        name: str | None = None,
        completed_after: datetime | int | None = None,
        order_by: str | None = None,
        descending: bool | None = None,
        summary: bool = False,
        include: Iterable[str] = (),
        page_size: int = 100,
        limit: int | None = None,
    ) -> AsyncIterator[Task]:
        """Iterates over matching tasks, newest first unless `order_by` is given; pages are fetched as needed."""
        return self._driver.each(
            self._verbs.list(
                status=status,
                type=type,
                resource_id=resource_id,
                resource_type=resource_type,
                name=name,
                completed_after=completed_after,
                order_by=order_by,
                descending=descending,
                summary=summary,
                include=include,
                page_size=page_size,
                limit=limit,
            )
        )

    @overload
    def watch(self, id: str, *, include: Iterable[str] = ()) -> AsyncIterator[Task]: ...

    @overload
    def watch(
        self,
        *,
        status: Status | str | Iterable[Status | str] | None = None,
        type: str | None = None,
        resource_id: str | None = None,
        resource_type: str | None = None,
        name: str | None = None,
        completed_after: datetime | int | None = None,
        order_by: str | None = None,
        descending: bool | None = None,
        page_size: int = 100,
        cursor: str | None = None,
    ) -> AsyncGenerator[Event, None]: ...

    def watch(
        self,
        id: str | None = None,
        *,
        include: Iterable[str] = (),
        status: Status | str | Iterable[Status | str] | None = None,
        type: str | None = None,
        resource_id: str | None = None,
        resource_type: str | None = None,
        name: str | None = None,
        completed_after: datetime | int | None = None,
        order_by: str | None = None,
        descending: bool | None = None,
        page_size: int = 100,
        cursor: str | None = None,
    ) -> AsyncIterator[Task] | AsyncGenerator[Event, None]:
        """Iterates over the events of tasks that match: a snapshot of `page_size` rows, then each change without end.

        Events are `TaskChanged`, `TaskLeft` (it matches no longer) and `TaskDeleted`; `Snapshot` ends the snapshot,
        `Bookmark` is a sign of life. Once connected, it waits for a server that restarts, and goes on where it was.
        Where that place is gone, `Reset` comes, and a snapshot again, with whatever became of the tasks that were under
        way. The version of a task never falls. `cursor`, of an event of an earlier run, goes on from there without a
        snapshot. The iterator ends when it is closed.

        With an `id`: yields that task each time it changes, until its end; `include` as in `get`.
        """
        if id is not None:
            return self._driver.each(self._verbs.states(id, include=include))
        return self._driver.each(
            self._verbs.watch(
                status=status,
                type=type,
                resource_id=resource_id,
                resource_type=resource_type,
                name=name,
                completed_after=completed_after,
                order_by=order_by,
                descending=descending,
                page_size=page_size,
                cursor=cursor,
            )
        )

    def watch_task(
        self, id: str, *, include: Iterable[str] = (), cursor: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """Iterates over the events of one task, as `watch` does, until it is deleted: a task that ended may go on."""
        return self._driver.each(self._verbs.watch_task(id, include=include, cursor=cursor))

    async def changes(
        self,
        cursor: str | None = None,
        *,
        wait: float | None = None,
        limit: int | None = None,
        status: Status | str | Iterable[Status | str] | None = None,
        type: str | None = None,
        resource_id: str | None = None,
        resource_type: str | None = None,
        name: str | None = None,
        completed_after: datetime | int | None = None,
    ) -> Changes:
        """One page of changes since `cursor`; without one, no changes, and the cursor of now.

        `wait`: seconds to wait for a change. `limit`: the most changes of the page. Raises `Gone` for a cursor that is
        too old: `list` the tasks anew then.
        """
        return await self._driver.run(
            self._verbs.changes(
                cursor,
                wait=wait,
                limit=limit,
                status=status,
                type=type,
                resource_id=resource_id,
                resource_type=resource_type,
                name=name,
                completed_after=completed_after,
            )
        )

    async def wait(self, id: str, *, timeout: float | None = None, include: Iterable[str] = ()) -> Task:
        """Waits for a task to end and returns it. Raises `TimeoutError` after `timeout` seconds."""
        return await self._driver.run(self._verbs.wait(id, include=include, timeout=timeout))

    async def retry(self, id: str) -> Task:
        """Continues a failed task from the sub-tasks that failed."""
        return await self._driver.run(self._verbs.retry(id))

    async def cancel(self, id: str) -> Task:
        """Cancels a task that has not ended. Running sub-tasks are told to stop and given some time."""
        return await self._driver.run(self._verbs.cancel(id))

    async def skip(self, id: str, sub_task: str, reason: str) -> Task:
        """Continues a failed task without one of its failed sub-tasks."""
        return await self._driver.run(self._verbs.skip(id, sub_task, reason))

    async def resolve(
        self,
        id: str,
        reason: str,
        *,
        sub_task: str | None = None,
        done: bool | None = None,
        output: Any = None,
    ) -> Task:
        """Marks a failure as dealt with, or says whether a sub-task of unknown outcome was done."""
        return await self._driver.run(self._verbs.resolve(id, reason, sub_task=sub_task, done=done, output=output))
