"""Workers and clients of Longhaul, a durable task server."""

from ._http.reach import Outage
from ._version import __version__
from ._worker.lease import TaskInfo
from .async_client import AsyncClient
from .client import Client
from .context import Context, current_context
from .errors import (
    ApiError,
    Cause,
    Conflict,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    LonghaulError,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unintelligible,
    Unreachable,
    Untrusted,
)
from .events import Bookmark, Change, Changes, Event, Reset, Snapshot, TaskChanged, TaskDeleted, TaskLeft
from .failure import ActionError, Cancelled, OutcomeUnknown
from .model import Attempt, LogLine, Principal, Resource, Stage, Status, SubTask, Task, WaitingFor
from .worker import Worker

__all__ = [
    "ActionError",
    "ApiError",
    "AsyncClient",
    "Attempt",
    "Bookmark",
    "Cancelled",
    "Cause",
    "Change",
    "Changes",
    "Client",
    "Conflict",
    "Context",
    "Event",
    "Fault",
    "Forbidden",
    "Gone",
    "Invalid",
    "LogLine",
    "LonghaulError",
    "NotFound",
    "Outage",
    "OutcomeUnknown",
    "Principal",
    "Reset",
    "Resource",
    "ServerError",
    "Snapshot",
    "Stage",
    "Status",
    "SubTask",
    "Task",
    "TaskChanged",
    "TaskDeleted",
    "TaskInfo",
    "TaskLeft",
    "TooManyRequests",
    "Unauthorized",
    "Unintelligible",
    "Unreachable",
    "Untrusted",
    "WaitingFor",
    "Worker",
    "__version__",
    "current_context",
]
