"""The report of an attempt: whatever its function returned or raised, there is a result."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .._http.plan import encode
from .._plain import plain
from .._text import LONGEST, type_name, words
from ..context import Context
from ..errors import Cause
from ..failure import ActionError, Cancelled, OutcomeUnknown, chain, code_of
from .lease import Lease
from .protocol import MAX_DEPTH, MAX_ERROR, MAX_OUTPUT, Result

T = TypeVar("T")

MOST_FACTS = 64
"""The most causes of an error, and the most members of its context, that are reported."""


def succeeded(lease: Lease, context: Context, output: Any) -> Result:
    """The result of a function that returned. `ActionError` if that is no output."""
    try:
        output = plain(output)
        size = len(encode(output))
    except BaseException as error:
        # A value's own methods may raise anything, an exit of the process, too.
        message = f"the output is not JSON: {words(error)}"
        raise ActionError("OUTPUT_INVALID", message, retryable=False) from error
    if size > MAX_OUTPUT:
        message = f"the output has {size} bytes; {MAX_OUTPUT} are allowed"
        raise ActionError("OUTPUT_TOO_LARGE", message, retryable=False)
    if _is_deeper(output, MAX_DEPTH):
        message = f"the output is nested deeper than {MAX_DEPTH} levels"
        raise ActionError("OUTPUT_TOO_DEEP", message, retryable=False)
    return Result.of("completed", lease.id, {"output": output, **_rest_of_log(context)})


def failed(lease: Lease, context: Context, error: BaseException) -> Result:
    """The result of a function that raised. Never raises itself, whatever the exception is like."""
    try:
        return _failed(lease, context, error)
    except BaseException as worse:
        message = f"{type_name(error)} was raised, of which no more can be told: {words(worse)}"
        members = {"error": _error("ERROR", message), "retryable": True, **_uncertainty(error)}
        return Result.of("failed", lease.id, members)


def _failed(lease: Lease, context: Context, error: BaseException) -> Result:
    # The class is read from the type: an exception's own `__class__` may lie, or fail.
    kind = type(error)
    if issubclass(kind, ActionError):
        members = _of_action_error(error)
    elif issubclass(kind, Cancelled | asyncio.CancelledError):
        message = words(error) or context._reason()
        if context._why == "stopped":
            return abandoned(lease, context, message)
        members = {"error": _error("CANCELLED", message), "retryable": True}
    else:
        context.log(_trace(error), stream="stderr")
        message = words(error) or type_name(error)
        members = {"error": _error(code_of(error), message, None, chain(error)), "retryable": True}
    return Result.of("failed", lease.id, {**members, **_rest_of_log(context)})


def _of_action_error(error: BaseException) -> dict[str, Any]:
    # Members may be anything in a subclass that sets them, or missing in one that sets none.
    def member(name: str, read: Callable[[Any], T], otherwise: T) -> T:
        try:
            value = getattr(error, name, None)
            return otherwise if value is None else read(value)
        except BaseException:
            return otherwise

    body = _error(
        member("code", words, "") or code_of(error),
        member("message", words, type_name(error)),
        member("remediation", words, None),
        member("causes", _some, []) or chain(error),
        member("context", lambda context: dict(_some(context.items())), None),
    )
    return {"error": body, "retryable": member("retryable", bool, True), **_uncertainty(error)}


def _some(several: Iterable[T]) -> list[T]:
    """The first `MOST_FACTS` of any iterable, even an endless one."""
    return list(itertools.islice(several, MOST_FACTS))


def _uncertainty(error: BaseException) -> dict[str, bool]:
    return {"outcomeUnknown": True} if issubclass(type(error), OutcomeUnknown) else {}


def abandoned(lease: Lease, context: Context, message: str = "") -> Result:
    """The result of a function that outlives its worker: another worker takes over, whatever `retry` says."""
    members = {"error": _error("WORKER_STOPPED", message or context._reason()), "abandoned": True}
    return Result.of("failed", lease.id, {**members, **_rest_of_log(context)})


def failure(lease: str, code: str, message: str, *, retryable: bool) -> Result:
    """A minimal failure: a code and a message."""
    return Result.of("failed", lease, {"error": _error(code, message), "retryable": retryable})


def _error(
    code: str,
    message: str,
    remediation: str | None = None,
    causes: Iterable[Cause] = (),
    context: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    # The server takes neither blank.
    error: dict[str, Any] = {"code": words(code, 200), "message": words(message)}
    error["code"] = error["code"] if error["code"].strip() else "ERROR"
    error["message"] = error["message"] if error["message"].strip() else error["code"]
    error |= {"remediation": words(remediation)} if remediation else {}
    more: dict[str, Any] = {}
    told = [_cause(cause) for cause in causes]
    more |= {"causes": told} if told else {}
    more |= {"context": _plain_members(context)} if context else {}
    size = len(encode(more))
    if size > MAX_ERROR:
        # The error itself is reported in any case.
        more = {"context": {"leftOut": f"{size} bytes of causes and context; {MAX_ERROR} are allowed"}}
    return error | more


def _cause(cause: Cause) -> dict[str, str]:
    if type(cause) is not Cause:
        return {"type": type_name(cause), "message": words(cause)}
    kind, message = ("" if text is None else text for text in (cause.type, cause.message))
    return {"type": words(kind, 200), "message": words(message)}


def _plain_members(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context as JSON; a value that has no JSON form is replaced by its text."""
    members: dict[str, Any] = {}
    for name, value in context.items():
        member = words(name, 200)
        try:
            told = plain(value)
            encode(told)
            # The error and its context are two levels of their own.
            members[member] = words(value) if _is_deeper(told, MAX_DEPTH - 2) else told
        except BaseException:
            members[member] = words(value)
    return members


def _is_deeper(value: Any, levels: int) -> bool:
    """True if a JSON value is nested deeper than `levels`."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [item for item in layer if isinstance(item, dict | list)]
        if not layer:
            return False
        layer = [inner for item in layer for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:
        return f"{type_name(error)}: {words(error, LONGEST)}"


def _rest_of_log(context: Context) -> dict[str, Any]:
    context._end_lines()
    lines = context._take_few_lines()
    return {"log": lines} if lines else {}
