"""The attempts a worker holds: waiting, running, or to be reported; and its free capacity."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .attempt import Attempt


class Bell:
    """A signal that something changed. For one event loop and any number of waiters."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float | None = None) -> None:
        """Waits until it rings, for `seconds` at the most."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=seconds)
        finally:
            self._waiters.discard(waiter)

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            await self.wait()


class Book:
    """The attempts of one worker. `slots` run at once; `capacity` are held, the rest of them waiting."""

    def __init__(self, slots: int, capacity: int) -> None:
        self._slots = slots
        self._capacity = capacity
        self._reserved = 0
        self._held: dict[str, Attempt] = {}
        self._waiting: deque[Attempt] = deque()
        self._running: set[Attempt] = set()
        self.bell = Bell()

    def free(self) -> int:
        """The number of attempts that may still be asked for."""
        return max(0, self._capacity - self._reserved - len(self._waiting) - len(self._running))

    @contextmanager
    def reserve(self, count: int) -> Iterator[None]:
        """Counts attempts that were asked for and may arrive."""
        self._reserved += count
        try:
            yield
        finally:
            self._reserved -= count
            self.bell.ring()

    def take(self, attempt: Attempt) -> None:
        self._held[attempt.lease.id] = attempt
        self._waiting.append(attempt)
        self.bell.ring()

    def begin(self) -> Attempt | None:
        """The next that waits, if there is a slot for it."""
        if not self._waiting or len(self._running) >= self._slots:
            return None
        attempt = self._waiting.popleft()
        self._running.add(attempt)
        return attempt

    def end(self, attempt: Attempt) -> None:
        """Notes that the function has ended; the lease is held until the result is recorded."""
        attempt.ended = True
        self._running.discard(attempt)
        self.bell.ring()

    def settle(self, lease: str) -> None:
        """Drops a lease whose result is recorded, or that is lost."""
        attempt = self._held.pop(lease, None)
        if attempt is not None and attempt in self._waiting:
            self._waiting.remove(attempt)
        self.bell.ring()

    def empty_waiting(self) -> list[Attempt]:
        """Removes and returns the attempts that have not begun."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self.bell.ring()
        return waiting

    def held(self, lease: str) -> Attempt | None:
        return self._held.get(lease)

    def all_held(self) -> list[Attempt]:
        return list(self._held.values())

    def running(self) -> list[Attempt]:
        return list(self._running)
