"""Threads for functions that are not `async`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Pool:
    """Up to `size` threads, started as needed.

    They are daemons: a function that does not end must not keep its process from ending, as those of the standard
    library's pool do.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = 0
        self._unfinished = 0
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        # A running future cannot be cancelled: whether a thread ran it is always known.
        future.set_running_or_notify_cancel()

        refused = False

        def work() -> None:
            if refused:
                return
            try:
                result = function()
            except BaseException as error:
                self._finished()
                future.set_exception(error)
            else:
                self._finished()
                future.set_result(result)

        self._work.put(work)
        with self._lock:
            self._unfinished += 1
            # Counted, not seen: whether a thread is idle is known too late, and what it holds up may be for ever.
            if self._threads < min(self._unfinished, self._size):
                self._threads += 1
                thread = threading.Thread(target=self._run, name=f"longhaul-action-{self._threads}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # The machine has no more threads for us. Others of the pool come to it, if there are any.
                    self._threads -= 1
                    if not self._threads:
                        refused = True
                        self._unfinished -= 1
                        raise
        return future

    def _finished(self) -> None:
        with self._lock:
            self._unfinished -= 1

    def close(self) -> None:
        """Ends each thread once it has nothing to do."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
