"""Conversion of a function's output to JSON."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import math
import types
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from ._text import type_name
from .model import instant_text

MOST_VALUES = 512 * 1024 + 1
"""The most values of an output: more are larger than 1 MiB, and a mapping may be endless."""


class Unfit(TypeError):
    """A value that has no JSON form. The message begins with its place, where that is not the whole."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self._why = why
        self._place = ""

    def under(self, step: str) -> Unfit:
        """Adds the member or index that leads to the place."""
        self._place = step + ("." if self._place[:1].isalnum() or self._place[:1] == "_" else "") + self._place
        return self

    def __str__(self) -> str:
        return f"{self._place}: {self._why}" if self._place else self._why


def plain(value: Any) -> Any:
    """A value as JSON has it: built of exactly `dict`, `list`, `str`, `int`, `float`, `bool` and `None`.

    Raises `Unfit` for what has no such form, and lets through whatever the value's own methods raise.
    """
    return _plain(value, [MOST_VALUES])


def _plain(value: Any, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise Unfit(f"there are more than {MOST_VALUES} values")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, left)
    for base, told in _SCALARS:
        if issubclass(kind, base):
            return told(value)
    if isinstance(value, Mapping):
        return _members(value.items(), left)
    if isinstance(value, list | tuple | set | frozenset):
        return [_at(n, one, left) for n, one in enumerate(value)]
    if not isinstance(value, type):
        if hasattr(value, "model_dump"):
            return _plain(value.model_dump(mode="json"), left)
        if dataclasses.is_dataclass(value):
            return _members(((one.name, getattr(value, one.name)) for one in dataclasses.fields(value)), left)
    if issubclass(kind, bytes | bytearray | memoryview):
        raise Unfit("bytes have no JSON form: decode them, or use base64")
    if kind is types.CoroutineType:
        value.close()
        raise Unfit("a coroutine has no JSON form: it was never awaited")
    raise Unfit(f"a {type_name(value)} has no JSON form")


def _members(members: Iterable[tuple[Any, Any]], left: list[int]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, one in members:
        name = _key(key)
        try:
            given[name] = _plain(one, left)
        except Unfit as unfit:
            raise unfit.under(name) from None
    return given


def _at(n: int, value: Any, left: list[int]) -> Any:
    try:
        return _plain(value, left)
    except Unfit as unfit:
        raise unfit.under(f"[{n}]") from None


def _key(key: Any) -> str:
    key = key.value if isinstance(key, enum.Enum) else key
    if isinstance(key, uuid.UUID):
        return str(key)
    if not issubclass(type(key), str):
        raise Unfit(f"a member's name is a text, not {type_name(key)}")
    return _text(key)


def _text(value: str) -> str:
    # The text itself, not what the methods of a subclass say.
    text = str.__str__(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Unfit(f"the text has a lone surrogate at {error.start}, which UTF-8 cannot encode") from None
    return text


def _number(value: float) -> float:
    number = float.__pos__(value)
    if not math.isfinite(number):
        raise Unfit(f"{number} has no JSON form")
    return number


def _decimal(value: Decimal) -> str:
    # Written as a text: a JSON number would be read as a binary one, and differ.
    if not value.is_finite():
        raise Unfit(f"{value} has no JSON form")
    return str(value)


def _duration(value: timedelta) -> str:
    """The ISO 8601 form of a duration: `P1DT2H3M4.5S`."""
    sign, span = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}.{span.microseconds:06}".rstrip("0").rstrip(".") if span.microseconds else str(seconds)
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + (f"{rest}S" if rest != "0" else "")
    days = f"{span.days}D" if span.days else ""
    return f"{sign}P{days}T{clock}" if clock else f"{sign}P{days or 'T0S'}"


_ADDRESSES = (
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)
_SCALARS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (str, _text),
    (int, int.__pos__),
    (float, _number),
    (datetime, instant_text),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _duration),
    (Decimal, _decimal),
    ((uuid.UUID, *_ADDRESSES), str),
    (PurePath, lambda value: _text(str(value))),
)
"""Types that become a text or a number, in order: an instant, for one, is a date as well."""
