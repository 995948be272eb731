"""Tasks and their parts. Members are those of the API in Python's spelling; `raw` has the original."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from .errors import Fault


class Status(str, Enum):
    """The status of a task, a sub-task or a stage, whichever way the server spells it."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESSFUL = "SUCCESSFUL"
    COMPLETED_WITH_WARNING = "COMPLETED_WITH_WARNING"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    UNKNOWN = "UNKNOWN"
    """Any status this library does not know, as imported tasks may have; `raw` has the original."""

    @staticmethod
    def read(text: Any) -> Status:
        try:
            return Status(str(text).strip().upper().replace(" ", "_"))
        except ValueError:
            return Status.UNKNOWN


_UNDER_WAY = (Status.PENDING, Status.IN_PROGRESS, Status.UNKNOWN)


@dataclass(frozen=True)
class Resource:
    """A resource that a task works on."""

    resource_id: str
    type: str
    fqdn: str | None = None
    name: str | None = None

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Resource:
        return Resource(str(body.get("resourceId")), str(body.get("type")), body.get("fqdn"), body.get("name"))


@dataclass(frozen=True)
class Stage:
    """Progress inside a sub-task, as whoever runs it reports it."""

    name: str
    type: str
    description: str
    status: Status
    creation_timestamp: datetime | None = None
    completion_timestamp: datetime | None = None
    errors: tuple[Fault, ...] = ()

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Stage:
        return Stage(
            name=str(body.get("name")),
            type=str(body.get("type")),
            description=str(body.get("description")),
            status=Status.read(body.get("status")),
            creation_timestamp=instant(body.get("creationTimestamp")),
            completion_timestamp=instant(body.get("completionTimestamp")),
            errors=faults(body),
        )


@dataclass(frozen=True)
class SubTask:
    """A step of a task."""

    name: str
    description: str
    status: Status
    creation_timestamp: datetime | None = None
    start_timestamp: datetime | None = None
    completion_timestamp: datetime | None = None
    stages: tuple[Stage, ...] = ()
    errors: tuple[Fault, ...] = ()
    attempt: int | None = None
    progress: int | None = None
    sub_tasks: tuple[SubTask, ...] = ()
    """The children under `forEach`, one for each item."""

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> SubTask:
        return SubTask(
            name=str(body.get("name")),
            description=str(body.get("description")),
            status=Status.read(body.get("status")),
            creation_timestamp=instant(body.get("creationTimestamp")),
            start_timestamp=instant(body.get("startTimestamp")),
            completion_timestamp=instant(body.get("completionTimestamp")),
            stages=tuple(Stage.from_json(stage) for stage in body.get("stages") or ()),
            errors=faults(body),
            attempt=body.get("attempt"),
            progress=body.get("progress"),
            sub_tasks=tuple(SubTask.from_json(child) for child in body.get("subTasks") or ()),
        )


