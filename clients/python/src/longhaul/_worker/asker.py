"""Calls of a worker, repeated until the server answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .._http.authority import Authority
from .._http.persist import LATEST, persist
from .._http.plan import Answer, Plan, Request
from .._http.reach import Reach

T = TypeVar("T")


@dataclass(frozen=True)
class Asker:
    """The credential and the patience of a worker's calls. `longest`: the longest pause between tries, in seconds."""

    authority: Authority
    reach: Reach
    longest: float

    def ask(self, request: Request, read: Callable[[Answer], T], *, longest: float | None = None) -> Plan[T]:
        """Sends a request until its answer can be read. `longest`: where pauses must be shorter still."""
        most = self.longest if longest is None else min(longest, self.longest)
        # A lease that is due sooner than the server asks for is not kept waiting.
        latest = LATEST if longest is None else longest
        return persist(self.authority, request, read, patience=None, longest=most, latest=latest, reach=self.reach)
