"""The four calls of the worker protocol: bodies and answers, nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._http.plan import Answer, Request, duration, encode
from ..errors import Unintelligible
from .lease import Lease

MAX_LEASES = 256
"""So many one call may ask for."""
MAX_ENTRIES = 1024
"""So many results, and so many leases of a heartbeat, one call may carry."""
MAX_OUTPUT = 1024 * 1024
"""So many bytes an output may have."""
MAX_DEPTH = 61
"""So many levels an output may have: the server takes bodies of 64, and a report has three around its output."""
MAX_ERROR = 256 * 1024
"""So many bytes the causes and the context of an error may have together."""
MAX_BODY = 7 * 1024 * 1024
"""So many bytes of results go into one call; the server takes 8 MiB."""


def new_name(prefix: str) -> str:
    """A worker's name: never the same again."""
    return f"{prefix}-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class Wanted:
    """What to lease."""

    queues: tuple[str, ...]
    span: float
    max: int
    wait: float = 0.0

    def to_json(self) -> dict[str, Any]:
        wait = {"wait": duration(self.wait)} if self.wait else {}
        # The same call again, as its answer was lost, is given what it was given before.
        request = {"request": secrets.token_hex(16)}
        return {"queues": list(self.queues), "max": self.max, "lease": duration(self.span), **wait, **request}


@dataclass(frozen=True)
class Result:
    """What came of an attempt. `kind`: `completed`, `failed` or `released`."""

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
    """An answer to whoever asked for work."""

    leases: tuple[Lease, ...]
    retry_after: float
    draining: bool

    @staticmethod
    def from_json(body: Any) -> Leased:
        body = _object(body)
        try:
            leases = tuple(Lease.from_json(lease) for lease in body.get("leases") or ())
            return Leased(leases, (body.get("retryAfterMs") or 0) / 1000, body.get("draining") is True)
        except (KeyError, TypeError, ValueError) as error:
            raise Unintelligible(f"a lease is not understood: {error!r}") from error


@dataclass(frozen=True)
class Recorded:
    """An answer to a report: what became of each result, in the order of the report, and what was leased."""

    results: tuple[Mapping[str, Any], ...]
    leased: Leased

    @staticmethod
    def from_json(body: Any) -> Recorded:
        return Recorded(tuple(_object(body).get("results") or ()), Leased.from_json(body))


class Calls:
    """The calls of one worker."""

    def __init__(self, worker: str) -> None:
        self.worker = worker

    def lease(self, wanted: Wanted) -> Request:
        body = {"worker": self.worker, **wanted.to_json()}
        return Request.of_json("POST", "/v1/workers/lease", body, wait=wanted.wait, repeatable=True)

    def heartbeat(self, entries: Iterable[Mapping[str, Any]], *, wait: float = 0.0, patience: float) -> Request:
        """`patience`: how long the answer may take beside the wait, so that a broken connection is noticed in time."""
        body = {"worker": self.worker, "leases": list(entries)}
        body |= {"wait": duration(wait)} if wait else {}
        return Request.of_json("POST", "/v1/workers/heartbeat", body, wait=wait, patience=patience, repeatable=True)

    def report(self, results: Sequence[Result], wanted: Wanted | None) -> Request:
        """What is finished, and what to lease next. One without successes is a call of its own name."""
        body: dict[str, Any] = {"worker": self.worker}
        for result in in_order(results):
            body.setdefault(result.kind, []).append(result.to_json())
        body |= {} if wanted is None else {"next": wanted.to_json()}
        verb = "complete" if "completed" in body or "failed" not in body else "fail"
        return Request.of_json("POST", f"/v1/workers/{verb}", body, repeatable=True)


def in_order(results: Iterable[Result]) -> list[Result]:
    """As the answer has them."""
    return sorted(results, key=lambda result: ("completed", "failed", "released").index(result.kind))


def heartbeat_answer(answer: Answer) -> list[Mapping[str, Any]]:
    """What became of each lease, in the order asked for."""
    return list(_object(answer.json()).get("leases") or ())


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Unintelligible(f"an object was expected, not {str(body)[:200]}")
    return body