@dataclass(frozen=True)
class WaitingFor:
    """The reason why a task waits, and until when."""

    type: str
    sub_task: str | None = None
    until: datetime | None = None
    since: datetime | None = None
    queue: str | None = None
    """The queue in which a sub-task waits for a worker."""
    workers: int | None = None
    """The number of workers that asked there lately."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> WaitingFor:
        return WaitingFor(
            type=str(body.get("type")),
            sub_task=body.get("subTask"),
            until=instant(body.get("until")),
            since=instant(body.get("since")),
            queue=body.get("queue"),
            workers=body.get("workers"),
            raw=body,
        )


@dataclass(frozen=True)
class Task:
    """A run of a workflow. `input`, `labels` and `outputs` are set if `include` asked for them."""

    id: str
    name: str
    type: str | None
    status: Status
    creation_timestamp: datetime | None = None
    completion_timestamp: datetime | None = None
    sub_tasks: tuple[SubTask, ...] = ()
    errors: tuple[Fault, ...] = ()
    resources: tuple[Resource, ...] = ()
    resolution_status: str | None = None
    is_cancellable: bool = False
    is_retryable: bool = False
    progress: int | None = None
    waiting_for: WaitingFor | None = None
    workflow: str | None = None
    workflow_version: int | None = None
    attempt: int | None = None
    version: int | None = None
    labels: Mapping[str, str] | None = None
    input: Any = None
    outputs: Mapping[str, Any] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Task:
        waiting, workflow = body.get("waitingFor"), body.get("workflow")
        named = workflow if isinstance(workflow, dict) else {}
        return Task(
            id=str(body.get("id")),
            name=str(body.get("name")),
            type=body.get("type"),
            status=Status.read(body.get("status")),
            creation_timestamp=instant(body.get("creationTimestamp")),
            completion_timestamp=instant(body.get("completionTimestamp")),
            sub_tasks=tuple(SubTask.from_json(sub_task) for sub_task in body.get("subTasks") or ()),
            errors=faults(body),
            resources=tuple(Resource.from_json(resource) for resource in body.get("resources") or ()),
            resolution_status=body.get("resolutionStatus"),
            is_cancellable=body.get("isCancellable") is True,
            is_retryable=body.get("isRetryable") is True,
            progress=body.get("progress"),
            waiting_for=WaitingFor.from_json(waiting) if isinstance(waiting, dict) else None,
            workflow=named.get("name"),
            workflow_version=named.get("version"),
            attempt=body.get("attempt"),
            version=body.get("version"),
            labels=body.get("labels"),
            input=body.get("input"),
            outputs=body.get("outputs"),
            raw=body,
        )

    @property
    def has_ended(self) -> bool:
        """True once nothing more happens by itself. A failed task can still be retried, skipped over or resolved."""
        return self.status not in _UNDER_WAY

    @property
    def has_succeeded(self) -> bool:
        """True if the task did its work, possibly with a warning, or had nothing to do."""
        return self.status in (Status.SUCCESSFUL, Status.COMPLETED_WITH_WARNING, Status.SKIPPED)

    def sub_task(self, name: str) -> SubTask:
        """The sub-task of a name; `KeyError` if there is none."""
        for sub_task in self.sub_tasks:
            if sub_task.name == name:
                return sub_task
        raise KeyError(name)


@dataclass(frozen=True)
class Attempt:
    """An execution of a sub-task."""

    sub_task: str
    number: int
    generation: int
    status: str
    creation_timestamp: datetime | None = None
    completion_timestamp: datetime | None = None
    error: Fault | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Attempt:
        error = body.get("error")
        return Attempt(
            sub_task=str(body.get("subTask")),
            number=int(body.get("number") or 0),
            generation=int(body.get("generation") or 0),
            status=str(body.get("status")),
            creation_timestamp=instant(body.get("creationTimestamp")),
            completion_timestamp=instant(body.get("completionTimestamp")),
            error=Fault.from_json(error) if isinstance(error, dict) else None,
            raw=body,
        )


@dataclass(frozen=True)
class LogLine:
    """A line that an attempt wrote. `number` rises through the task."""

    number: int
    timestamp: datetime | None
    sub_task: str
    attempt: int
    stream: str
    text: str

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> LogLine:
        return LogLine(
            number=int(body.get("number") or 0),
            timestamp=instant(body.get("timestamp")),
            sub_task=str(body.get("subTask")),
            attempt=int(body.get("attempt") or 0),
            stream=str(body.get("stream")),
            text=str(body.get("text")),
        )


@dataclass(frozen=True)
class Principal:
    """An account as the server knows it."""

    name: str
    role: str
    kind: str

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Principal:
        return Principal(str(body.get("name")), str(body.get("role")), str(body.get("kind")))


def faults(body: Mapping[str, Any]) -> tuple[Fault, ...]:
    return tuple(Fault.from_json(fault) for fault in body.get("errors") or ())


_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:?\d\d)?$")


def instant(text: Any) -> datetime | None:
    """An RFC 3339 instant; `None` for what is none, as an imported task may have."""
    found = _INSTANT.match(text) if isinstance(text, str) else None
    if found is None:
        return None
    seconds, fraction, zone = found.groups()
    offset = "+00:00" if zone is None or zone in "Zz" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        return datetime.fromisoformat(f"{seconds.upper()}.{(fraction or '').ljust(6, '0')[:6]}{offset}")
    except ValueError:
        return None


def instant_text(moment: datetime) -> str:
    """An instant as the API writes it. One without a zone is local time."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
