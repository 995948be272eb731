"""Plans: generators that say what to do next, and are told what came of it.

A plan yields requests and pauses, and is sent answers. It does no I/O, so one plan serves the client that blocks, the
one of asyncio, and workers. `drive.py` carries plans out.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
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
    """How long the answer may take beside that; as the connection's settings say unless given."""
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
        """The body; `None` if it is empty."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Unintelligible(f"the answer is no JSON: {self.body[:200]!r}") from error

    def checked(self) -> Answer:
        """Itself, if it is a success or says that nothing changed."""
        if 200 <= self.status < 300 or self.status == 304:
            return self
        raise self.refusal()

    def retry_after(self) -> float | None:
        try:
            return max(0.0, float(self.headers["retry-after"]))
        except (KeyError, ValueError):
            return None

    def refusal(self) -> ApiError:
        """What an error's body says; one that is no Error of the API is quoted."""
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not body.get("message"):
            text = self.body.decode("utf-8", "replace").strip()
            body = {"message": text[:500] or f"the server answered {self.status}"}
        return refusal(self.status, Fault.from_json(body), self.retry_after())


Step: TypeAlias = "Request | Pause"
Plan: TypeAlias = "Generator[Step, Answer | None, T]"
Stream: TypeAlias = "Generator[Step | Item[T], Answer | None, None]"


def send(request: Request) -> Plan[Answer]:
    """Sends a request once. Raises `Unreachable` if there is no answer."""
    answer = yield request
    assert answer is not None, "a request is answered, or Unreachable is raised"
    return answer


def encode(body: Any) -> bytes:
    """JSON as it travels."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def duration(seconds: float) -> str:
    """A duration as the API writes it."""
    return f"{max(0, round(seconds * 1000))}ms"
