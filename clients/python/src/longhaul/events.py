"""Events of the live feed, and pages of changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .errors import Fault
from .model import Task


@dataclass(frozen=True)
class TaskChanged:
    """A task that matches, in its newest state: a row of the snapshot, or one that changed since."""

    task: Task
    cursor: str | None = None
    """The place to go on from, for `watch(cursor=…)`; `None` in a snapshot, in a page of changes, and where further
    changes of the same moment follow."""


@dataclass(frozen=True)
class TaskLeft:
    """A task that changed to `version` and no longer matches the filters."""

    id: str
    version: int
    cursor: str | None = None


@dataclass(frozen=True)
class TaskDeleted:
    """A task that was deleted."""

    id: str
    cursor: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """The end of the snapshot: its rows came before, and changes follow.

    The numbers are those of the page that the snapshot is; `None` for the stream of one task.
    """

    total_elements: int | None = None
    total_pages: int | None = None
    page_number: int | None = None
    page_size: int | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class Bookmark:
    """A sign of life, about every 15 seconds. `total_elements`: how many tasks match now."""

    total_elements: int | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class Reset:
    """A new beginning: tasks shown so far count no more, and the snapshot follows once more.

    `fault` is the server's reason; `None` if the connection broke within a snapshot.
    """

    fault: Fault | None = None
    cursor: str | None = None


Change: TypeAlias = TaskChanged | TaskLeft | TaskDeleted
"""A change of a task."""
Event: TypeAlias = TaskChanged | TaskLeft | TaskDeleted | Snapshot | Bookmark | Reset
"""An event of `watch` and `watch_task`."""


@dataclass(frozen=True)
class Changes:
    """A page of changes. `cursor` is where the next page begins; `more`: there are further changes already."""

    elements: tuple[Change, ...]
    cursor: str
    more: bool = False

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Changes:
        """Reads a page; raises `KeyError`, `TypeError` or `ValueError` for what is none."""
        elements = tuple(_change(element) for element in body["elements"])
        return Changes(elements, text(body["cursor"]), body.get("more") is True)


def read_event(kind: str, cursor: str | None, body: Any) -> Event | None:
    """The event of a kind; `None` for a kind that this library does not know.

    Raises `KeyError`, `TypeError` or `ValueError` for a body that is not of the kind.
    """
    if kind == "task":
        return TaskChanged(read_task(body), cursor)
    if kind == "left":
        return TaskLeft(text(body["id"]), int(body["version"]), cursor)
    if kind == "deleted":
        return TaskDeleted(text(body["id"]), cursor)
    if kind == "snapshot":
        page = body.get("pageMetadata") or {}
        return Snapshot(
            total_elements=page.get("totalElements"),
            total_pages=page.get("totalPages"),
            page_number=page.get("pageNumber"),
            page_size=page.get("pageSize"),
            cursor=cursor,
        )
    if kind == "bookmark":
        return Bookmark(body.get("totalElements"), cursor)
    if kind == "reset":
        return Reset(Fault.from_json(body), cursor)
    return None


def read_task(body: Any) -> Task:
    """A task; raises `KeyError` or `TypeError` for an object without an ID, whoever sent it."""
    text(body["id"])
    return Task.from_json(body)


def text(value: Any) -> str:
    """The value, which is a text; `TypeError` if it is anything else."""
    if not isinstance(value, str):
        raise TypeError(f"a text is expected, not {type(value).__name__}")
    return value


def _change(element: Mapping[str, Any]) -> Change:
    kind = element["change"]
    if kind == "TASK":
        return TaskChanged(read_task(element["task"]))
    if kind == "LEFT":
        return TaskLeft(text(element["id"]), int(element["version"]))
    if kind == "DELETED":
        return TaskDeleted(text(element["id"]))
    raise ValueError(f"{kind!r} is not a change")
