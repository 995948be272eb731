"""Plans: generators that say what to do next, and are told what came of it.

A plan yields requests and pauses, and is sent answers. It does no I/O, so one plan serves the client that blocks, the
one of asyncio, and workers. `drive.py` carries plans out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar

from ..errors import ApiError, Fault, Unintelligible, refusal

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """A request. `repeatable`: it may be sent again without harm. `wait`: how long the server was asked to wait."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    wait: float = 0.0
    patience: float | None = None
    """How long the whole answer may take beside that; unless given, each part may take what the connection says."""
    repeatable: bool = False

    @staticmethod
    def of_json(method: str, path: str, body: Any, **more: Any) -> Request:
        """With a body of JSON."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return Request(method, path, headers=headers, body=encode(body), **more)

    def bearing(self, token: str) -> Request:
        return replace(self, headers={**self.headers, "Authorization": f"Bearer {token}"})


@dataclass(frozen=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Join:
    """Nothing until somebody else is done with what both need, such as a login."""

    other: Future[Any]


@dataclass(frozen=True)
class Item(Generic[T]):
    """Something for whoever iterates."""

    value: T


@dataclass(frozen=True)
class Answer:
    """An answer of any status. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body; `None` if it is empty. `Unintelligible` if it is no JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unintelligible(f"{self.described()} is no JSON") from error

    def object(self) -> dict[str, Any]:
        """The body, which is an object. `Unintelligible` if it is anything else."""
        body = self.json()
        if not isinstance(body, dict):
            raise Unintelligible(f"{self.described()} is no object")
        return body

    def checked(self) -> Answer:
        """Itself, if it is a success or says that nothing changed.

        `ApiError` if it is the server's own refusal, or its own or somebody else's 408, 429 or 5xx; `Unintelligible`
        for all else.
        """
        if 200 <= self.status < 300 or self.status == 304:
            return self
        if self.fault() is None and not (self.status in (408, 429) or self.status >= 500):
            raise Unintelligible(f"{self.described()} is not of a Longhaul server")
        raise self.refusal()

    def fault(self) -> Fault | None:
        """The Error document that a refusal of the server has; `None` if it is somebody else's."""
        try:
            body = json.loads(self.body)
            if isinstance(body, dict) and all(body.get(it) and isinstance(body[it], str) for it in _OF_AN_ERROR):
                return Fault.from_json(body)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # No JSON, or members of other types than an Error has.
            pass
        return None

    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again. What is not its own does not say."""
        try:
            seconds = float(self.headers["retry-after"])
        except (KeyError, ValueError):
            return None
        return max(0.0, seconds) if math.isfinite(seconds) and self.fault() is not None else None

    def refusal(self) -> ApiError:
        """The error that its status and body say; a body that is no Error document is quoted."""
        fault = self.fault() or Fault(self._text()[:500] or f"the server answered {self.status}")
        return refusal(self.status, fault, self.retry_after())

    def described(self) -> str:
        """Its status, type, and the beginning of its body, for a message."""
        parts = [f"the answer {self.status}"]
        parts += [f"of type {kind}"] if (kind := self.headers.get("content-type")) else []
        parts += [f"to go to {place[:200]}"] if (place := self.headers.get("location")) else []
        return " ".join(parts) + (f" ({self._text()[:200]!r})" if self.body else " without a body")

    def _text(self) -> str:
        return " ".join(self.body[:4096].decode("utf-8", "replace").split())


_OF_AN_ERROR = ("errorCode", "message")


Step: TypeAlias = "Request | Pause | Join"
Plan: TypeAlias = "Generator[Step, Answer | None, T]"
Stream: TypeAlias = "Generator[Step | Item[T], Answer | None, None]"


def send(request: Request) -> Plan[Answer]:
    """Sends a request once. Raises `Unreachable` if there is no answer, `Unintelligible` if it cannot be decoded."""
    answer = yield request
    assert answer is not None, "a request is answered, or Unreachable is raised"
    return answer


def encode(body: Any) -> bytes:
    """JSON as it travels."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def duration(seconds: float) -> str:
    """A duration as the API writes it."""
    return f"{max(0, round(seconds * 1000))}ms"
