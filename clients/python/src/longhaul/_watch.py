"""Watching by the live feed: reconnecting where it broke off, beginning anew where that place is gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import monotonic

from ._http.authority import Authority
from ._http.persist import pauses, persist
from ._http.plan import EVENT_STREAM, Answer, Item, More, Pause, Plan, Request, Stream
from ._http.sse import Message, Messages
from .errors import Gone, LonghaulError, NotFound, Unintelligible, Unreachable
from .events import Event, Reset, Snapshot, TaskChanged, TaskDeleted, TaskLeft, read_event, read_task
from .model import Status, Task

QUIET = 45.0
"""Seconds of silence after which a stream is broken; the server's bookmarks come every 15 seconds."""
QUIET_WAIT = 20.0
"""The same for `wait`, which then looks at its task by itself."""
HARMLESS = ("SERVER_STOPPING", "SESSION_ENDED")
"""Reasons of a `reset` that end the stream only: the cursor stays good."""
MOST_KNOWN = 100_000
"""Tasks whose versions are kept; beyond that, those that ended are forgotten first."""


class Known:
    """The versions of the tasks that a watcher has shown, so that none falls."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[int, bool]] = {}
        """By task: the version shown since the last new beginning, and whether the task is under way."""
        self._before: dict[str, tuple[int, bool]] = {}
        """The same of earlier beginnings."""
        self._limit = MOST_KNOWN

    def __bool__(self) -> bool:
        return bool(self._now)

    def accepts(self, id: str, version: int | None) -> bool:
        """True for a newer version; after a new beginning, once for the version shown before it, too.

        Imported tasks have no versions: whatever comes of them is shown.
        """
        if version is None:
            return True
        return version > self._now.get(id, (-1,))[0] and version >= self._before.get(id, (-1,))[0]

    def note(self, id: str, version: int | None, under_way: bool) -> None:
        """Notes a version that is shown."""
        last, _ = self._now.pop(id, (0, False))
        self._now[id] = (last if version is None else version, under_way)
        if len(self._now) > self._limit:
            _thin(self._now)
            self._limit = max(MOST_KNOWN, 2 * len(self._now))

    def forget(self, id: str) -> None:
        self._now.pop(id, None)
        self._before.pop(id, None)

    def begin_anew(self) -> None:
        self._before |= self._now
        self._now = {}
        if len(self._before) > MOST_KNOWN:
            _thin(self._before)

    def unseen(self) -> list[str]:
        """Tasks that were under way before the new beginning and are not in its snapshot."""
        return [id for id, (_, under_way) in self._before.items() if under_way and id not in self._now]


def _thin(known: dict[str, tuple[int, bool]]) -> None:
    """Forgets half of the tasks that are not under way, those first that did not change for longest."""
    ended = [id for id, (_, under_way) in known.items() if not under_way]
    for id in ended[: len(ended) // 2 + 1]:
        del known[id]


class Watch:
    """One run of `watch` or `watch_task`. `patience`: seconds that the first connection may take to come about.

    `statuses`: those that the filters let through; empty for all. `id`: of the one task watched.
    """

    def __init__(
        self,
        authority: Authority,
        patience: float,
        path: str,
        query: Mapping[str, str],
        *,
        cursor: str | None = None,
        statuses: frozenset[Status] = frozenset(),
        id: str | None = None,
    ) -> None:
        self._authority = authority
        self._patience: float | None = patience
        self._path, self._query = path, query
        self._cursor = cursor
        self._statuses = statuses
        self._id = id
        self._known = Known()
        self._messages = Messages()
        self._queue: deque[Message] = deque()
        self._waits = pauses()

    def events(self) -> Stream[Event]:
        """Events until the caller stops; those of one task until it is deleted."""
        while True:
            over = yield from self._opened()
            if over is not None:
                yield Item(over)
                if isinstance(over, TaskDeleted):
                    return
                continue
            # Where the cursor is gone, or came with no event yet, the snapshot comes first.
            in_snapshot, fault = self._cursor is None, None
            while (event := (yield from self._next())) is not None:
                if isinstance(event, Reset):
                    if event.fault is None or event.fault.code not in HARMLESS:
                        fault, self._cursor = event.fault, None
                    break
                if isinstance(event, Snapshot):
                    yield from self._unseen()
                    in_snapshot = False
                elif not in_snapshot:
                    self._waits = pauses()
                self._cursor = event.cursor or self._cursor
                if self._accepts(event):
                    yield Item(event)
                if isinstance(event, TaskDeleted) and self._id is not None:
                    return
            if self._cursor is None and (self._known or fault is not None):
                self._known.begin_anew()
                yield Item(Reset(fault))
            yield Pause(next(self._waits))

    def _opened(self) -> Plan[Reset | TaskDeleted | None]:
        """Opens the stream; what has become of it otherwise."""
        self._messages, self._queue = Messages(), deque()
        place = {} if self._cursor is None else {"cursor": self._cursor}
        request = listening(self._path, {**self._query, **place}, QUIET)
        try:
            yield from persist(self._authority, request, stream_only, patience=self._patience)
        except Gone as error:
            if self._cursor is None:
                raise
            self._cursor = None
            self._known.begin_anew()
            return Reset(error.fault)
        except NotFound:
            if self._id is None or self._patience is not None:
                raise
            return TaskDeleted(self._id)
        # Whoever was there once is waited for.
        self._patience = None
        return None

    def _next(self) -> Plan[Event | None]:
        """The next event; `None` once the stream has ended or broken, or is none of the server's."""
        while True:
            try:
                while not self._queue:
                    self._queue.extend((yield from heard(self._messages)))
                message = self._queue.popleft()
                event = event_of(message)
            except (EOFError, Unreachable, Unintelligible):
                return None
            if event is not None:
                return event

    def _accepts(self, event: Event) -> bool:
        """Notes the version of an event; false for one that is to be dropped."""
        if isinstance(event, TaskDeleted):
            self._known.forget(event.id)
            return True
        if not isinstance(event, TaskChanged | TaskLeft):
            return True
        if isinstance(event, TaskChanged):
            id, version, under_way = event.task.id, event.task.version, not event.task.has_ended
        else:
            id, version, under_way = event.id, event.version, False
        accepted = self._known.accepts(id, version)
        if accepted:
            self._known.note(id, version, under_way)
        return accepted

    def _unseen(self) -> Stream[Event]:
        """Looks up tasks that were under way and are not in a later snapshot: they changed, or went out of its page."""
        for id in self._known.unseen():
            query = {"view": "summary", "include": "all"}
            request = Request("GET", f"/v1/tasks/{id}", query, repeatable=True)
            event: Event
            try:
                task = yield from persist(self._authority, request, _task, patience=None)
            except NotFound:
                event = TaskDeleted(id)
            else:
                fits = not self._statuses or task.status in self._statuses
                event = TaskChanged(task) if fits else TaskLeft(id, task.version or 0)
            if self._accepts(event):
                yield Item(event)


