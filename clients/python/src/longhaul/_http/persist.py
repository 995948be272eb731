"""Retries: after no answer, an answer that is not the server's own, or one that asks to come back later."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..errors import ApiError, LonghaulError, ServerError, Unintelligible, Unreachable, Untrusted
from .authority import Authority
from .plan import Answer, Pause, Plan, Request
from .reach import Reach

T = TypeVar("T")

LONGEST = 10.0
"""No pause is longer, unless the server asks for it."""
LATEST = 3600.0
"""No pause is longer, even if the server asks for it."""


def pauses(first: float = 0.2, longest: float = LONGEST) -> Iterator[float]:
    """Pauses that grow, each shortened by up to a half, so that many that failed at once do not come back at once."""
    pause = min(first, longest)
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(longest, pause * 2)


def persist(
    authority: Authority,
    request: Request,
    read: Callable[[Answer], T],
    *,
    patience: float | None,
    longest: float = LONGEST,
    latest: float = LATEST,
    reach: Reach | None = None,
) -> Plan[T]:
    """Sends a request until an answer counts, pausing for `patience` seconds in all, for ever if that is `None`.

    `read` makes of a success what is returned; one that it cannot read is not the server's own, such as a proxy's
    page. Only an Error document of the server refuses a request: all else is asked again. A request that is not
    repeatable is sent again only where the server said that it did nothing: 429. `longest` limits pauses of our own,
    `latest` those that the server asks for. `reach` is told how it went.
    """
    waits, paused = pauses(longest=longest), 0.0
    while True:
        trouble: LonghaulError
        wanted: float | None = None
        try:
            value = _read((yield from authority.send(request)), read)
        except ApiError as error:
            trouble, wanted = error, error.retry_after
        except (Unreachable, Unintelligible) as error:
            trouble = error
        else:
            _tell(reach)
            return value
        if not _is_later(trouble, request, reach):
            _tell(reach if isinstance(trouble, ApiError) else None)
            raise trouble
        pause = next(waits) if wanted is None else min(latest, wanted)
        spent = paused + (pause if isinstance(trouble, ApiError) else 0.0)
        if patience is not None and (spent > patience or paused >= patience):
            raise trouble
        if reach is not None:
            reach.failed(trouble)
        paused += pause
        yield Pause(pause)


def _read(answer: Answer, read: Callable[[Answer], T]) -> T:
    try:
        return read(answer.checked())
    except LonghaulError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise Unintelligible(f"{answer.described()} is not understood: {error!r}") from error


def _is_later(trouble: LonghaulError, request: Request, reach: Reach | None) -> bool:
    if isinstance(trouble, Untrusted):
        # The server was reached before: something else answers in its place for now.
        return request.repeatable and reach is not None and reach.ever
    if isinstance(trouble, ApiError):
        return trouble.status == 429 or (
            request.repeatable and (trouble.status == 408 or isinstance(trouble, ServerError))
        )
    return request.repeatable


def _tell(reach: Reach | None) -> None:
    if reach is not None:
        reach.answered()
