"""The verbs for tasks, as plans: `Client` and `AsyncClient` run them with a driver."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import quote

from ._http.authority import Authority
from ._http.persist import pauses, persist
from ._http.plan import Answer, Item, Pause, Plan, Request, Stream, duration
from ._plain import plain
from ._watch import Watch, end_heard
from .errors import ServerError, TooManyRequests, Unintelligible, Unreachable, Untrusted
from .events import Changes, Event, read_task
from .model import Attempt, LogLine, Principal, Status, Task, instant_text

T = TypeVar("T")

QUICK = 0.2
"""Seconds a watcher waits between looks at a task that changes."""
SLOW = 2.0
"""Seconds between looks at a task that does not change. The end of a task is reported at once."""
LONG_POLL = 60.0
"""Seconds one request waits for the end of a task."""
SHORT = 1.0
"""Seconds for which no stream is opened."""


class Verbs:
    """The verbs, for one server and one caller. `patience`: seconds to keep asking a silent server."""

    def __init__(self, authority: Authority, patience: float) -> None:
        self._authority = authority
        self._patience = patience

    def logout(self) -> Plan[None]:
        return self._authority.logout()

    def whoami(self) -> Plan[Principal]:
        return self._ask(Request("GET", "/v1/users/me", repeatable=True), _principal)

    def start(
        self,
        workflow: str,
        input: Any,
        *,
        name: str | None,
        version: int | None,
        labels: Mapping[str, str] | None,
        not_before: datetime | None,
        idempotency_key: str | None,
        wait: float | None,
    ) -> Plan[Task]:
        spec: dict[str, Any] = {"workflow": workflow, "input": {} if input is None else plain(input)}
        spec |= {} if name is None else {"name": name}
        spec |= {} if version is None else {"version": version}
        spec |= {} if labels is None else {"labels": dict(labels)}
        spec |= {} if not_before is None else {"notBefore": instant_text(not_before)}
        # A key of its own lets every start be sent again without starting a second task.
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        request = Request.of_json(
            "POST", "/v1/tasks", spec, query=_wait(wait), headers=headers, wait=wait or 0.0, repeatable=True
        )
        return self._ask(request, _task)

    def get(self, id: str, *, include: Iterable[str], summary: bool, wait: float | None) -> Plan[Task]:
        query = {**_shown(include, summary), **_wait(wait)}
        request = Request("GET", _path(id), query, wait=wait or 0.0, repeatable=True)
        return self._ask(request, _task)

    def attempts(self, id: str) -> Plan[tuple[Attempt, ...]]:
        return self._ask(Request("GET", _path(id, "attempts"), repeatable=True), _attempts)

    def logs(self, id: str, *, sub_task: str | None, after: int) -> Stream[LogLine]:
        query = {} if sub_task is None else {"subTask": sub_task}
        while True:
            request = Request("GET", _path(id, "logs"), {**query, "after": str(after)}, repeatable=True)
            lines, after = yield from self._ask(request, _lines)
            for line in lines:
                yield Item(line)
            if not lines:
                return

    def list(
        self,
        *,
        status: Status | str | Iterable[Status | str] | None,
        type: str | None,
        resource_id: str | None,
        resource_type: str | None,
        name: str | None,
        completed_after: datetime | int | None,
        order_by: str | None,
        descending: bool | None,
        summary: bool,
        include: Iterable[str],
        page_size: int,
        limit: int | None,
    ) -> Stream[Task]:
        query = _filters(status, type, resource_id, resource_type, name, completed_after)
        query |= _order(order_by, descending, page_size) | _shown(include, summary)
        yield from self._pages(query, limit)

    def _pages(self, query: Mapping[str, str], limit: int | None) -> Stream[Task]:
        number, given, last = 1, 0, set[str]()
        while limit is None or given < limit:
            request = Request("GET", "/v1/tasks", {**query, "pageNumber": str(number)}, repeatable=True)
            tasks, pages = yield from self._ask(request, _page)
            for task in tasks:
                # Tasks that were started meanwhile push those of one page into the next.
                if task.id in last:
                    continue
                if limit is not None and given >= limit:
                    return
                given += 1
                yield Item(task)
            last = {task.id for task in tasks}
            if not tasks or number >= pages:
                return
            number += 1

    def watch(
        self,
        *,
        status: Status | str | Iterable[Status | str] | None,
        type: str | None,
        resource_id: str | None,
        resource_type: str | None,
        name: str | None,
        completed_after: datetime | int | None,
        order_by: str | None,
        descending: bool | None,
        page_size: int,
        cursor: str | None,
    ) -> Stream[Event]:
        query = _filters(status, type, resource_id, resource_type, name, completed_after)
        query |= _order(order_by, descending, page_size)
        statuses = frozenset(Status.read(one) for one in query.get("taskStatus", "").split(",") if one)
        path = "/v1/tasks/events"
        return Watch(self._authority, self._patience, path, query, cursor=cursor, statuses=statuses).events()

    def watch_task(self, id: str, *, include: Iterable[str], cursor: str | None) -> Stream[Event]:
        path, query = _path(id, "events"), _shown(include, False)
        return Watch(self._authority, self._patience, path, query, cursor=cursor, id=id).events()

    def changes(
        self,
        cursor: str | None,
        *,
        wait: float | None,
        limit: int | None,
        status: Status | str | Iterable[Status | str] | None,
        type: str | None,
        resource_id: str | None,
        resource_type: str | None,
        name: str | None,
        completed_after: datetime | int | None,
    ) -> Plan[Changes]:
        query = _filters(status, type, resource_id, resource_type, name, completed_after) | _wait(wait)
        query |= {} if cursor is None else {"cursor": cursor}
        query |= {} if limit is None else {"limit": str(limit)}
        request = Request("GET", "/v1/changes", query, wait=wait or 0.0, repeatable=True)
        return self._ask(request, lambda answer: Changes.from_json(answer.object()))

    def states(self, id: str, *, include: Iterable[str]) -> Stream[Task]:
        """Yields each state seen, until the end. Waits for a server that restarts, once it has shown the task."""
        tag: str | None = None
        known, pause = False, 0.0
        while True:
            headers = {} if tag is None else {"If-None-Match": tag}
            # The server does the waiting between two looks, as it can tell the end at once.
            task, newer = yield from self._look(id, include, pause, headers, known, None)
            if task is None:
                pause = min(SLOW, pause * 1.5)
                continue
            tag, known = newer, True
            yield Item(task)
            if task.has_ended:
                return
            pause = QUICK

    def wait(self, id: str, *, include: Iterable[str], timeout: float | None) -> Plan[Task]:
        """Waits for the end of a task. Raises `TimeoutError` if that takes too long.

        The stream of the task says when to look again; where there is none, each look waits on the server.
        """
        deadline, known = None if timeout is None else monotonic() + timeout, False
        # The first look does not wait: once the task is known to be there, a restart is waited for.
        span, streams, spans = 0.0, True, pauses(longest=SLOW)
        while True:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            span = span if left is None else min(span, left)
            task, _ = yield from self._look(id, include, span, {}, known, left)
            if task is not None:
                known = True
                if task.has_ended:
                    return task
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"task {id} did not end within {timeout} seconds")
            if streams and (left is None or left > SHORT):
                streams = yield from end_heard(self._authority, _path(id, "events"), left)
                # A stream that broke off is not opened again at once, but the task's end is not missed meanwhile.
                span = next(spans) if streams else LONG_POLL
            else:
                span = LONG_POLL

    def _look(
        self,
        id: str,
        include: Iterable[str],
        wait: float,
        headers: Mapping[str, str],
        known: bool,
        left: float | None,
    ) -> Plan[tuple[Task | None, str | None]]:
        """Looks at a task that the server may hold back for a while; the task and its tag.

        `None` if it did not change, or if there is no answer though the task is known to be there: then the server is
        being restarted.
        """
        began = monotonic()
        query = {**_shown(include, False), **_wait(wait)}
        request = Request("GET", _path(id), query, headers, wait=wait, repeatable=True)
        patience = self._patience if left is None else min(self._patience, left)
        try:
            seen = yield from persist(self._authority, request, _state, patience=patience)
        except (Unreachable, Unintelligible, ServerError, TooManyRequests) as error:
            if not known or isinstance(error, Untrusted):
                raise
            seen = (None, None)
        # A server that stops holds nothing back; it is not to be asked without a pause.
        early = min(wait, SLOW) - (monotonic() - began)
        if early > 0 and (seen[0] is None or not seen[0].has_ended):
            yield Pause(early)
        return seen

    def retry(self, id: str) -> Plan[Task]:
        return self._change(id, Request("PATCH", _path(id)))

    def cancel(self, id: str) -> Plan[Task]:
        return self._change(id, Request("DELETE", _path(id)))

    def skip(self, id: str, sub_task: str, reason: str) -> Plan[Task]:
        path = _path(id, "subtasks", sub_task, "skip")
        return self._change(id, Request.of_json("POST", path, {"reason": reason}))

    def resolve(self, id: str, reason: str, *, sub_task: str | None, done: bool | None, output: Any) -> Plan[Task]:
        spec: dict[str, Any] = {"reason": reason}
        spec |= {} if sub_task is None else {"subTask": sub_task}
        spec |= {} if done is None else {"outcome": "done" if done else "notDone"}
        spec |= {} if output is None else {"output": plain(output)}
        return self._change(id, Request.of_json("POST", _path(id, "resolve"), spec))

    def _change(self, id: str, request: Request) -> Plan[Task]:
        # A server may be set to answer nothing (`wire.action_body = "empty"`).
        changed = yield from self._ask(request, lambda answer: _task(answer) if answer.body else None)
        return changed or (yield from self.get(id, include=(), summary=False, wait=None))

    def _ask(self, request: Request, read: Callable[[Answer], T]) -> Plan[T]:
        return persist(self._authority, request, read, patience=self._patience)


def _path(id: str, *more: str) -> str:
    if not id:
        raise ValueError("a task has an id")
    return "/v1/tasks/" + "/".join(quote(segment, safe="") for segment in (id, *more))


def _wait(seconds: float | None) -> dict[str, str]:
    return {"wait": duration(seconds)} if seconds else {}


def _shown(include: Iterable[str], summary: bool) -> dict[str, str]:
    words = include if isinstance(include, str) else ",".join(include)
    return ({"include": words} if words else {}) | ({"view": "summary"} if summary else {})


def _filters(
    status: Status | str | Iterable[Status | str] | None,
    type: str | None,
    resource_id: str | None,
    resource_type: str | None,
    name: str | None,
    completed_after: datetime | int | None,
) -> dict[str, str]:
    if isinstance(completed_after, datetime):
        completed_after = round(completed_after.timestamp() * 1000)
    filters = {
        "taskStatus": None if status is None else ",".join(_statuses(status)),
        "taskType": type,
        "resourceId": resource_id,
        "resourceType": resource_type,
        "taskName": name,
        "completedAfter": None if completed_after is None else str(completed_after),
    }
    return {key: value for key, value in filters.items() if value is not None}


def _order(order_by: str | None, descending: bool | None, page_size: int) -> dict[str, str]:
    order = {} if order_by is None else {"orderBy": order_by}
    order |= {} if descending is None else {"orderDirection": "DESC" if descending else "ASC"}
    return order | {"pageSize": str(page_size)}


def _statuses(status: Status | str | Iterable[Status | str]) -> Iterable[str]:
    several = [status] if isinstance(status, str) else status
    return [one.value if isinstance(one, Status) else one for one in several]


def _task(answer: Answer) -> Task:
    return read_task(answer.object())


def _state(answer: Answer) -> tuple[Task | None, str | None]:
    return (None, None) if answer.status == 304 else (_task(answer), answer.headers.get("etag"))


def _page(answer: Answer) -> tuple[list[Task], int]:
    body = answer.object()
    return [read_task(task) for task in body["elements"]], int(body["pageMetadata"]["totalPages"])


def _lines(answer: Answer) -> tuple[list[LogLine], int]:
    body = answer.object()
    return [LogLine.from_json(line) for line in body["lines"]], int(body["next"])


def _attempts(answer: Answer) -> tuple[Attempt, ...]:
    return tuple(Attempt.from_json(attempt) for attempt in answer.object()["elements"])


def _principal(answer: Answer) -> Principal:
    body = answer.object()
    if "name" not in body:
        raise KeyError("name")
    return Principal.from_json(body)
