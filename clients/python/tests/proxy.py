"""A proxy between a worker and its server that lets through, answers by itself, or breaks connections."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Script = Callable[["Call"], "bytes | int | Cut | None"]


@dataclass
class Call:
    """A request that came to the proxy. `number` counts those of its path from 0."""

    path: str
    body: bytes
    number: int
    whole: bytes = field(repr=False)


@dataclass(frozen=True)
class Cut:
    """The connection is reset behind the first `bytes` of an answer that comes bit by bit."""

    bytes: int


class Proxy:
    """A proxy that takes one request per connection. `script` decides: bytes are the answer, a number is the count of
    bytes of the server's own answer before the connection is reset, `Cut` the same for an answer without an end, `None`
    lets the request through."""

    def __init__(self, server: str) -> None:
        host, port = server.split("://")[1].split(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.script: Script = lambda call: None
        self.calls: list[Call] = []
        self._counts: Counter[str] = Counter()
        self._answered: dict[bytes, bytes] = {}
        """The server's answers to calls that break and are repeated unchanged."""
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self, path: str) -> int:
        return self._counts[path]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(60)
            try:
                whole = _request(client)
                if whole is None:
                    return
                call = self._noted(whole)
                verdict = self.script(call)
                if isinstance(verdict, bytes):
                    client.sendall(verdict)
                else:
                    self._forward(client, whole, verdict)
            except OSError:
                # Either side is gone.
                return

    def _noted(self, whole: bytes) -> Call:
        head, _, body = whole.partition(b"\r\n\r\n")
        path = head.split(b" ")[1].decode().split("?")[0]
        with self._lock:
            call = Call(path, body, self._counts[path], whole)
            self._counts[path] += 1
            self.calls.append(call)
        return call

    def forget(self) -> None:
        """Resets the counts."""
        with self._lock:
            self._counts.clear()

    def _forward(self, client: socket.socket, whole: bytes, limit: int | Cut | None) -> None:
        if not isinstance(limit, int):
            left = float("inf") if limit is None else limit.bytes
            for part in self._asked(whole):
                client.sendall(part if left > len(part) else part[: int(left)])
                left -= len(part)
                if left <= 0:
                    return _reset_at_close(client)
            return None
        if whole not in self._answered:
            self._answered[whole] = b"".join(self._asked(whole))
        answer = self._answered[whole]
        client.sendall(answer[:limit])
        if limit < len(answer):
            _reset_at_close(client)
        return None

    def _asked(self, whole: bytes) -> Iterator[bytes]:
        head, _, body = whole.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        with socket.create_connection(self._upstream) as upstream:
            upstream.settimeout(90)
            upstream.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            while part := upstream.recv(65536):
                yield part

    def close(self) -> None:
        self._listener.close()


def _reset_at_close(client: socket.socket) -> None:
    # Closing with nothing to linger for resets the connection.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _request(client: socket.socket) -> bytes | None:
    """A whole request; `None` if the client left before."""
    data = b""
    while b"\r\n\r\n" not in data or len(data) < _length(data):
        part = client.recv(65536)
        if not part:
            return None
        data += part
    return data


def _length(data: bytes) -> int:
    head = data.split(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(head) + 4 + int(line.split(b":")[1])
    return len(head) + 4


@contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    proxy = Proxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
