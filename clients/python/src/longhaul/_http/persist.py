"""Asking again: when there is no answer, or one that says `later`."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ..errors import Unreachable
from .authority import Authority
from .plan import Answer, Pause, Plan, Request

LONGEST = 10.0
"""No pause is longer, unless the server asks for it."""


def pauses(first: float = 0.2, longest: float = LONGEST) -> Iterator[float]:
    """Pauses that grow, each shortened by up to a half, so that many that failed at once do not come back at once."""
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(longest, pause * 2)


def persist(
    authority: Authority, request: Request, *, patience: float | None, longest: float = LONGEST
) -> Plan[Answer]:
    """Sends a request until an answer counts, pausing for `patience` seconds in all, for ever if that is `None`.

    A request that is not repeatable is sent again only where the server said that it did nothing: 429.
    """
    waits, paused = pauses(longest=longest), 0.0
    while True:
        answer: Answer | None = None
        try:
            answer = yield from authority.send(request)
        except Unreachable:
            if not request.repeatable or (patience is not None and paused >= patience):
                raise
        if answer is not None and not _says_later(answer, request):
            return answer.checked()
        wanted = answer.retry_after() if answer is not None else None
        pause = next(waits) if wanted is None else wanted
        if answer is not None and patience is not None and paused + pause > patience:
            raise answer.refusal()
        paused += pause
        yield Pause(pause)


def _says_later(answer: Answer, request: Request) -> bool:
    return answer.status == 429 or (request.repeatable and (answer.status == 408 or answer.status >= 500))
