"""The server's address and its certificate's authority: from the arguments, else from the environment."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from .._version import __version__
from .authority import Authority

DEFAULT_SERVER = "http://127.0.0.1:8080"
CONNECTIONS = 1000
"""The most connections that one client or worker opens."""
KEPT = 100
"""The most idle connections kept for later calls."""


@dataclass(frozen=True)
class Connection:
    """A server to connect to. `answer`: seconds an answer may take beyond the wait that was asked for."""

    server: str
    verify: ssl.SSLContext | bool
    answer: float
    ca: str | None = None
    insecure: bool = False

    def settings(self) -> dict[str, Any]:
        """The settings, for a process that connects to the same server."""
        return {"server": self.server, "answer": self.answer, "ca": self.ca, "insecure": self.insecure}

    def options(self) -> dict[str, Any]:
        """The keyword arguments of an httpx client."""
        return {
            "base_url": self.server,
            "verify": self.verify,
            "timeout": self.answer,
            # Most of many concurrent calls may be waiting for the end of a task.
            "limits": httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT),
            "headers": {"Accept": "application/json", "User-Agent": f"longhaul-python/{__version__}"},
            # Not followed, so that a token meant for this server is never sent to another.
            "follow_redirects": False,
        }


def connect(
    server: str | None,
    *,
    api_key: str | None,
    user: str | None,
    password: str | None,
    ca: str | os.PathLike[str] | None,
    insecure: bool | None,
    answer: float,
) -> tuple[Connection, Authority]:
    """Reads what is missing from `LONGHAUL_SERVER`, `_TOKEN`, `_USER`, `_PASSWORD`, `_CA` and `_INSECURE`."""
    environment = os.environ.get
    address = server or environment("LONGHAUL_SERVER") or DEFAULT_SERVER
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"a server's address begins with http:// or https://; this one is {address!r}")
    if api_key is None and user is None and password is None:
        api_key = environment("LONGHAUL_TOKEN") or None
        if api_key is None:
            user, password = environment("LONGHAUL_USER") or None, environment("LONGHAUL_PASSWORD") or None
    if insecure is None:
        insecure = environment("LONGHAUL_INSECURE", "").lower() in ("1", "true")
    authority_file = ca or environment("LONGHAUL_CA") or None
    authority = Authority(token=api_key, user=user, password=password)
    file = None if authority_file is None else os.path.abspath(os.fspath(authority_file))
    trust = _trust(address, authority_file, insecure)
    return Connection(address.rstrip("/"), trust, answer, file, insecure), authority


def _trust(address: str, ca: str | os.PathLike[str] | None, insecure: bool) -> ssl.SSLContext | bool:
    if address.startswith("http://") or insecure:
        return False
    try:
        # Without a file, the machine's authorities.
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"`ca` or LONGHAUL_CA must be a PEM file of certificates; {ca} is not: {error}") from error
