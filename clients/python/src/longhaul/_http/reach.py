"""Whether a server can be reached: told in the log when it cannot, since when, and why."""

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
"""Seconds between two outages that are told one by one."""


@dataclass(frozen=True)
class Outage:
    """A time in which the server cannot be reached, or takes no calls. `why`: the latest reason."""

    since: datetime
    why: str


class Reach:
    """What the calls of one worker found out. `patience`: seconds of an outage after which it ends the worker."""

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
        """A call came to nothing, and is made again. Raises `Unreachable` once patience is over."""
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
        """The server said something of its own."""
        with self._lock:
            self.ever = True
            outage, self.outage = self.outage, None
            if outage is not None and self._announced:
                lasted = monotonic() - self._began
                log.warning("the server %s answers again after %.0f s", self._server, lasted)
