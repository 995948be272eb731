"""The four calls of the worker protocol: bodies and answers, nothing else."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._http.plan import Answer, Request, duration, encode
from .lease import Lease

MAX_LEASES = 256
"""The most leases that one call may ask for."""
MAX_WAIT = 60.0
"""The longest wait that a call may ask for, in seconds."""
MAX_ENTRIES = 1024
"""The most results of a report, and the most leases of a heartbeat."""
MAX_OUTPUT = 1024 * 1024
"""The most bytes of an output."""
MAX_DEPTH = 61
"""The most levels of an output: a body may have 64, of which a report takes three."""
MAX_ERROR = 256 * 1024
"""The most bytes of an error's causes and context together."""
MAX_BODY = 7 * 1024 * 1024
"""The most bytes of results in one call; the server's limit is 8 MiB."""


def new_name(prefix: str) -> str:
    """A new, unique worker name."""
    return f"{prefix}-{secrets.token_hex(16)}"


def origin() -> dict[str, Any]:
    """The machine and the process of a worker, for `longhaul worker list`; no name that cannot be shown."""
    host = socket.gethostname()
    named = {"host": host} if 0 < len(host.encode(errors="replace")) <= 255 and host.isprintable() else {}
    return {**named, "process": os.getpid()}


@dataclass(frozen=True)
class Wanted:
    """A request for leases."""

    queues: tuple[str, ...]
    span: float
    max: int
    wait: float = 0.0

    def to_json(self) -> dict[str, Any]:
        wait = {"wait": duration(self.wait)} if self.wait else {}
        # A call repeated because its answer was lost is given the same leases as before.
        request = {"request": secrets.token_hex(16)}
        return {"queues": list(self.queues), "max": self.max, "lease": duration(self.span), **wait, **request}


@dataclass(frozen=True)
class Result:
    """The result of an attempt. `kind`: `completed`, `failed` or `released`."""

    kind: str
    lease: str
    members: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0

    @staticmethod
    def of(kind: str, lease: str, members: Mapping[str, Any]) -> Result:
        return Result(kind, lease, members, len(encode(members)))

    def to_json(self) -> dict[str, Any]:
        return {"lease": self.lease, **self.members}


@dataclass(frozen=True)
class Leased:
    """The answer to a request for leases."""

    leases: tuple[Lease, ...]
    retry_after: float
    draining: bool

    @staticmethod
    def read(answer: Answer) -> Leased:
        body = answer.object()
        leases = tuple(Lease.from_json(lease) for lease in _list(body, "leases"))
        return Leased(leases, float(body.get("retryAfterMs") or 0) / 1000, body.get("draining") is True)


@dataclass(frozen=True)
class Recorded:
    """The answer to a report: the verdict on each result, in order, and new leases."""

    results: tuple[Mapping[str, Any], ...]
    leased: Leased

    @staticmethod
    def read(answer: Answer, reported: int) -> Recorded:
        """Reads the answer to a report of `reported` results."""
        return Recorded(tuple(_objects(answer.object(), "results", reported)), Leased.read(answer))


class Calls:
    """The calls of one worker."""

    def __init__(self, worker: str) -> None:
        self.worker = worker

    def lease(self, wanted: Wanted) -> Request:
        body = {"worker": self.worker, **origin(), **wanted.to_json()}
        return Request.of_json("POST", "/v1/workers/lease", body, wait=wanted.wait, repeatable=True)

    def heartbeat(self, entries: Iterable[Mapping[str, Any]], *, wait: float = 0.0, patience: float) -> Request:
        """`patience`: how long the answer may take beside the wait, so that a broken connection is noticed in time."""
        body = {"worker": self.worker, "leases": list(entries)}
        body |= {"wait": duration(wait)} if wait else {}
        return Request.of_json("POST", "/v1/workers/heartbeat", body, wait=wait, patience=patience, repeatable=True)

    def report(self, results: Sequence[Result], wanted: Wanted | None) -> Request:
        """A report of results, with a request for more leases. Without successes it is a call to `fail`."""
        body: dict[str, Any] = {"worker": self.worker}
        for result in in_order(results):
            body.setdefault(result.kind, []).append(result.to_json())
        body |= {} if wanted is None else {"next": wanted.to_json()}
        verb = "complete" if "completed" in body or "failed" not in body else "fail"
        return Request.of_json("POST", f"/v1/workers/{verb}", body, repeatable=True)


def in_order(results: Iterable[Result]) -> list[Result]:
    """The results in the order in which the answer lists them."""
    return sorted(results, key=lambda result: ("completed", "failed", "released").index(result.kind))


@dataclass(frozen=True)
class Beat:
    """The answer to a heartbeat, for one lease. `state`: `live`, `cancelled` or `lost`."""

    lease: str
    state: str
    span: float | None
    refusal: str | None = None
    """The reason why the news of this lease was refused, if it was."""

    @staticmethod
    def read(answer: Answer, asked: int) -> list[Beat]:
        """Reads the answer to a heartbeat for `asked` leases."""
        return [Beat.from_json(one) for one in _objects(answer.object(), "leases", asked)]

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Beat:
        left = body.get("expiresInMs")
        span = None if left is None else float(left) / 1000
        fault = body.get("error")
        refusal = str(fault.get("message")) if isinstance(fault, dict) else None
        return Beat(str(body["lease"]), str(body["state"]), span, refusal)


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    found = body[name]
    if not isinstance(found, list):
        raise TypeError(f"{name} is not a list")
    return found


def _objects(body: Mapping[str, Any], name: str, count: int) -> list[dict[str, Any]]:
    found = _list(body, name)
    if len(found) != count or not all(isinstance(one, dict) for one in found):
        raise TypeError(f"{name} is not a list of {count} objects")
    return found
