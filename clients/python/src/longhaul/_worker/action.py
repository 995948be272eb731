"""An action: a function, and how it is called with JSON and answers with JSON."""

from __future__ import annotations

import inspect
import os
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._convert import build
from .._text import words
from ..context import Context
from ..failure import ActionError
from .ending import failed, succeeded
from .lease import Lease
from .process import leave_child
from .protocol import Result


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
        called = function if inspect.isroutine(function) else type(function).__call__
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            raise TypeError(
                f"{_name(function)} is a generator function, whose body would never run: return the output instead"
            )
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = [
            one
            for one in inspect.signature(function).parameters.values()
            if one.kind in positional and (one.default is inspect.Parameter.empty or one.name == "input")
        ]
        if len(parameters) not in (1, 2):
            raise TypeError(f"{_name(function)} must take a context, or a context and an input")
        takes = _resolved(function, parameters[1]) if len(parameters) == 2 else Any
        return Action(function, inspect.iscoroutinefunction(called), takes, len(parameters))

    def perform(self, lease: Lease, context: Context) -> Result:
        """Calls a function that is not `async`. Whatever it does, there is a result."""
        parent = os.getpid()
        try:
            output = self.function(*self._given(lease, context))
            _only_in(parent)
            return succeeded(lease, context, output)
        except BaseException as error:
            _only_in(parent, error)
            return failed(lease, context, error)

    async def perform_async(self, lease: Lease, context: Context) -> Result:
        """Calls a function that is `async`. Whatever it does, there is a result."""
        parent = os.getpid()
        try:
            output = await self.function(*self._given(lease, context))
            _only_in(parent)
            return succeeded(lease, context, output)
        except BaseException as error:
            _only_in(parent, error)
            return failed(lease, context, error)

    def _given(self, lease: Lease, context: Context) -> tuple[Any, ...]:
        if self.arguments == 1:
            return (context,)
        try:
            return context, build(self.takes, lease.input)
        except ValueError as error:
            # Not as a cause: the text of a model's error quotes the input, which may be a secret.
            raise ActionError("INPUT_INVALID", _complaint(error), retryable=False) from None


def _only_in(parent: int, error: BaseException | None = None) -> None:
    """Stops a child here that the function made with `os.fork`."""
    if os.getpid() != parent:
        leave_child(error)


def _complaint(error: ValueError) -> str:
    """The mismatch in words, without the values that pydantic's errors quote."""
    try:
        found = error.errors(include_url=False, include_context=False, include_input=False)  # type: ignore[attr-defined]
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the input'}: {one['msg']}" for one in found)
    except Exception:
        return words(error)


def _resolved(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type that a parameter's annotation names. The context's may exist for type checkers only."""
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


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
