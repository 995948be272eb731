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
from .failure import ActionError, Cancelled, OutcomeUnknown
from .model import Attempt, LogLine, Principal, Resource, Stage, Status, SubTask, Task, WaitingFor
from .worker import Worker

__all__ = [
    "ActionError",
    "ApiError",
    "AsyncClient",
    "Attempt",
    "Cancelled",
    "Cause",
    "Client",
    "Conflict",
    "Context",
    "Fault",
    "Forbidden",
    "Invalid",
    "LogLine",
    "LonghaulError",
    "NotFound",
    "Outage",
    "OutcomeUnknown",
    "Principal",
    "Resource",
    "ServerError",
    "Stage",
    "Status",
    "SubTask",
    "Task",
    "TaskInfo",
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
