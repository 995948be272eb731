"""Leases of attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskInfo:
    """The task that an attempt belongs to."""

    id: str
    name: str
    type: str | None
    workflow: str | None


@dataclass(frozen=True)
class Lease:
    """The right to run one attempt. `span`: how many seconds it lasts without a heartbeat."""

    id: str
    token: int
    span: float
    task: TaskInfo
    sub_task: str
    queue: str
    attempt: int
    idempotency_key: str
    timeout: float | None
    item_index: int | None
    input: Any
    traceparent: str | None = None

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Lease:
        task = body["task"]
        timeout = body.get("timeoutMs")
        return Lease(
            id=body["lease"],
            token=int(body["token"]),
            span=body["expiresInMs"] / 1000,
            task=TaskInfo(task["id"], task["name"], task.get("type"), task.get("workflow")),
            sub_task=body["subTask"],
            queue=body["queue"],
            attempt=int(body["attempt"]),
            idempotency_key=body["idempotencyKey"],
            timeout=None if timeout is None else timeout / 1000,
            item_index=body.get("itemIndex"),
            traceparent=body.get("traceparent"),
            input=body.get("input"),
        )
