"""Outages of a server, as its callers see them: the log says since when and why."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from time import monotonic

from ..errors import LonghaulError, Unreachable
from ..model import instant_text

log = logging.getLogger("longhaul.worker")

REMIND = 60.0
"""Seconds between two lines about one outage."""
FLAPPING = 10.0
"""Seconds between the log lines of two outages in a row."""


@dataclass(frozen=True)
class Outage:
    """A time in which the server cannot be reached, or takes no calls. `why`: the latest reason."""

    since: datetime
    why: str


class Reach:
    """The state of one worker's connection. `patience`: seconds of an outage after which the worker ends."""

    def __init__(self, server: str, patience: float | None = None) -> None:
        self._server = server
        self._patience = patience
        self._lock = threading.Lock()
        self._began = 0.0
        self._told = float("-inf")
        self._announced = False
        self.ever = False
        """The server has answered at least once."""
        self.outage: Outage | None = None

    def failed(self, error: LonghaulError) -> None:
        """Notes that a call failed and is repeated. Raises `Unreachable` once patience has run out."""
        why, now = str(error).splitlines()[0].removeprefix(f"{self._server} "), monotonic()
        with self._lock:
            if self.outage is None:
                self._began, self._announced = now, False
            since = datetime.now(timezone.utc) if self.outage is None else self.outage.since
            self.outage = Outage(since, why)
            lasted = now - self._began
            if now - self._told >= (REMIND if self._announced else FLAPPING):
                self._told, self._announced = now, True
                if lasted < 1:
                    log.warning("waiting for the server %s: %s", self._server, why)
                else:
                    lines = (self._server, lasted, instant_text(since), why)
                    log.warning("waiting for the server %s for %.0f s now, since %s: %s", *lines)
        if self._patience is not None and lasted >= self._patience:
            message = f"{self._server} could not be reached for {lasted:.0f} s, since {instant_text(since)}: {why}"
            raise Unreachable(message) from error

    def answered(self) -> None:
        """Notes an answer of the server's own."""
        with self._lock:
            self.ever = True
            outage, self.outage = self.outage, None
            if outage is not None and self._announced:
                lasted = monotonic() - self._began
                log.warning("the server %s answers again after %.0f s", self._server, lasted)
