"""Conversion of JSON to the types that functions take: dataclasses, enums, instants, identifiers, pydantic models."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import re
import types
import typing
import uuid
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from typing import Any, Literal, Union

from ._text import type_name
from .model import instant


class Mismatch(ValueError):
    """A value that does not fit. The message begins with where it is."""

    def __init__(self, place: str, wanted: str, value: Any) -> None:
        super().__init__(f"{place or 'the input'} must be {wanted}, not {_shown(value)}")


class Missing(Mismatch):
    """A missing member."""

    def __init__(self, place: str) -> None:
        ValueError.__init__(self, f"{place} is missing")


def build(wanted: Any, value: Any, place: str = "") -> Any:
    """A value of JSON as the type that an annotation names."""
    if wanted in (Any, object, None.__class__, None):
        if wanted in (Any, object) or value is None:
            return value
        raise Mismatch(place, "null", value)
    if hasattr(wanted, "model_validate"):
        return wanted.model_validate(value)
    origin = typing.get_origin(wanted)
    if origin is not None:
        return _generic(origin, typing.get_args(wanted), value, place)
    if hasattr(wanted, "__supertype__"):
        return build(wanted.__supertype__, value, place)
    if typing.is_typeddict(wanted):
        return _typed_dict(wanted, value, place)
    if isinstance(wanted, type):
        return _plain(wanted, value, place)
    raise Mismatch(place, f"of a type that is understood; {wanted!r} is none of them", value)


def _plain(wanted: type, value: Any, place: str) -> Any:
    if dataclasses.is_dataclass(wanted):
        return _dataclass(wanted, value, place)
    if issubclass(wanted, enum.Enum):
        try:
            return wanted(value)
        except ValueError:
            raise Mismatch(place, "one of " + ", ".join(repr(one.value) for one in wanted), value) from None
    if wanted is datetime:
        moment = instant(value)
        if moment is None:
            raise Mismatch(place, "an instant such as 2026-01-31T12:00:00Z", value)
        return moment
    if wanted in _READ:
        what, read = _READ[wanted]
        try:
            if isinstance(value, str):
                return read(value)
        except (ValueError, InvalidOperation):
            pass
        raise Mismatch(place, what, value)
    if wanted is Decimal:
        return _decimal(value, place)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted in (list, tuple, set, frozenset):
        return _generic(wanted, (), value, place)
    # In Python a boolean is an integer; in JSON it is not.
    if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
        return value
    raise Mismatch(place, _NAMES.get(wanted, f"a {wanted.__name__}"), value)


def _decimal(value: Any, place: str) -> Decimal:
    """Builds a decimal of a text, as `plain` writes it, or of a number."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise Mismatch(place, "a number, or one as a text", value)


def _generic(origin: Any, of: tuple[Any, ...], value: Any, place: str) -> Any:
    if origin in (Union, types.UnionType):
        return _union(of, value, place)
    if origin is Literal:
        if any(value == one and type(value) is type(one) for one in of):
            return value
        raise Mismatch(place, "one of " + ", ".join(map(repr, of)), value)
    if origin in _WRAPPERS:
        return build(of[0], value, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise Mismatch(place, "an object", value)
        return {key: build(of[1] if of else Any, one, _member(place, key)) for key, one in value.items()}
    if isinstance(origin, type) and hasattr(origin, "__iter__"):
        if not isinstance(value, list):
            raise Mismatch(place, "a list", value)
        if origin is tuple and of and of[-1] is not Ellipsis:
            if len(of) != len(value):
                raise Mismatch(place, f"a list of {len(of)}", value)
            return tuple(build(kind, one, f"{place}[{n}]") for n, (kind, one) in enumerate(zip(of, value, strict=True)))
        built = [build(of[0] if of else Any, one, f"{place}[{n}]") for n, one in enumerate(value)]
        return built if origin not in (tuple, set, frozenset) else origin(built)
    raise Mismatch(place, f"of a type that is understood; {origin!r} is none of them", value)


def _union(of: tuple[Any, ...], value: Any, place: str) -> Any:
    """Builds the first type of a union that fits."""
    first: Mismatch | None = None
    for kind in of:
        try:
            return build(kind, value, place)
        except Mismatch as mismatch:
            # For an optional value, the expected type says more than that it could be null.
            first = mismatch if first is None and kind is not type(None) else first
    raise first or Mismatch(place, "something else", value)


def _dataclass(wanted: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise Mismatch(place, "an object", value)
    hints = typing.get_type_hints(wanted, include_extras=True)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(wanted):
        if not field.init:
            continue
        if field.name in value:
            given[field.name] = build(hints[field.name], value[field.name], _member(place, field.name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Missing(_member(place, field.name))
    return wanted(**given)


def _typed_dict(wanted: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise Mismatch(place, "an object", value)
    for name in wanted.__required_keys__:
        if name not in value:
            raise Missing(_member(place, name))
    hints = typing.get_type_hints(wanted)
    return {
        name: build(hints[name], one, _member(place, name)) if name in hints else one for name, one in value.items()
    }


def _member(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _shown(value: Any) -> str:
    """Names the kind of a value, and not the value, which may be a secret."""
    return "null" if value is None else _NAMES.get(type(value), f"a {type_name(value)}")


_DURATION = re.compile(r"(-)?P(?!$)(?:(\d+)D)?(?:T(?!$)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,6})?)S)?)?")


def _duration(text: str) -> timedelta:
    """A duration as ISO 8601 and `plain` write it, of days and shorter units."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    sign, days, hours, minutes, seconds = found.groups()
    try:
        span = timedelta(int(days or 0), float(seconds or 0), 0, 0, int(minutes or 0), int(hours or 0))
    except OverflowError as error:
        raise ValueError(text) from error
    return -span if sign else span


_READ: Mapping[type, tuple[str, typing.Callable[[str], Any]]] = {
    uuid.UUID: ("a UUID", uuid.UUID),
    date: ("a date such as 2026-01-31", date.fromisoformat),
    time: ("a time of day such as 12:30:00", time.fromisoformat),
    timedelta: ("a duration such as PT1H30M", _duration),
    Path: ("a path", Path),
    PurePath: ("a path", PurePath),
    ipaddress.IPv4Address: ("an IPv4 address", ipaddress.IPv4Address),
    ipaddress.IPv6Address: ("an IPv6 address", ipaddress.IPv6Address),
    ipaddress.IPv4Network: ("an IPv4 network", ipaddress.IPv4Network),
    ipaddress.IPv6Network: ("an IPv6 network", ipaddress.IPv6Network),
}
"""The types built from a text: what to call each in a message, and its parser."""
_NAMES: Mapping[type, str] = {
    str: "a text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
_WRAPPERS = [getattr(typing, name) for name in ("Annotated", "Required", "NotRequired") if hasattr(typing, name)]
