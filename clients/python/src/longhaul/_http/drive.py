"""Carrying plans out over HTTP: one driver that blocks, one for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import httpx

from ..errors import Unreachable
from .connection import Connection
from .plan import Answer, Item, Pause, Plan, Request, Stream

T = TypeVar("T")


class Driver:
    """Blocks. Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = httpx.Client(**connection.options())

    def run(self, plan: Plan[T]) -> T:
        outcome: Answer | Unreachable | None = None
        while True:
            try:
                step = _advance(plan, outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            outcome = self._carry_out(step)

    def each(self, stream: Stream[T]) -> Iterator[T]:
        outcome: Answer | Unreachable | None = None
        try:
            while True:
                try:
                    step = _advance(stream, outcome)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    outcome = None
                    yield step.value
                else:
                    outcome = self._carry_out(step)
        finally:
            stream.close()

    def _carry_out(self, step: Request | Pause) -> Answer | Unreachable | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return _answer(self._http.request(**_arguments(step, self._connection)))
        except httpx.TransportError as error:
            return _silence(self._connection, error)

    def close(self) -> None:
        self._http.close()


class AsyncDriver:
    """For one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = httpx.AsyncClient(**connection.options())

    async def run(self, plan: Plan[T]) -> T:
        outcome: Answer | Unreachable | None = None
        while True:
            try:
                step = _advance(plan, outcome)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            outcome = await self._carry_out(step)

    async def each(self, stream: Stream[T]) -> AsyncIterator[T]:
        outcome: Answer | Unreachable | None = None
        try:
            while True:
                try:
                    step = _advance(stream, outcome)
                except StopIteration:
                    return
                if isinstance(step, Item):
                    outcome = None
                    yield step.value
                else:
                    outcome = await self._carry_out(step)
        finally:
            stream.close()

    async def _carry_out(self, step: Request | Pause) -> Answer | Unreachable | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return _answer(await self._http.request(**_arguments(step, self._connection)))
        except httpx.TransportError as error:
            return _silence(self._connection, error)

    async def close(self) -> None:
        await self._http.aclose()


def _advance(plan: Any, outcome: Answer | Unreachable | None) -> Any:
    return plan.throw(outcome) if isinstance(outcome, Unreachable) else plan.send(outcome)


def _arguments(request: Request, connection: Connection) -> dict[str, Any]:
    patience = connection.answer if request.patience is None else request.patience
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query or None,
        "headers": request.headers,
        "content": request.body,
        "timeout": httpx.Timeout(patience, read=request.wait + patience),
    }


def _answer(response: httpx.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _silence(connection: Connection, error: httpx.TransportError) -> Unreachable:
    silence = Unreachable(f"{connection.server} does not answer: {error or type(error).__name__}")
    silence.__cause__ = error
    return silence
