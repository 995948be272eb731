"""The context of an attempt: facts about it, and ways to report progress."""

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
"""The most bytes of log of an attempt; the rest is dropped."""
FEW = 4 * 1024
"""The most characters of log sent with a result, as a call may have many results."""
LINE_LIMIT = 64 * 1024
"""The most characters of a line that are sent; the server keeps 8 KiB."""
MOST_STAGES = 100
"""The most stages of a sub-task; the rest is dropped."""
STAGE_TEXT = 1000
"""The most characters of each text of a stage."""

Why: TypeAlias = Literal["cancelled", "lost", "stopped"]
"""Reasons to stop the work."""
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
    """A stage of a sub-task. In a `with` block it succeeds at the end, or fails with an exception."""

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
    """An attempt of a sub-task, as its function sees it. Any thread may use it; no method waits for the server.

    In a child process, a copy of it reports nothing.
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
        """The unfinished printed line of each stream."""

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
        """The number of the attempt, from 1."""
        return self._lease.attempt

    @property
    def token(self) -> int:
        """The fencing token: it rises strictly for each sub-task."""
        return self._lease.token

    @property
    def idempotency_key(self) -> str:
        """A key shared by an attempt and those that replace it while its outcome is unknown."""
        return self._lease.idempotency_key

    @property
    def item_index(self) -> int | None:
        """The number of the item under `forEach`, from 0."""
        return self._lease.item_index

    @property
    def traceparent(self) -> str | None:
        """The span of the attempt, as W3C Trace Context writes it: the parent of the handler's own spans.

        None where the server exports no traces.
        """
        return self._lease.traceparent

    @property
    def timeout(self) -> float | None:
        """Seconds after which the server ends the attempt, counted from its start."""
        return self._lease.timeout

    @property
    def cancelled(self) -> bool:
        """True if the work is to stop: the task was cancelled, the lease is lost, or the worker stops."""
        return self._stop.is_set()

    @property
    def lost(self) -> bool:
        """True if the lease has ended: another attempt may be running, and this one's result is not reported."""
        return self._why == "lost"

    def raise_if_cancelled(self) -> None:
        """Raises `Cancelled` if the work is to stop."""
        if self._stop.is_set():
            raise Cancelled(self._reason())

    def sleep(self, seconds: float) -> None:
        """Sleeps, and raises `Cancelled` as soon as the work is to stop. For functions that are not `async`."""
        self._stop.wait(seconds)
        self.raise_if_cancelled()

    def progress(self, percent: float) -> None:
        """Reports progress in percent, 0 to 100."""
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
        # In a forked child the lock may be held for ever, by a thread that exists in the parent only.
        if os.getpid() != self._process:
            return
        with self._lock:
            was_quiet = not self._has_news()
            change()
            self._stages_changed = self._stages_changed or stages
        if was_quiet:
            self._tell()

    # The rest is for the worker.

    def _reason(self) -> str:
        return _REASONS.get(self._why, "the work was told to stop")

    def _end(self, why: Why) -> None:
        if not self._stop.is_set() or why == "lost":
            self._why = why
        self._stop.set()

    def _write(self, text: str, stream: str) -> None:
        """Takes printed text; an unfinished line waits for the rest."""
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
        """Ends printed lines that are unfinished."""
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
        """Takes unsent news as members of a heartbeat: at least one line of log, and others within `budget`."""
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
        """Puts back news that did not arrive, before lines written since; newer progress wins."""
        with self._lock:
            if self._progress is None:
                self._progress = news.get("progress")
            self._stages_changed = self._stages_changed or "stages" in news
            self._lines = news.get("log", []) + self._lines

    def _take_few_lines(self) -> list[dict[str, str]]:
        """Takes unsent lines, if they are few enough to be sent with a result."""
        with self._lock:
            if sum(len(line["text"]) for line in self._lines) > FEW:
                return []
            lines, self._lines = self._lines, []
            return lines
