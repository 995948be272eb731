"""Clients of servers that restart, have other habits, or speak TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from serving import PASSWORD, Admin, Server
from workflows import simulate, workflow
from working import eventually

from longhaul import Client, Status, Task, Unreachable

OTHER_HABITS = """
[wire]
status_style = "constant"
action_body = "empty"
login_status = 200
"""


def test_watch_and_wait_outlive_a_restart(fresh: Server) -> None:
    admin = Admin(fresh)
    name = admin.workflow(workflow("restarted", simulate("First", duration="2s"), simulate("Second")))
    admin.close()
    with Client(fresh.url, user="admin", password=PASSWORD, patience=0.1) as client:
        id = client.start(name).id
        states: list[Task] = []
        ended: list[Task] = []

        def watch() -> None:
            for task in client.watch(id):
                states.append(task)

        watcher = threading.Thread(target=watch)
        waiter = threading.Thread(target=lambda: ended.append(client.wait(id, timeout=60)))
        for thread in (watcher, waiter):
            thread.start()
        eventually(lambda: states, "the first state")
        # So that the other has had its first look, too: what was never seen is not waited for.
        time.sleep(0.7)
        fresh.kill()
        with pytest.raises(Unreachable):
            client.get(id)
        fresh.start()
        for thread in (watcher, waiter):
            thread.join(60)
    assert [task.status for task in ended] == [Status.SUCCESSFUL]
    assert states[-1].status is Status.SUCCESSFUL


def test_a_start_waits_for_a_server_that_restarts(fresh: Server) -> None:
    admin = Admin(fresh)
    name = admin.workflow(workflow("patient", simulate()))
    admin.close()
    with Client(fresh.url, user="admin", password=PASSWORD) as client:
        assert client.whoami().name == "admin"
        fresh.kill()
        started: list[Task] = []
        thread = threading.Thread(target=lambda: started.append(client.start(name, name="patient", wait=30)))
        thread.start()
        fresh.start()
        thread.join(60)
        assert [task.status for task in started] == [Status.SUCCESSFUL]
        # Sent again and again, and started once.
        assert [task.id for task in client.list(name="patient")] == [started[0].id]


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server(config=OTHER_HABITS)
    yield server
    server.close()


def test_other_habits_of_a_server_make_no_difference(other: Server) -> None:
    admin = Admin(other)
    failing = admin.workflow(workflow("failing", simulate(failAttempts=[1])))
    slow = admin.workflow(workflow("slow", simulate(duration="1m")))
    admin.close()
    with Client(other.url, user="admin", password=PASSWORD) as client:
        id = client.start(failing, wait=30).id
        assert client.get(id).raw["status"] == "FAILED"
        assert client.retry(id).id == id
        assert client.wait(id).status is Status.SUCCESSFUL
        assert client.cancel(client.start(slow).id).status in (Status.IN_PROGRESS, Status.CANCELLED)


@pytest.fixture
def secure() -> Iterator[Server]:
    server = Server("--tls", "self-signed")
    yield server
    server.close()


def test_a_certificate_must_be_vouched_for(secure: Server) -> None:
    certificate = secure.data / "data" / "tls" / "cert.pem"
    with Client(secure.url, ca=certificate, user="admin", password=PASSWORD) as client:
        assert client.whoami().name == "admin"
    with Client(secure.url, insecure=True, user="admin", password=PASSWORD) as client:
        assert client.whoami().name == "admin"
    with Client(secure.url, patience=0, api_key="x") as client, pytest.raises(Unreachable, match=r"(?i)certificate"):
        client.whoami()
