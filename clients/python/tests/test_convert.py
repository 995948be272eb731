"""Between JSON and Python's types."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NewType, Optional, TypedDict, Union
from uuid import UUID

import pytest
from pydantic import BaseModel

from longhaul._convert import Mismatch, build
from longhaul._plain import plain
from longhaul.model import Status, instant, instant_text

Fqdn = NewType("Fqdn", str)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass(frozen=True)
class Shape:
    name: Fqdn
    points: tuple[Point, ...] = ()
    tags: Mapping[str, list[int]] = dataclasses.field(default_factory=dict)
    area: float = dataclasses.field(default=0.0, init=False)


class Base(TypedDict):
    id: str


class Partial(Base, total=False):
    point: Point


class Model(BaseModel):
    """A model of pydantic."""

    id: UUID
    price: Decimal


NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("wanted", "value", "built"),
    [
        (Any, {"a": [1]}, {"a": [1]}),
        (dict, {"a": 1}, {"a": 1}),
        (dict[str, Any], {"a": 1}, {"a": 1}),
        (str, "a", "a"),
        (int, 3, 3),
        (float, 3, 3.0),
        (bool, True, True),
        (None, None, None),
        (Optional[int], None, None),
        (int | None, 5, 5),
        (Union[int, str], "a", "a"),
        (Point | str, {"x": 1}, Point(1)),
        (Literal["a", 1], 1, 1),
        (Annotated[int, "whatever"], 1, 1),
        (Fqdn, "esx1", "esx1"),
        (Level, 2, Level.HIGH),
        (datetime, "2026-01-31T12:00:00Z", NOON),
        (list, [1, "a"], [1, "a"]),
        (list[Point], [{"x": 1}, {"x": 2, "y": 3}], [Point(1), Point(2, 3)]),
        (Sequence[int], [1], [1]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[str], ["a", "b", "a"], {"a", "b"}),
        (Partial, {"id": "a", "more": 1}, {"id": "a", "more": 1}),
        (Partial, {"id": "a", "point": {"x": 1}}, {"id": "a", "point": Point(1)}),
        (
            Shape,
            {"name": "s", "points": [{"x": 1}], "tags": {"t": [1]}},
            Shape(Fqdn("s"), (Point(1),), {"t": [1]}),
        ),
    ],
)
def test_values_are_built(wanted: Any, value: Any, built: Any) -> None:
    result = build(wanted, value)
    assert result == built
    assert type(result) is type(built)


@pytest.mark.parametrize(
    ("wanted", "value", "message"),
    [
        (str, 1, "the input must be a text, not an integer"),
        (int, True, "the input must be an integer, not true or false"),
        (int, "1", "the input must be an integer, not a text"),
        (float, "1", "the input must be a number, not a text"),
        (Point, [], "the input must be an object, not a list"),
        (Point, {}, "x is missing"),
        (Point, {"x": 1, "y": None}, "y must be an integer, not null"),
        (Shape, {"name": "s", "points": [{"x": 1}, {"x": "1"}]}, "points[1].x must be an integer, not a text"),
        (Shape, {"name": "s", "tags": {"t": ["1"]}}, "tags.t[0] must be an integer, not a text"),
        (Level, 3, "the input must be one of 1, 2, not an integer"),
        (Literal["a", "b"], "c", "the input must be one of 'a', 'b', not a text"),
        (Literal[1], True, "the input must be one of 1, not true or false"),
        (tuple[int, str], [1], "the input must be a list of 2, not a list"),
        (datetime, "noon", "the input must be an instant such as 2026-01-31T12:00:00Z, not a text"),
        (Optional[int], "a", "the input must be an integer, not a text"),
        (Base, {}, "id is missing"),
        (None, 1, "the input must be null, not an integer"),
    ],
)
def test_what_does_not_fit_is_said_without_its_value(wanted: Any, value: Any, message: str) -> None:
    with pytest.raises(Mismatch) as mismatch:
        build(wanted, value)
    assert str(mismatch.value) == message


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        ({"a": (1, 2.5, True)}, {"a": [1, 2.5, True]}),
        (Shape(Fqdn("s"), (Point(1),)), {"name": "s", "points": [{"x": 1, "y": 0}], "tags": {}, "area": 0.0}),
        (Level.HIGH, 2),
        ({Status.FAILED: Status.PENDING}, {"FAILED": "PENDING"}),
        (NOON, "2026-01-31T12:00:00.000Z"),
        (NOON.date(), "2026-01-31"),
        ({"a"}, ["a"]),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Decimal("1.10"), "1.10"),
        (time(12, 30), "12:30:00"),
        (timedelta(days=1, hours=2, seconds=3, milliseconds=500), "P1DT2H3.5S"),
        (-timedelta(minutes=1), "-PT1M"),
        (timedelta(), "PT0S"),
        (timedelta(seconds=20), "PT20S"),
        (timedelta(days=2), "P2D"),
        (IPv4Address("10.0.0.1"), "10.0.0.1"),
        (IPv6Network("fd00::/8"), "fd00::/8"),
        (PurePosixPath("/etc/hosts"), "/etc/hosts"),
        ({UUID(int=7): 1}, {"00000000-0000-0000-0000-000000000007": 1}),
        (Model(id=UUID(int=7), price=Decimal("1.10")), {"id": str(UUID(int=7)), "price": "1.10"}),
    ],
)
def test_values_are_told(value: Any, json: Any) -> None:
    assert plain(value) == json
    assert type(plain(value)) is type(json)


@pytest.mark.parametrize(
    "value",
    [
        *(time(12, 30), timedelta(days=1, seconds=3.5), timedelta(), -timedelta(hours=30), timedelta(minutes=1)),
        *(UUID(int=7), Decimal("1.10"), NOON, NOON.date(), IPv4Address("10.0.0.1"), IPv6Address("::1"), Level.HIGH),
        *(IPv4Network("10.0.0.0/8"), IPv6Network("fd00::/8"), Model(id=UUID(int=7), price=Decimal(2)), Point(1, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_told_is_built_again(value: Any) -> None:
    assert build(type(value), plain(value)) == value
    with pytest.raises(ValueError, match=r"the input must be|validation error"):
        build(type(value), ["no such thing"])


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00.000Z", NOON),
        ("2026-01-31t12:00:00.0z", NOON),
        ("2026-01-31T13:00:00+01:00", NOON),
        ("2026-01-31T07:00:00.000-0500", NOON),
        ("2026-01-31T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("2026-01-31T12:00:00", NOON),
        ("2026-13-31T12:00:00Z", None),
        ("never", None),
        (None, None),
        (17, None),
    ],
)
def test_instants_are_read(text: Any, moment: datetime | None) -> None:
    assert instant(text) == moment


def test_instants_are_written_in_utc() -> None:
    assert instant_text(datetime.fromisoformat("2026-01-31T13:00:00.123456+01:00")) == "2026-01-31T12:00:00.123Z"


@pytest.mark.parametrize(
    ("text", "status"),
    [("In Progress", Status.IN_PROGRESS), ("FAILED", Status.FAILED), ("odd", Status.UNKNOWN), (None, Status.UNKNOWN)],
)
def test_statuses_are_read_in_every_spelling(text: Any, status: Status) -> None:
    assert Status.read(text) is status
