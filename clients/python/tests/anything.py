"""Objects as a function may return or raise them: well-behaved, odd, and hostile."""

from __future__ import annotations

import asyncio
import collections
import datetime
import decimal
import enum
import types
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from hypothesis import strategies as st

from longhaul import ActionError, Cancelled, Cause, OutcomeUnknown

BASES = (
    Exception,
    BaseException,
    ValueError,
    KeyError,
    OSError,
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    SystemExit,
    KeyboardInterrupt,
    RecursionError,
    MemoryError,
    UnicodeError,
    asyncio.CancelledError,
    ActionError,
    OutcomeUnknown,
    Cancelled,
)


class Endless(Mapping[str, int]):
    """A mapping without an end."""

    def __getitem__(self, key: str) -> int:
        return 1

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        n = 0
        while True:
            n += 1
            yield str(n)


def hostile(error: type[BaseException], base: type = object) -> type:
    """A class whose every special method raises `error`."""

    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    asked = (
        "__str__",
        "__repr__",
        "__getattr__",
        "__len__",
        "__iter__",
        "__hash__",
        "__eq__",
        "__bool__",
        "__format__",
    )
    return type("Hostile", (base,), {**dict.fromkeys(asked, fail), "__class__": property(fail)})


def cyclic() -> list[Any]:
    it: list[Any] = []
    it.append({"again": it})
    return it


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


def generator() -> Iterator[int]:
    yield 1


Colour = enum.Enum("Colour", {"RED": "red", "ODD": object()})
errors = st.sampled_from(BASES[:12])
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(["", "  ", "\u3000", "\x00", "\ud800", "file\udcff", "\u2028", "a" * 100_000, "\U0001f600" * 5000]),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    st.binary(max_size=8),
    st.builds(lambda: 10**5000),
    st.sampled_from([-(2**70), decimal.Decimal("1.10"), decimal.Decimal("sNaN"), complex(1, 2)]),
    st.uuids(),
    st.datetimes(),
    st.sampled_from([datetime.datetime.min, datetime.datetime.max, datetime.timedelta.max, datetime.timedelta.min]),
    st.sampled_from([*Colour, uuid.UUID, object(), Ellipsis, NotImplemented, types, len, Exception]),
)
odd = st.one_of(
    st.builds(lambda error: hostile(error)(), errors),
    st.builds(lambda error, base: hostile(error, base)(), errors, st.sampled_from([dict, list, str, int, set])),
    st.builds(Endless),
    st.builds(cyclic),
    st.builds(nested, st.sampled_from([59, 60, 61, 62, 63, 128, 5000])),
    st.builds(generator),
    st.just("x" * (1024 * 1024)),
)


class Box:
    """A wrapper of an object, so that printing a test case does not ask the object for its text."""

    def __init__(self, value: Any) -> None:
        self.value = value


outputs = st.recursive(
    scalars | odd,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.sampled_from([1, None, b"a", (1, 2)]), inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(collections.UserList)
        | st.frozensets(st.integers() | texts, max_size=4)
    ),
    max_leaves=8,
).map(Box)
"""Outputs of functions."""


@st.composite
def raised(draw: st.DrawFn) -> Box:
    """Draws an exception raised by a function."""
    base = draw(st.sampled_from(BASES))
    kind: type[BaseException] = draw(st.sampled_from([base, hostile(draw(errors), base)]))
    arguments = draw(st.lists(scalars | odd, max_size=3))
    if issubclass(kind, ActionError):
        error: BaseException = _action_error(draw, kind)
    else:
        error = kind.__new__(kind)
        error.args = tuple(arguments)
    if draw(st.booleans()):
        causes = (ValueError("\ud800"), hostile(KeyError, Exception)(), error)
        error.__cause__ = causes[draw(st.integers(0, 2))]
    if draw(st.integers(0, 19)) == 7:
        error.__context__ = _long_chain()
    return Box(error)


def _action_error(draw: st.DrawFn, kind: type[ActionError]) -> BaseException:
    error = kind.__new__(kind)
    BaseException.__init__(error, "unfinished")
    cause = st.sampled_from([Cause(None, "\udc80"), Cause("T", "m" * 100_000), Cause(3, b"x")])  # type: ignore[arg-type]
    members = {
        "code": scalars | odd,
        "message": scalars | odd,
        "remediation": scalars | odd,
        "retryable": scalars | odd,
        "causes": st.lists(cause, max_size=100).map(tuple) | odd,
        "context": st.dictionaries(texts | st.integers(), scalars | odd, max_size=4) | odd,
    }
    for name, value in members.items():
        # One that does not call the base class's constructor has none of them.
        if draw(st.integers(0, 4)):
            setattr(error, name, draw(value))
    return error


def _long_chain() -> BaseException:
    first: BaseException = ValueError("the first")
    for n in range(1200):
        following = ValueError(n)
        following.__context__ = first
        first = following
    return first
