"""The heartbeat process: extends the leases it is given as long as its worker lives."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from time import monotonic
from typing import Any

from .._http.connection import connect
from .._http.drive import Driver
from .._http.persist import persist
from ..errors import LonghaulError
from .protocol import MAX_ENTRIES, Beat, Calls

log = logging.getLogger("longhaul.worker")

LOOK = 0.5
"""Seconds between checks that the parent lives. The pipe is not enough: a forked child may hold it open."""


class Leases:
    """The leases to extend, and when."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._spans: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def hold(self, spans: dict[str, float]) -> None:
        """Replaces the leases to extend."""
        with self._changed:
            now = monotonic()
            self._due = {lease: self._due.get(lease, now + span / 3) for lease, span in spans.items()}
            self._spans = spans
            self._changed.notify()

    def next(self) -> dict[str, float]:
        """Waits until a lease is due, and returns all with their spans, as one heartbeat extends them."""
        with self._changed:
            while not self._due or min(self._due.values()) > monotonic():
                first = min(self._due.values(), default=None)
                self._changed.wait(None if first is None else max(0.0, first - monotonic()))
            now = monotonic()
            self._due = {lease: now + self._spans[lease] / 3 for lease in self._due}
            return {lease: self._spans[lease] for lease in self._due}

    def lose(self, lease: str) -> None:
        """Drops a lease that has ended."""
        with self._changed:
            self._due.pop(lease, None)


def main(begin: dict[str, Any]) -> None:
    # The worker says when the server cannot be reached.
    log.setLevel(logging.ERROR)
    leases = Leases()
    threading.Thread(target=_read, args=(leases,), daemon=True).start()
    threading.Thread(target=_look_after, args=(begin["parent"],), daemon=True).start()
    connection, authority = connect(
        begin["server"],
        api_key=begin["api_key"],
        user=begin["user"],
        password=begin["password"],
        ca=begin["ca"],
        insecure=begin["insecure"],
        answer=begin["answer"],
    )
    driver, calls = Driver(connection), Calls(begin["worker"])

    def beat(several: dict[str, float]) -> None:
        third = min(several.values()) / 3
        request = calls.heartbeat([{"lease": lease} for lease in several], patience=max(1.0, third))
        plan = persist(
            authority,
            request,
            lambda answer: Beat.read(answer, len(several)),
            patience=third,
            longest=min(third / 4, begin["longest"]),
        )
        try:
            for told in driver.run(plan):
                if told.state == "lost":
                    leases.lose(told.lease)
        except LonghaulError as error:
            log.error("a heartbeat of %s failed: %s", begin["worker"], error)

    print("ready", flush=True)
    while True:
        due = list(leases.next().items())
        for n in range(0, len(due), MAX_ENTRIES):
            beat(dict(due[n : n + MAX_ENTRIES]))


def _read(leases: Leases) -> None:
    for line in sys.stdin:
        leases.hold(json.loads(line)["leases"])
    # The worker has ended.
    os._exit(0)


def _look_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(0)
