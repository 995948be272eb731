"""Carrying plans out over HTTP: one driver that blocks, one for asyncio."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import wait
from typing import Any, TypeAlias, TypeVar

import httpx

from ..errors import LonghaulError, Unintelligible, Unreachable, Untrusted
from .cancel import within
from .connection import Connection
from .line import AsyncLine, Line, answer
from .plan import Answer, Item, Join, More, Pause, Plan, Request, Step, Stream

T = TypeVar("T")
C = TypeVar("C", httpx.Client, httpx.AsyncClient)
Outcome: TypeAlias = "Answer | LonghaulError | None"
"""The outcome of a step: an answer, the error raised in place of one, or nothing after a pause."""


class Driver:
    """The driver that blocks. Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = _client(httpx.Client, connection)

    def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        line = Line(self._http)
        try:
            while True:
                try:
                    step = _advance(plan, outcome)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                outcome = self._outcome(step, line)
        finally:
            plan.close()
            line.close()

    def each(self, stream: Stream[T]) -> Generator[T, None, None]:
        outcome: Outcome = None
        line = Line(self._http)
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
                    outcome = self._outcome(step, line)
        except Exception:
            # Whoever closes the client closes what it watches, too.
            if not (line.was_used and self._http.is_closed):
                raise
        finally:
            stream.close()
            line.close()

    def _outcome(self, step: Step, line: Line) -> Outcome:
        try:
            if isinstance(step, More):
                return line.more()
            if isinstance(step, Request) and step.quiet is not None:
                return line.open(_arguments(step, self._connection))
        except Exception as error:
            if self._http.is_closed:
                raise
            return _silence(self._connection, error)
        return self._carry_out(step)

    def _carry_out(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Join):
            wait([step.other])
            return None
        assert isinstance(step, Request), "a stream is read by its line"
        try:
            return answer(self._http.request(**_arguments(step, self._connection)))
        except Exception as error:
            if self._http.is_closed:
                raise
            return _silence(self._connection, error)

    def close(self) -> None:
        self._http.close()


class AsyncDriver:
    """The driver for asyncio, bound to one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = _client(httpx.AsyncClient, connection)

    async def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        line = AsyncLine(self._http)
        try:
            while True:
                try:
                    step = _advance(plan, outcome)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                outcome = await self._outcome(step, line)
        finally:
            plan.close()
            await line.close()

    async def each(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        outcome: Outcome = None
        line = AsyncLine(self._http)
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
                    outcome = await self._outcome(step, line)
        except Exception:
            # Whoever closes the client closes what it watches, too.
            if not (line.was_used and self._http.is_closed):
                raise
        finally:
            stream.close()
            await line.close()

    async def _outcome(self, step: Step, line: AsyncLine) -> Outcome:
        try:
            if isinstance(step, More):
                return await line.more()
            if isinstance(step, Request) and step.quiet is not None:
                return await line.open(_arguments(step, self._connection))
        except Exception as error:
            if self._http.is_closed:
                raise
            return _silence(self._connection, error)
        return await self._carry_out(step)

    async def _carry_out(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Join):
            await asyncio.wait([asyncio.wrap_future(step.other)])
            return None
        assert isinstance(step, Request), "a stream is read by its line"
        request = self._http.request(**_arguments(step, self._connection))
        try:
            # An answer may come in drops, each in time.
            whole = None if step.patience is None else step.wait + step.patience
            return answer(await within(request, whole))
        except Exception as error:
            if self._http.is_closed:
                raise
            return _silence(self._connection, error)

    async def close(self) -> None:
        await self._http.aclose()


def _client(kind: Callable[..., C], connection: Connection) -> C:
    try:
        return kind(**connection.options())
    except (ImportError, ValueError) as error:
        # The other options are known to be valid.
        raise ValueError(f"HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or NO_PROXY is not understood: {error}") from error


def _advance(plan: Any, outcome: Outcome) -> Any:
    return plan.throw(outcome) if isinstance(outcome, LonghaulError) else plan.send(outcome)


def _arguments(request: Request, connection: Connection) -> dict[str, Any]:
    patience = connection.answer if request.patience is None else request.patience
    quiet = request.wait + patience if request.quiet is None else request.quiet
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query or None,
        "headers": request.headers,
        "content": request.body,
        "timeout": httpx.Timeout(patience, read=quiet, pool=None),
    }


def _silence(connection: Connection, error: Exception) -> LonghaulError:
    """The error raised in place of an answer, for any exception that the HTTP library raises."""
    silence: LonghaulError
    refused = _certificate_error(error)
    if refused is not None:
        silence = Untrusted(f"the certificate of {connection.server} is not trusted: {_why_untrusted(refused)}")
    elif isinstance(error, httpx.DecodingError):
        silence = Unintelligible(f"the answer of {connection.server} cannot be decoded: {error}")
    else:
        why = f"{error}" or type(error).__name__
        if "WRONG_VERSION_NUMBER" in why or "record layer failure" in why:
            why += " (perhaps it speaks http://)"
        silence = Unreachable(f"{connection.server} does not answer: {why}")
    silence.__cause__ = error
    return silence


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _why_untrusted(error: ssl.SSLCertVerificationError) -> str:
    said = error.verify_message.rstrip(".")
    if "mismatch" in said.lower():
        return f"{said}. Use a name in `server` or LONGHAUL_SERVER that the certificate has."
    if "expired" in said or "not yet valid" in said:
        return f"{said}. Renew the certificate on the server, and compare the clocks."
    return f"{said}. Give the PEM file of its authority as `ca`, or name it in LONGHAUL_CA."
