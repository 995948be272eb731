"""Workers and clients of Longhaul, a durable task server."""

from .async_client import AsyncClient
from .client import Client
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
)
from .failure import ActionError, Cancelled, OutcomeUnknown
from .model import Attempt, Principal, Resource, Stage, Status, SubTask, Task, WaitingFor

__all__ = [
    "ActionError",
    "ApiError",
    "AsyncClient",
    "Attempt",
    "Cancelled",
    "Cause",
    "Client",
    "Conflict",
    "Fault",
    "Forbidden",
    "Invalid",
    "LonghaulError",
    "NotFound",
    "OutcomeUnknown",
    "Principal",
    "Resource",
    "ServerError",
    "Stage",
    "Status",
    "SubTask",
    "Task",
    "TooManyRequests",
    "Unauthorized",
    "Unintelligible",
    "Unreachable",
    "WaitingFor",
]
