"""A server that is killed, stops, is not there yet, or does not let the worker in."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from serving import PASSWORD, Admin, Server
from workflows import work, workflow
from working import eventually, working

from longhaul import Client, Context, Forbidden, Status, Unauthorized, Worker


@pytest.fixture
def own(fresh: Server) -> Iterator[Admin]:
    admin = Admin(fresh)
    yield admin
    admin.close()


def test_a_server_that_is_killed_and_comes_back_is_waited_for(fresh: Server, own: Admin) -> None:
    worker = Worker(fresh.url, api_key=own.account("worker", "WORKER"), slots=4, lease=2)
    begun, go_on = threading.Semaphore(0), threading.Event()

    @worker.action("q")
    def act(ctx: Context) -> int:
        begun.release()
        go_on.wait(60)
        return ctx.attempt

    name = own.workflow(workflow("killed", work("q", "First"), work("q", "Second")))
    with Client(fresh.url, user="admin", password=PASSWORD) as client, working(worker):
        ids = [client.start(name).id for _ in range(4)]
        for _ in ids:
            assert begun.acquire(timeout=30)
        fresh.kill()
        # The work is finished while nobody can be told, and longer than a lease lasts.
        go_on.set()
        time.sleep(2.5)
        fresh.start()
        for id in ids:
            task = client.wait(id, timeout=60, include=["outputs"])
            assert task.status is Status.SUCCESSFUL
            # After a restart every lease lasts its whole time anew: nothing was done twice.
            assert task.outputs == {"First": 1, "Second": 1}
            assert [attempt.status for attempt in client.attempts(id)] == ["SUCCESSFUL"] * 2


def test_what_runs_while_the_server_restarts_is_not_disturbed(fresh: Server, own: Admin) -> None:
    worker = Worker(fresh.url, api_key=own.account("worker", "WORKER"), lease=2)
    begun, go_on = threading.Event(), threading.Event()
    seen: list[Context] = []

    @worker.action("q")
    def act(ctx: Context) -> int:
        seen.append(ctx)
        begun.set()
        go_on.wait(60)
        return ctx.attempt

    name = own.workflow(workflow("restarted", work("q")))
    with Client(fresh.url, user="admin", password=PASSWORD) as client, working(worker):
        id = client.start(name).id
        assert begun.wait(30)
        time.sleep(1)
        fresh.kill()
        fresh.start()
        time.sleep(4)
        go_on.set()
        assert client.wait(id, timeout=30, include=["outputs"]).outputs == {"Work": 1}
    assert [(ctx.attempt, ctx.cancelled) for ctx in seen] == [(1, False)]


def test_a_server_that_stops_takes_results_and_leases_again_when_it_is_back(fresh: Server, own: Admin) -> None:
    worker = Worker(fresh.url, api_key=own.account("worker", "WORKER"))
    worker.action("q")(lambda ctx: ctx.attempt)
    name = own.workflow(workflow("stopped", work("q")))
    with Client(fresh.url, user="admin", password=PASSWORD) as client, working(worker):
        assert client.wait(client.start(name).id, timeout=30).has_succeeded
        fresh.terminate()
        time.sleep(1)
        fresh.start()
        assert client.wait(client.start(name).id, timeout=60).has_succeeded


def test_a_worker_waits_for_a_server_that_is_not_there_yet(fresh: Server, own: Admin) -> None:
    worker = Worker(fresh.url, api_key=own.account("worker", "WORKER"))
    worker.action("q")(lambda ctx: "there")
    id = own.http.post("/v1/tasks", json={"workflow": own.workflow(workflow("late", work("q")))}).json()["id"]
    fresh.kill()
    with working(worker):
        time.sleep(1)
        fresh.start()
        with Client(fresh.url, user="admin", password=PASSWORD) as client:
            assert client.wait(id, timeout=60).has_succeeded


def test_a_worker_may_log_in_by_name(fresh: Server, own: Admin) -> None:
    secret = "the-password-of-a-worker"
    made = own.http.post("/v1/users", json={"name": "w", "role": "WORKER", "password": secret})
    assert made.status_code == 201, made.text
    worker = Worker(fresh.url, user="w", password=secret)
    worker.action("q")(lambda ctx: "in")
    id = own.http.post("/v1/tasks", json={"workflow": own.workflow(workflow("named", work("q")))}).json()["id"]
    with working(worker), Client(fresh.url, user="admin", password=PASSWORD) as client:
        assert client.wait(id, timeout=30).has_succeeded


def test_a_key_that_does_not_count_ends_the_worker_at_once(server: Server) -> None:
    worker = Worker(server.url, api_key="lhk_nothing")
    worker.action("q")(lambda ctx: None)
    with pytest.raises(Unauthorized) as refused:
        worker.run()
    assert refused.value.status == 401
    assert refused.value.reference is not None


def test_a_role_that_may_not_work_ends_the_worker_at_once(server: Server, operator: str) -> None:
    worker = Worker(server.url, api_key=operator)
    worker.action("q")(lambda ctx: None)
    with pytest.raises(Forbidden, match="WORKER"):
        worker.run()


def test_a_key_that_is_taken_away_ends_the_worker_and_its_work(fresh: Server, own: Admin) -> None:
    worker = Worker(fresh.url, api_key=own.account("worker", "WORKER"), lease=1)
    begun, told = threading.Event(), threading.Event()

    @worker.action("q")
    def act(ctx: Context) -> None:
        begun.set()
        while not ctx.cancelled:
            time.sleep(0.01)
        told.set()

    own.http.post("/v1/tasks", json={"workflow": own.workflow(workflow("taken", work("q")))})
    died: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except Unauthorized as error:
            died.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30)
    assert own.http.delete("/v1/users/worker").status_code == 204
    eventually(lambda: died, "the end of the worker")
    assert told.wait(10)
    thread.join(10)


def test_the_list_of_workers_says_where_one_runs(fresh: Server, own: Admin) -> None:
    worker = Worker(fresh.url, api_key=own.account("worker", "WORKER"))

    @worker.action("q")
    def act(ctx: Context) -> None:
        return None

    with working(worker):
        eventually(own.workers, "the worker has asked for work")
        (listed,) = own.workers()
    assert (listed["host"], listed["process"]) == (socket.gethostname(), os.getpid())
