"""Exceptions for a server's refusals, and for missing or foreign answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class LonghaulError(Exception):
    """The base class of all exceptions of this library."""


class Unreachable(LonghaulError):
    """No answer came: nothing listens, the connection broke, or it took too long.

    The request may or may not have been carried out.
    """


class Untrusted(Unreachable):
    """The server's certificate is not trusted, so nothing was sent. The message says why, and how to trust it."""


class Unintelligible(LonghaulError):
    """An answer that is not the server's own: a proxy's page, or one that was damaged on its way.

    The request may or may not have been carried out.
    """


@dataclass(frozen=True)
class Cause:
    """A cause of an error."""

    type: str | None
    message: str | None

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Cause:
        return Cause(body.get("type"), body.get("message"))

    def to_json(self) -> dict[str, str]:
        return {"type": self.type or "", "message": self.message or ""}


@dataclass(frozen=True)
class Fault:
    """The API's Error: of a refused request, of a failed task, of a failed sub-task."""

    message: str
    code: str | None = None
    type: str | None = None
    remediation: str | None = None
    reference: str | None = None
    arguments: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    causes: tuple[Cause, ...] = ()
    nested: tuple[Fault, ...] = ()

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Fault:
        return Fault(
            message=str(body.get("message") or ""),
            code=body.get("errorCode"),
            type=body.get("errorType"),
            remediation=body.get("remediationMessage"),
            reference=body.get("referenceToken"),
            arguments=tuple(body.get("arguments") or ()),
            context=body.get("context") or {},
            causes=tuple(Cause.from_json(cause) for cause in body.get("causes") or ()),
            nested=tuple(Fault.from_json(fault) for fault in body.get("nestedErrors") or ()),
        )


class ApiError(LonghaulError):
    """A refusal by the server. `fault` has everything it said."""

    def __init__(self, status: int, fault: Fault, retry_after: float | None = None) -> None:
        super().__init__(status, fault, retry_after)
        self.status = status
        self.fault = fault
        self.retry_after = retry_after
        """Seconds to wait before the next try, if the server said so."""

    @property
    def code(self) -> str | None:
        """The error code: stable and machine-readable."""
        return self.fault.code

    @property
    def message(self) -> str:
        """The message, for people."""
        return self.fault.message

    @property
    def remediation(self) -> str | None:
        """Advice on how to fix it."""
        return self.fault.remediation

    @property
    def reference(self) -> str | None:
        """Six characters that also mark the entry in the server's log."""
        return self.fault.reference

    def __str__(self) -> str:
        marks = [str(self.status)]
        marks += [self.code] if self.code else []
        marks += [f"reference {self.reference}"] if self.reference else []
        lines = [f"{self.message} ({', '.join(marks)})"]
        lines += [f"  {nested.message}" for nested in self.fault.nested]
        lines += [f"  hint: {self.remediation}"] if self.remediation else []
        return "\n".join(lines)


class Unauthorized(ApiError):
    """401: the credential is missing or invalid."""


class Forbidden(ApiError):
    """403: the role does not allow this."""


class NotFound(ApiError):
    """404: nothing has this name or ID."""


class Conflict(ApiError):
    """409: the current state does not allow this; nothing changed."""


class Gone(ApiError):
    """410: the cursor is too old, or of another history; begin anew without one."""


class Invalid(ApiError):
    """400, 413, 422: the request cannot be read, is too large, or breaks a rule."""


class TooManyRequests(ApiError):
    """429: too many requests; try again later."""


class ServerError(ApiError):
    """5xx: the server failed."""


_KINDS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    422: Invalid,
    429: TooManyRequests,
}


def refusal(status: int, fault: Fault, retry_after: float | None) -> ApiError:
    """The exception for a status."""
    kind = ServerError if status >= 500 else _KINDS.get(status, ApiError)
    return kind(status, fault, retry_after)
