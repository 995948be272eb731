"""Watching a server that is a model: any order of changes, cuts, resets, lost cursors and repeated events."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longhaul import (
    Event,
    LonghaulError,
    Reset,
    Snapshot,
    Status,
    TaskChanged,
    TaskDeleted,
    TaskLeft,
    Unintelligible,
    Unreachable,
)
from longhaul._http.authority import Authority
from longhaul._http.plan import Answer, Item, More, Pause, Request
from longhaul._watch import Watch

PAGE = 3
GOING = "In Progress"


class Model:
    """A server of tasks, whose filter lets tasks through by status: all, or those in progress."""

    def __init__(self, dice: random.Random, only_going: bool) -> None:
        self._dice = dice
        self._only_going = only_going
        self.tasks: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self._log: list[str] = []
        self._earlier: list[tuple[int, dict[str, dict[str, Any]]]] = []
        """States of the past, as a node that is late has them, with the lengths of the log then."""
        self.faults = True
        self.rows: list[str] = []
        """The rows of the latest snapshot."""
        self._sent = 0
        self._line = b""
        self._open = False

    def change(self) -> None:
        """Starts, changes, ends or deletes a task."""
        self._earlier.append((len(self._log), {id: {**task} for id, task in self.tasks.items()}))
        deed, ids = self._dice.random(), [*self.tasks]
        if deed < 0.3 or not ids:
            id = f"t{len(self.tasks) + len(self.deleted)}"
            self.tasks[id] = {"id": id, "name": id, "status": GOING, "version": 1}
        else:
            id = self._dice.choice(ids)
            if deed < 0.4:
                del self.tasks[id]
                self.deleted.add(id)
            else:
                status = GOING if deed < 0.7 else "Failed" if deed < 0.8 else "Successful"
                self.tasks[id] |= {"status": status, "version": self.tasks[id]["version"] + 1}
        self._log.append(id)

    def _fits(self, task: dict[str, Any]) -> bool:
        return not self._only_going or task["status"] == GOING

    def answer(self, request: Request) -> Answer | LonghaulError:
        """Answers a look at a task, or opens the stream: a snapshot or what changed since the cursor."""
        if self.faults and self._dice.random() < 0.3:
            page = Answer(200, {"content-type": "text/html"}, b"<html>")
            odd: list[Answer | LonghaulError] = [Answer(404, {}, b"no route"), Answer(503, {}, b"")]
            return self._dice.choice([Unreachable("nobody"), page, *odd])
        if request.quiet is None:
            task = self.tasks.get(request.path.rsplit("/", 1)[1])
            return refusal(404, "TA_TASK_NOT_FOUND") if task is None else Answer(200, {}, json.dumps(task).encode())
        cursor = request.query.get("cursor")
        if cursor is not None and self.faults and self._dice.random() < 0.3:
            return refusal(410, "CURSOR_GONE")
        self._line, self._open = b"", True
        if cursor is None:
            self._sent, tasks = len(self._log), self.tasks
            if self.faults and self._earlier and self._dice.random() < 0.3:
                self._sent, tasks = self._earlier[-self._dice.randint(1, min(3, len(self._earlier)))]
            rows = [id for id in reversed(tasks) if self._fits(tasks[id])]
            self.rows = rows[:PAGE]
            for id in self.rows:
                self._say("task", tasks[id])
            metadata = {"pageNumber": 1, "pageSize": PAGE, "totalElements": len(rows), "totalPages": 1}
            self._say("snapshot", {"pageMetadata": metadata}, str(self._sent))
        else:
            # At times from further back than asked for, so that what is known comes again.
            self._sent = int(cursor) if not self.faults else self._dice.randint(0, int(cursor))
        return Answer(200, {"content-type": "text/event-stream"}, b"")

    def more(self) -> Answer | LonghaulError:
        """The next bytes of the stream, at times none or a reset."""
        if self.faults and self._dice.random() < 0.2:
            self._open = False
            ends: list[Answer | LonghaulError] = [Unreachable("reset"), Unintelligible("odd"), Answer(200, {}, b"")]
            return self._dice.choice(ends)
        if self.faults and self._dice.random() < 0.1:
            code = self._dice.choice(["READER_TOO_SLOW", "SERVER_STOPPING", "SESSION_ENDED", "FEED_INTERRUPTED"])
            self._say("reset", {"errorCode": code, "message": "it ends"})
        for place in range(self._sent, len(self._log)):
            id, cursor = self._log[place], str(place + 1)
            if id in self.deleted:
                self._say("deleted", {"id": id}, cursor)
            elif self._fits(self.tasks[id]):
                self._say("task", self.tasks[id], cursor)
            else:
                self._say("left", {"id": id, "version": self.tasks[id]["version"]}, cursor)
        self._sent = len(self._log)
        if not self._line:
            self._say("bookmark", {"totalElements": len(self.tasks)}, str(self._sent))
        size = self._dice.randint(1, len(self._line)) if self.faults else len(self._line)
        part, self._line = self._line[:size], self._line[size:]
        return Answer(200, {}, part)

    def _say(self, kind: str, data: dict[str, Any], id: str | None = None) -> None:
        place = "" if id is None else f"id: {id}\n"
        self._line += f"event: {kind}\n{place}data: {json.dumps(data)}\n\n".encode()


def refusal(status: int, code: str) -> Answer:
    return Answer(status, {}, json.dumps({"errorCode": code, "message": "no"}).encode())


class Caller:
    """A caller that believes what it is told."""

    def __init__(self) -> None:
        self.view: dict[str, int] = {}
        self.going: dict[str, int] = {}
        """The tasks that were under way at the last word of them."""
        self._versions: dict[str, int] = {}

    def told(self, event: Event) -> None:
        if isinstance(event, Reset):
            self.view.clear()
        elif isinstance(event, TaskChanged):
            version = event.task.version or 0
            assert event.task.id not in self.view or version > self.view[event.task.id], "each version once"
            self._newer(event.task.id, version)
            self.view[event.task.id] = version
            if not event.task.has_ended:
                self.going[event.task.id] = version
        elif isinstance(event, TaskLeft):
            self._newer(event.id, event.version)
            self.view.pop(event.id, None)
        elif isinstance(event, TaskDeleted):
            self.view.pop(event.id, None)
            self.going.pop(event.id, None)

    def _newer(self, id: str, version: int) -> None:
        assert version >= self._versions.get(id, 0), f"the version of {id} falls"
        self._versions[id] = version
        self.going.pop(id, None)


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.booleans())
def test_no_end_is_missed_and_no_version_falls(seed: int, only_going: bool) -> None:
    dice = random.Random(seed)
    model, caller = Model(dice, only_going), Caller()
    statuses = frozenset({Status.IN_PROGRESS} if only_going else ())
    # The first connection has all the time there is, too, as the pauses of this test are none.
    plan = Watch(Authority(token="k"), 1e9, "/v1/tasks/events", {}, statuses=statuses).events()
    outcome: Answer | LonghaulError | None = None
    snapshots = 0
    for turn in range(400):
        model.faults = turn < 300
        if turn < 300 and dice.random() < 0.2:
            model.change()
        step = plan.throw(outcome) if isinstance(outcome, LonghaulError) else plan.send(outcome)
        outcome = None
        if isinstance(step, Item):
            caller.told(step.value)
            snapshots += isinstance(step.value, Snapshot)
        elif isinstance(step, Request):
            outcome = model.answer(step)
        elif isinstance(step, More):
            outcome = model.more()
        else:
            assert isinstance(step, Pause)
            assert 0 < step.seconds <= 10
    plan.close()
    assert snapshots > 0
    for id, version in caller.going.items():
        assert id in model.tasks, f"{id} was deleted"
        assert (model.tasks[id]["status"], model.tasks[id]["version"]) == (GOING, version)
    for id, version in caller.view.items():
        assert id in model.tasks
        assert model.tasks[id]["version"] == version
    kept = [id for id in model.rows if id in model.tasks]
    assert {id for id in kept if not only_going or model.tasks[id]["status"] == GOING} <= set(caller.view)


def told(*streams: bytes) -> tuple[list[Event], list[Request]]:
    """The events that a watcher shows of streams, each of which breaks at its end; and what it asked."""
    plan = Watch(Authority(token="k"), 0, "/v1/tasks/events", {}).events()
    left, events, requests = list(streams), list[Event](), list[Request]()
    part, outcome = b"", None
    while True:
        step = plan.send(outcome)
        outcome = None
        if isinstance(step, Item):
            events.append(step.value)
        elif isinstance(step, Request):
            if not left:
                return events, requests
            requests.append(step)
            part, outcome = left.pop(0), Answer(200, {"content-type": "text/event-stream; charset=utf-8"}, b"")
        elif isinstance(step, More):
            part, outcome = b"", Answer(200, {}, part)


SNAPSHOT = b'event: snapshot\nid: c1\ndata: {"pageMetadata": {}}\n\n'
IMPORTED = b'event: task\ndata: {"id": "a", "name": "a", "status": "Failed"}\n\n'


def test_tasks_without_versions_are_shown_whenever_they_come() -> None:
    events, requests = told(IMPORTED + SNAPSHOT + IMPORTED, IMPORTED)
    assert [type(event) for event in events] == [TaskChanged, Snapshot, TaskChanged, TaskChanged]
    assert [request.query for request in requests] == [{}, {"cursor": "c1"}]


@pytest.mark.parametrize("code", ["READER_TOO_SLOW", "CURSOR_GONE", "FEED_INTERRUPTED", "ANOTHER"])
def test_a_reset_begins_anew(code: str) -> None:
    reset = f'event: reset\ndata: {{"errorCode": "{code}", "message": "no"}}\n\n'.encode()
    events, requests = told(SNAPSHOT + reset, SNAPSHOT)
    assert [type(event) for event in events] == [Snapshot, Reset, Snapshot]
    assert [request.query for request in requests] == [{}, {}]


@pytest.mark.parametrize("code", ["SERVER_STOPPING", "SESSION_ENDED"])
def test_a_stream_that_only_ends_is_gone_on_with(code: str) -> None:
    reset = f'event: reset\ndata: {{"errorCode": "{code}", "message": "no"}}\n\n'.encode()
    events, requests = told(SNAPSHOT + reset, IMPORTED)
    assert [type(event) for event in events] == [Snapshot, TaskChanged]
    assert [request.query for request in requests] == [{}, {"cursor": "c1"}]


def test_events_of_later_versions_of_the_server_are_passed_over() -> None:
    events, _ = told(SNAPSHOT + b"event: novel\nid: c2\ndata: {}\n\n", b"")
    assert [type(event) for event in events] == [Snapshot]
