"""Servers, accounts and tasks that the tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from calling import Caller
from serving import PASSWORD, Server
from things import Things

# Of the machine, not of these servers: `requests` would let them win over the certificate that a test names.
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy"):
    os.environ.pop(name, None)

ROLES = ("VIEWER", "OPERATOR", "ADMIN", "WORKER")

# Everything of `[wire]`, the other way round: for clients that expect one server's habits.
OTHER_HABITS = """
[wire]
status_style = "constant"
action_body = "empty"
login_status = 200
default_page_size = 100
extensions = false
"""


def serve(config: str = "", tls: bool = True, flags: Sequence[str] = ()) -> Iterator[Server]:
    server = Server(config, tls, flags)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """As it comes, over TLS."""
    yield from serve()


@pytest.fixture(scope="session")
def other_habits() -> Iterator[Server]:
    """With every switch of `[wire]` turned."""
    yield from serve(OTHER_HABITS)


@pytest.fixture
def fresh() -> Iterator[Server]:
    """One that nobody else has used."""
    yield from serve()


def admin_of(server: Server) -> Caller:
    """An administrator, logged in with the password."""
    spec = {"username": "admin", "password": PASSWORD}
    answer = Caller(server, None)("POST", "/v1/tokens", spec)
    return Caller(server, answer.json["accessToken"])


@pytest.fixture(scope="session")
def admin(server: Server) -> Caller:
    return admin_of(server)


@pytest.fixture(scope="session")
def anonymous(server: Server) -> Caller:
    return Caller(server, None)


@pytest.fixture(scope="session")
def roles(admin: Caller) -> dict[str, Caller]:
    """A service account of each role, by role."""
    callers = {}
    for role in ROLES:
        made = admin("POST", "/v1/users", {"name": f"svc-{role.lower()}", "role": role, "kind": "SERVICE"})
        assert made.status == 201, made
        callers[role] = Caller(admin.server, made.json["apiKey"])
    return callers


@pytest.fixture(scope="session")
def things(admin: Caller) -> Things:
    return Things(admin)
