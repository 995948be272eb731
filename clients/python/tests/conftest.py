"""A server for all tests, and clients of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from serving import PASSWORD, Admin, Server

from longhaul import Client, Worker

# The same cases at each run, however slow the machine is, and nothing kept between two.
settings.register_profile("tests", deadline=None, database=None, derandomize=True)
settings.load_profile("tests")

# Of whoever runs the tests, and not of these servers.
for name in [name for name in os.environ if name.startswith("LONGHAUL_")]:
    del os.environ[name]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def fresh() -> Iterator[Server]:
    """A server of the test's own, to be killed and started again."""
    server = Server()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[Admin]:
    admin = Admin(server)
    yield admin
    admin.close()


@pytest.fixture(scope="session")
def operator(admin: Admin) -> str:
    """An API key that may start tasks."""
    return admin.account("operator", "OPERATOR")


@pytest.fixture(scope="session")
def worker_key(admin: Admin) -> str:
    """An API key that may work."""
    return admin.account("worker", "WORKER")


@pytest.fixture(scope="session")
def client(server: Server, operator: str) -> Iterator[Client]:
    with Client(server.url, api_key=operator) as client:
        yield client


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return f"q-{uuid.uuid4()}"


@pytest.fixture
def make_worker(server: Server, worker_key: str) -> Callable[..., Worker]:
    """Makes a worker for the shared server."""

    def make(**settings: Any) -> Worker:
        return Worker(server.url, api_key=worker_key, **settings)

    return make


@pytest.fixture(scope="session")
def password() -> str:
    """The password of the user admin."""
    return PASSWORD
