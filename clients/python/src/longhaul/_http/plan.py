"""Plans: generators that yield the next step and are sent its outcome.

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
    """Seconds the whole answer may take beyond `wait`; unless given, the connection's `answer` limits each part."""
    repeatable: bool = False
    quiet: float | None = None
    """For an event stream: seconds without a byte after which it is broken. Such an answer comes without its body."""

    @staticmethod
    def of_json(method: str, path: str, body: Any, **more: Any) -> Request:
        """Makes a request with a JSON body."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return Request(method, path, headers=headers, body=encode(body), **more)

    def bearing(self, token: str) -> Request:
        return replace(self, headers={**self.headers, "Authorization": f"Bearer {token}"})


@dataclass(frozen=True)
class Pause:
    """A pause of `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Join:
    """Waits for another plan's work that this one needs, too, such as a login."""

    other: Future[Any]


@dataclass(frozen=True)
class More:
    """Waits for the next bytes of the event stream that the plan opened last; none are its end."""


@dataclass(frozen=True)
class Item(Generic[T]):
    """A value for the iterator's caller."""

    value: T


@dataclass(frozen=True)
class Answer:
    """An answer of any status. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body; `None` if it is empty. `Unintelligible` if it is not JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unintelligible(f"{self.described()} is not JSON") from error

    def object(self) -> dict[str, Any]:
        """The body, which is an object. `Unintelligible` if it is anything else."""
        body = self.json()
        if not isinstance(body, dict):
            raise Unintelligible(f"{self.described()} is not an object")
        return body

    def checked(self) -> Answer:
        """Returns the answer if it is a success or a 304.

        Raises `ApiError` for the server's own refusal, and for a 408, 429 or 5xx of any origin; `Unintelligible` for
        everything else.
        """
        if 200 <= self.status < 300 or self.status == 304:
            return self
        if self.fault() is None and not (self.status in (408, 429) or self.status >= 500):
            raise Unintelligible(f"{self.described()} is not of a Longhaul server")
        raise self.refusal()

    def is_stream(self) -> bool:
        """True for an event stream, whose body is yet to come."""
        return self.status == 200 and self.headers.get("content-type", "").startswith(EVENT_STREAM)

    def fault(self) -> Fault | None:
        """The Error document of a refusal; `None` if the answer is not the server's own."""
        try:
            body = json.loads(self.body)
            if isinstance(body, dict) and all(body.get(it) and isinstance(body[it], str) for it in _OF_AN_ERROR):
                return Fault.from_json(body)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # No JSON, or members of other types than an Error has.
            pass
        return None

    def retry_after(self) -> float | None:
        """Seconds the server asks to wait before the next try; `None` if the answer is not its own."""
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
        """The status, type and beginning of the body, for a message."""
        parts = [f"the answer {self.status}"]
        parts += [f"of type {kind}"] if (kind := self.headers.get("content-type")) else []
        parts += [f"to go to {place[:200]}"] if (place := self.headers.get("location")) else []
        return " ".join(parts) + (f" ({self._text()[:200]!r})" if self.body else " without a body")

    def _text(self) -> str:
        return " ".join(self.body[:4096].decode("utf-8", "replace").split())


_OF_AN_ERROR = ("errorCode", "message")
EVENT_STREAM = "text/event-stream"


Step: TypeAlias = "Request | More | Pause | Join"
Plan: TypeAlias = "Generator[Step, Answer | None, T]"
Stream: TypeAlias = "Generator[Step | Item[T], Answer | None, None]"


def send(request: Request) -> Plan[Answer]:
    """Sends a request once. Raises `Unreachable` if there is no answer, `Unintelligible` if it cannot be decoded."""
    answer = yield request
    assert answer is not None, "a request is answered, or Unreachable is raised"
    return answer


def encode(body: Any) -> bytes:
    """Encodes a body as JSON."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def duration(seconds: float) -> str:
    """A duration as the API writes it."""
    return f"{max(0, round(seconds * 1000))}ms"
