"""Threads for functions that are not `async`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Pool:
    """At most so many threads, started as they are needed.

    They are daemons: a function that does not end must not keep its process from ending, as those of the standard
    library's pool do.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = 0
        self._idle = 0
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        # From here on nobody can cancel it: whether a thread ran it is always known.
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._work.put(work)
        with self._lock:
            if self._idle < self._work.qsize() and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._run, name=f"longhaul-action-{self._threads}", daemon=True).start()
        return future

    def close(self) -> None:
        """Lets threads end that have nothing to do, now or later."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            work = self._work.get()
            with self._lock:
                self._idle -= 1
            if work is None:
                return
            work()
