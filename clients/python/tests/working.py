"""A worker beside a test, and how to wait for what it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from longhaul import Worker

PATIENCE = 30.0


@contextmanager
def working(worker: Worker) -> Iterator[Worker]:
    """Runs a worker in a thread; stops it at the end, and raises the error it ended with, if any."""
    died: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:
            died.append(error)

    thread = threading.Thread(target=run, name="worker of a test")
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the worker does not stop"
    if died:
        raise died[0]


def eventually(holds: Callable[[], object], what: str = "it") -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.02)
