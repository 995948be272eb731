"""What the function of an action is told about its attempt, and what it can say while it works."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, Literal, TypeAlias

from ._text import utf8, words
from ._worker.lease import Lease, TaskInfo
from .failure import Cancelled
from .model import Status, instant_text

LOG_LIMIT = 4 * 1024 * 1024
"""So many bytes an attempt may write; the rest is left out."""
FEW = 4 * 1024
"""So many characters of log go with a result, of which there may be many in a call."""
LINE_LIMIT = 64 * 1024
"""So many characters of a line are sent, of which the server keeps 8 KiB."""
MOST_STAGES = 100
"""So many stages a sub-task may have; the rest is left out."""
STAGE_TEXT = 1000
"""Characters that each text of a stage is cut to."""

Why: TypeAlias = Literal["cancelled", "lost", "stopped"]
"""Why the work is to stop."""
_REASONS: Mapping[str | None, str] = {
    "cancelled": "the task was cancelled",
    "lost": "the lease is lost",
    "stopped": "the worker stopped before the work was done",
}


CURRENT: ContextVar[Context | None] = ContextVar("longhaul_context", default=None)


def current_context() -> Context | None:
    """The context of the attempt whose function, or a task or `asyncio.to_thread` of it, calls this; else `None`."""
    return CURRENT.get()


class Stage:
    """A stage of a sub-task. As a context it succeeds at its end, or fails with an exception."""

    def __init__(self, context: Context, name: str, type: str, description: str, status: Status) -> None:
        self._context = context
        self.name = name
        self.type = type
        self.description = description
        self.status = status

    def begin(self) -> Stage:
        return self._set(Status.IN_PROGRESS)

    def succeed(self) -> Stage:
        return self._set(Status.SUCCESSFUL)

    def fail(self) -> Stage:
        return self._set(Status.FAILED)

    def __enter__(self) -> Stage:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._set(Status.SUCCESSFUL if error is None else Status.FAILED)

    def _set(self, status: Status) -> Stage:
        self._context._change(lambda: setattr(self, "status", status), stages=True)
        return self

    def to_json(self) -> dict[str, str]:
        return {
            "name": words(self.name, STAGE_TEXT),
            "type": words(self.type, STAGE_TEXT),
            "description": words(self.description, STAGE_TEXT),
            "status": Status(self.status).value,
        }


class Context:
    """One attempt of a sub-task, as its function sees it. Any thread may use it; nothing waits for the server.

    What a child process says to its copy of it is not told.
    """

    def __init__(self, lease: Lease, tell: Callable[[], None]) -> None:
        self._lease = lease
        self._tell = tell
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._why: Why | None = None
        self._stages: list[Stage] = []
        self._stages_changed = False
        self._progress: int | None = None
        self._lines: list[dict[str, str]] = []
        self._written = 0
        self._unfinished: dict[str, str] = {}
        """By stream, the beginning of a line that was printed."""

    @property
    def task(self) -> TaskInfo:
        """The task: `id`, `name`, `type`, `workflow`."""
        return self._lease.task

    @property
    def sub_task(self) -> str:
        return self._lease.sub_task

    @property
    def queue(self) -> str:
        return self._lease.queue

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self._lease.attempt

    @property
    def token(self) -> int:
        """The fencing token: it rises strictly for each sub-task."""
        return self._lease.token

    @property
    def idempotency_key(self) -> str:
        """The same for an attempt and for those that replace it because nobody knows what became of it."""
        return self._lease.idempotency_key

    @property
    def item_index(self) -> int | None:
        """The number of the item under `forEach`, from 0."""
        return self._lease.item_index

    @property
    def timeout(self) -> float | None:
        """Seconds after which the server ends the attempt, counted from its start."""
        return self._lease.timeout

    @property
    def cancelled(self) -> bool:
        """Stop the work and clean up: the task was cancelled, the lease is lost, or the worker stops."""
        return self._stop.is_set()

    @property
    def lost(self) -> bool:
        """The lease ended: another attempt may be running, and what this one gives is not reported."""
        return self._why == "lost"

    def raise_if_cancelled(self) -> None:
        """Raises `Cancelled` if there is to be an end."""
        if self._stop.is_set():
            raise Cancelled(self._reason())

    def sleep(self, seconds: float) -> None:
        """Sleeps, and raises `Cancelled` as soon as there is to be an end. For functions that are not `async`."""
        self._stop.wait(seconds)
        self.raise_if_cancelled()

    def progress(self, percent: float) -> None:
        """How far the work is, 0 to 100."""
        whole = max(0, min(100, int(percent)))
        self._change(lambda: setattr(self, "_progress", whole))

    def stage(
        self,
        name: str,
        *,
        type: str | None = None,
        description: str | None = None,
        status: Status | str = Status.IN_PROGRESS,
    ) -> Stage:
        """A stage of this sub-task, a new one or that of this name. `with ctx.stage("Evacuate"):` says when it ends.

        Its type is its name in capitals unless given, its description its name.
        """
        if os.getpid() != self._process:
            return Stage(self, name, type or name, description or name, Status(status))
        with self._lock:
            stage = next((stage for stage in self._stages if stage.name == name), None)
            if stage is None:
                stage = Stage(self, name, "_".join(name.upper().split()), name, Status.PENDING)
                self._stages.append(stage)
            stage.type, stage.description = type or stage.type, description or stage.description
            return stage._set(Status(status))

    def log(self, text: str, *, stream: str = "stdout") -> None:
        """Lines for the task's log; `stream` is `stdout` or `stderr`."""
        if stream not in ("stdout", "stderr"):
            raise ValueError(f"a stream is stdout or stderr, not {stream!r}")
        if os.getpid() != self._process:
            return
        at = instant_text(datetime.now(timezone.utc))
        with self._lock:
            was_quiet = not self._has_news()
            for line in utf8(text).splitlines() or [""]:
                line = line[:LINE_LIMIT]
                size = len(line.encode()) + 1
                if self._written + size > LOG_LIMIT:
                    break
                self._written += size
                self._lines.append({"text": line, "stream": stream, "at": at})
        if was_quiet:
            self._tell()

    def _change(self, change: Callable[[], None], *, stages: bool = False) -> None:
        # In a child of the worker nobody listens, and the lock may be held for ever by a thread that is not there.
        if os.getpid() != self._process:
            return
        with self._lock:
            was_quiet = not self._has_news()
            change()
            self._stages_changed = self._stages_changed or stages
        if was_quiet:
            self._tell()

    # What follows is the worker's side.

    def _reason(self) -> str:
        return _REASONS.get(self._why, "the work was told to stop")

    def _end(self, why: Why) -> None:
        if not self._stop.is_set() or why == "lost":
            self._why = why
        self._stop.set()

    def _write(self, text: str, stream: str) -> None:
        """Takes printed text, of which lines that are not ended wait for the rest."""
        if os.getpid() != self._process:
            return
        with self._lock:
            whole, ended, rest = (self._unfinished.get(stream, "") + text).rpartition("\n")
            if len(rest) > LINE_LIMIT:
                whole, ended, rest = f"{whole}{ended}{rest}", "\n", ""
            self._unfinished[stream] = rest
            if ended:
                self.log(whole, stream=stream)

    def _end_lines(self) -> None:
        """Takes printed lines as they are: no more of them comes."""
        with self._lock:
            for stream, rest in self._unfinished.items():
                if rest:
                    self.log(rest, stream=stream)
            self._unfinished.clear()

    def _has_news(self) -> bool:
        return self._stages_changed or self._progress is not None or bool(self._lines)

    def _has_more_than_progress(self) -> bool:
        return self._stages_changed or bool(self._lines)

    def _take_news(self, budget: int) -> dict[str, Any]:
        """What was not told yet, as members of a heartbeat; of the log at most so many bytes, but a line at least."""
        with self._lock:
            news: dict[str, Any] = {}
            if self._progress is not None:
                news["progress"], self._progress = self._progress, None
            if self._stages_changed:
                news["stages"], self._stages_changed = [stage.to_json() for stage in self._stages[:MOST_STAGES]], False
            if self._lines:
                count, size = 0, 0
                while count < len(self._lines) and (count == 0 or size < budget):
                    size += len(self._lines[count]["text"])
                    count += 1
                news["log"], self._lines = self._lines[:count], self._lines[count:]
            return news

    def _put_back(self, news: dict[str, Any]) -> None:
        """News that did not arrive: the newest counts, and lines go before those said since."""
        with self._lock:
            if self._progress is None:
                self._progress = news.get("progress")
            self._stages_changed = self._stages_changed or "stages" in news
            self._lines = news.get("log", []) + self._lines

    def _take_few_lines(self) -> list[dict[str, str]]:
        """The lines that were not told yet, if they are so few that they can go with a result."""
        with self._lock:
            if sum(len(line["text"]) for line in self._lines) > FEW:
                return []
            lines, self._lines = self._lines, []
            return lines
