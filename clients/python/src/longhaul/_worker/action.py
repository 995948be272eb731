"""An action: a function, and how it is called with JSON and answers with JSON."""

from __future__ import annotations

import asyncio
import inspect
import traceback
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .._convert import build, plain
from .._http.plan import encode
from ..context import Context
from ..errors import Cause
from ..failure import ActionError, Cancelled, OutcomeUnknown, chain, code_of
from .lease import Lease
from .protocol import MAX_DEPTH, MAX_OUTPUT, Result

LONGEST_TEXT = 8 * 1024
"""An exception's message is cut to so many characters."""


@dataclass(frozen=True)
class Action:
    """The function of a queue. `takes`: what its input is built as; nothing is passed where it takes one argument."""

    function: Callable[..., Any]
    is_async: bool
    takes: Any
    arguments: int

    @staticmethod
    def of(function: Callable[..., Any]) -> Action:
        """Reads a function's signature. `TypeError` for one that cannot be called with a context and an input."""
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = [
            one
            for one in inspect.signature(function).parameters.values()
            if one.kind in positional and (one.default is inspect.Parameter.empty or one.name == "input")
        ]
        if len(parameters) not in (1, 2):
            raise TypeError(f"{_name(function)} must take a context, or a context and an input")
        called = function if inspect.isroutine(function) else type(function).__call__
        takes = _resolved(function, parameters[1]) if len(parameters) == 2 else Any
        return Action(function, inspect.iscoroutinefunction(called), takes, len(parameters))

    def perform(self, lease: Lease, context: Context) -> Result:
        """Calls a function that is not `async`. Whatever it does, there is a result."""
        try:
            return _succeeded(lease, context, self.function(*self._given(lease, context)))
        except BaseException as error:
            return _failed(lease, context, error)

    async def perform_async(self, lease: Lease, context: Context) -> Result:
        """Calls one that is."""
        try:
            return _succeeded(lease, context, await self.function(*self._given(lease, context)))
        except BaseException as error:
            return _failed(lease, context, error)

    def _given(self, lease: Lease, context: Context) -> tuple[Any, ...]:
        if self.arguments == 1:
            return (context,)
        try:
            return context, build(self.takes, lease.input)
        except ValueError as error:
            raise ActionError("INPUT_INVALID", str(error), retryable=False) from error


def _resolved(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """What a parameter's annotation names. That of the context may be known to type checkers only."""
    if parameter.annotation is inspect.Parameter.empty:
        return Any
    inner = inspect.unwrap(function)
    inner = inner if inspect.isroutine(inner) else type(inner).__call__
    inner = getattr(inner, "__func__", inner)
    names = getattr(inner, "__code__", None) and inspect.getclosurevars(inner).nonlocals
    holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return typing.get_type_hints(holder, getattr(inner, "__globals__", {}), dict(names or {}), include_extras=True)[
            "it"
        ]
    except NameError as error:
        raise TypeError(
            f"the type of {_name(function)}'s {parameter.name}, {parameter.annotation}, is not found: "
            "it must be defined at the top of its module"
        ) from error


def _succeeded(lease: Lease, context: Context, output: Any) -> Result:
    try:
        output = plain(output)
        size = len(encode(output))
    except (TypeError, ValueError, RecursionError) as error:
        raise ActionError("OUTPUT_INVALID", f"the output is no JSON: {error}", retryable=False) from error
    if size > MAX_OUTPUT:
        message = f"the output has {size} bytes; {MAX_OUTPUT} are allowed"
        raise ActionError("OUTPUT_TOO_LARGE", message, retryable=False)
    if _is_deeper(output, MAX_DEPTH):
        message = f"the output is nested deeper than {MAX_DEPTH} levels"
        raise ActionError("OUTPUT_TOO_DEEP", message, retryable=False)
    return Result.of("completed", lease.id, {"output": output, **_rest_of_log(context)})


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value is nested deeper than so many levels."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [item for item in layer if isinstance(item, dict | list)]
        if not layer:
            return False
        layer = [inner for item in layer for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _failed(lease: Lease, context: Context, error: BaseException) -> Result:
    if isinstance(error, ActionError):
        body = _error(error.code, error.message, error.remediation, error.causes or chain(error), error.context)
        members = {"error": body, "retryable": error.retryable}
        members |= {"outcomeUnknown": True} if isinstance(error, OutcomeUnknown) else {}
    elif isinstance(error, Cancelled | asyncio.CancelledError):
        if context._why == "stopped":
            return abandoned(lease, context, str(error))
        members = {"error": _error("CANCELLED", str(error) or context._reason()), "retryable": True}
    else:
        context.log("".join(traceback.format_exception(error)), stream="stderr")
        message = str(error) or type(error).__name__
        members = {"error": _error(code_of(error), message, None, chain(error)), "retryable": True}
    return Result.of("failed", lease.id, {**members, **_rest_of_log(context)})


def abandoned(lease: Lease, context: Context, message: str = "") -> Result:
    """Of a function that did not end before its worker had to: another worker takes over, whatever `retry` says."""
    members = {"error": _error("WORKER_STOPPED", message or context._reason()), "abandoned": True}
    return Result.of("failed", lease.id, {**members, **_rest_of_log(context)})


def failure(lease: str, code: str, message: str, *, retryable: bool) -> Result:
    """A failure that says as little as can be."""
    return Result.of("failed", lease, {"error": _error(code, message), "retryable": retryable})


def _error(
    code: str,
    message: str,
    remediation: str | None = None,
    causes: tuple[Cause, ...] = (),
    context: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message[:LONGEST_TEXT]}
    error |= {"remediation": remediation} if remediation else {}
    error |= {"causes": [_cause(cause) for cause in causes]} if causes else {}
    error |= {"context": _plain_members(context)} if context else {}
    return error


def _cause(cause: Cause) -> dict[str, str]:
    return {"type": cause.type or "", "message": (cause.message or "")[:LONGEST_TEXT]}


def _plain_members(context: Mapping[str, Any]) -> dict[str, Any]:
    """An error is told even where what it is about has no form in JSON."""
    members: dict[str, Any] = {}
    for name, value in context.items():
        try:
            members[str(name)] = plain(value)
            encode(members[str(name)])
        except (TypeError, ValueError, RecursionError):
            members[str(name)] = str(value)
    return members


def _rest_of_log(context: Context) -> dict[str, Any]:
    lines = context._take_few_lines()
    return {"log": lines} if lines else {}


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
