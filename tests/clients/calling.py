"""Requests byte for byte, and answers as they came: no client library stands between."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

from serving import Server

TIMEOUT = 20


@dataclass
class Answer:
    """An answer: what a check looks at."""

    status: int
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    method: str = "GET"

    def header(self, name: str) -> str | None:
        """The value of a header; more than one of a name are a mistake by themselves."""
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.reason} {self.headers} {self.body[:1500]!r}"


def connected(server: Server, source: str | None = None) -> socket.socket:
    """A connection, over TLS where the server wants it; `source` is the address that it comes from."""
    plain = socket.create_connection(
        (server.host, server.port), TIMEOUT, source_address=(source, 0) if source else None
    )
    if not server.tls:
        return plain
    return server.trust().wrap_socket(plain, server_hostname=server.host)


def exchange(connection: socket.socket | ssl.SSLSocket, request: bytes) -> Answer:
    """Sends these bytes and reads one answer."""
    connection.sendall(request)
    return read(connection, request.split(b" ", 1)[0].decode())


def read(connection: socket.socket | ssl.SSLSocket, method: str) -> Answer:
    response = HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.reason, response.getheaders(), response.read(), method)


def raw(server: Server, request: bytes, source: str | None = None) -> Answer:
    """One request over a connection of its own."""
    with connected(server, source) as connection:
        return exchange(connection, request)


def request_bytes(
    method: str, path: str, host: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """A plain request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Caller:
    """Somebody who calls a server with a credential, or without one."""

    def __init__(self, server: Server, credential: str | None) -> None:
        self.server = server
        self.credential = credential

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credential}"} if self.credential else {}

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        source: str | None = None,
    ) -> Answer:
        """One call. A body of bytes goes as it is, any other as JSON."""
        sent = self.headers()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        request = request_bytes(method, path, self.server.address, sent, body)
        return raw(self.server, request, source)

    def get(self, path: str, **more: Any) -> Answer:
        return self("GET", path, **more)
