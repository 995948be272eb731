"""The event stream that a plan reads, one at a time: opening the next one closes the last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from .plan import Answer

MOST = 1024 * 1024
"""The most bytes read of an answer that is no event stream, such as a refusal or a page that never ends."""


class Line:
    """The stream of a plan of the driver that blocks."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self.was_used = False
        """A stream was asked for, by now or before."""
        self._parts: Iterator[bytes] = iter(())

    def open(self, arguments: dict[str, Any]) -> Answer:
        """Sends a request. An event stream is answered without its body, which `more` gives."""
        self.close()
        self.was_used = True
        timeout = arguments.pop("timeout")
        self._response = self._http.send(self._http.build_request(timeout=timeout, **arguments), stream=True)
        self._parts = self._response.iter_bytes()
        head = answer(self._response, b"")
        if head.is_stream():
            return head
        body = bytearray()
        for part in self._parts:
            body += part
            if len(body) > MOST:
                break
        self.close()
        return Answer(head.status, head.headers, bytes(body))

    def more(self) -> Answer:
        """The next bytes, as the body of an answer; empty at the end."""
        return Answer(200, {}, next(self._parts, b""))

    def close(self) -> None:
        """Hangs up."""
        response, self._response, self._parts = self._response, None, iter(())
        if response is not None:
            response.close()


class AsyncLine:
    """The stream of a plan of the driver for asyncio."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self.was_used = False
        """A stream was asked for, by now or before."""
        self._parts: AsyncIterator[bytes] | None = None

    async def open(self, arguments: dict[str, Any]) -> Answer:
        """Sends a request. An event stream is answered without its body, which `more` gives."""
        await self.close()
        self.was_used = True
        timeout = arguments.pop("timeout")
        self._response = await self._http.send(self._http.build_request(timeout=timeout, **arguments), stream=True)
        self._parts = self._response.aiter_bytes()
        head = answer(self._response, b"")
        if head.is_stream():
            return head
        body = bytearray()
        async for part in self._parts:
            body += part
            if len(body) > MOST:
                break
        await self.close()
        return Answer(head.status, head.headers, bytes(body))

    async def more(self) -> Answer:
        """The next bytes, as the body of an answer; empty at the end."""
        return Answer(200, {}, b"" if self._parts is None else await anext(self._parts, b""))

    async def close(self) -> None:
        """Hangs up."""
        response, self._response, self._parts = self._response, None, None
        if response is not None:
            await response.aclose()


def answer(response: httpx.Response, body: bytes | None = None) -> Answer:
    """An answer of the HTTP library. `body`: what counts as its body, unless it was read whole."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content if body is None else body)