def listening(path: str, query: Mapping[str, str], quiet: float) -> Request:
    """A request for an event stream, which is broken after `quiet` seconds without a byte."""
    headers = {"Accept": EVENT_STREAM, "Accept-Encoding": "identity", "Cache-Control": "no-store"}
    return Request("GET", path, query, headers, quiet=quiet, repeatable=True)


def stream_only(answer: Answer) -> Answer:
    """The answer, which is an event stream; `ValueError` if it is anything else, such as a proxy's page."""
    if not answer.is_stream():
        raise ValueError("it is no event stream")
    return answer


def heard(messages: Messages) -> Plan[list[Message]]:
    """The messages that the next bytes complete. Raises `EOFError` at the end of the stream."""
    answer = yield More()
    assert answer is not None, "a stream is read on, or Unreachable is raised"
    if not answer.body:
        raise EOFError
    return messages.feed(answer.body)


def event_of(message: Message) -> Event | None:
    """The event of a message; `None` for an unknown kind. Raises `Unintelligible` if it cannot be read."""
    try:
        return read_event(message.kind, message.id, Answer(200, {}, message.data.encode()).object())
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise Unintelligible(f"the event {message.kind!r} is not understood: {error!r}") from error


def end_heard(authority: Authority, path: str, left: float | None) -> Plan[bool]:
    """Listens to a task until it ends or its stream breaks, for less than `left` seconds.

    True if the stream told anything; false where there is none, so that the caller has to look by itself.
    """
    deadline = None if left is None else monotonic() + left
    # A silence ends before the caller's time does: the limit of a stream cannot be changed once it is open.
    quiet = QUIET_WAIT if left is None else min(QUIET_WAIT, left * 0.8)
    messages, told = Messages(), False
    try:
        stream_only((yield from authority.send(listening(path, {}, quiet))).checked())
        while deadline is None or deadline - monotonic() >= quiet:
            for message in (yield from heard(messages)):
                event, told = event_of(message), True
                if isinstance(event, TaskDeleted | Reset) or (isinstance(event, TaskChanged) and event.task.has_ended):
                    return True
    except (EOFError, ValueError, LonghaulError):
        # Whatever the matter is, the caller's own look meets it.
        pass
    return told


def _task(answer: Answer) -> Task:
    return read_task(answer.object())
