"""Exceptions that an action raises to report how it failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ._text import type_name, words
from .errors import Cause, LonghaulError


class ActionError(LonghaulError):
    """A failure of the work, with a code and a message.

    With `retryable` the sub-task is tried again as its `retry` says; without, it fails now.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        remediation: str | None = None,
        retryable: bool = True,
        causes: Iterable[Cause | BaseException] = (),
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.remediation = remediation
        self.retryable = retryable
        self.causes = tuple(cause_of(cause) for cause in causes)
        self.context = dict(context or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class OutcomeUnknown(ActionError):
    """A failure that leaves it unknown whether the work was done, such as a request without an answer.

    A sub-task that is repeatable is tried again; one with `repeatable: false` is left to an operator.
    """

    def __init__(
        self,
        message: str = "it is not known whether the work was done",
        *,
        code: str = "OUTCOME_UNKNOWN",
        remediation: str | None = None,
        causes: Iterable[Cause | BaseException] = (),
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, remediation=remediation, causes=causes, context=context)


class Cancelled(LonghaulError):
    """Raised in an action by `Context.raise_if_cancelled` and `Context.sleep`: stop, and clean up."""


def cause_of(cause: Cause | BaseException) -> Cause:
    """An exception as the cause of an error."""
    return cause if isinstance(cause, Cause) else Cause(type_name(cause), words(cause) or type_name(cause))


def code_of(error: BaseException) -> str:
    """A code from an exception's type: `FileNotFoundError` is FILE_NOT_FOUND_ERROR."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type_name(error))
    return parts.strip("_").upper() or "ERROR"


def chain(error: BaseException) -> tuple[Cause, ...]:
    """The causes of an exception, nearest first, as Python's traceback shows them."""
    causes: list[Cause] = []
    seen = {id(error)}
    following = _behind(error)
    while following is not None and id(following) not in seen and len(causes) < 16:
        seen.add(id(following))
        causes.append(cause_of(following))
        following = _behind(following)
    return tuple(causes)


def _behind(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__
