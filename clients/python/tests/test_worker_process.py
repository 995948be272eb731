"""Workers as processes: killed, told to stop, told twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Process
from serving import Admin, Server
from workflows import work, workflow
from working import eventually, working

from longhaul import Client, Context, Status, Worker

Make = Callable[..., Worker]
SCRIPT = Path(__file__).with_name("worker_process.py")


@pytest.fixture
def spawn(server: Server, worker_key: str, queue: str) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def begin(**settings: Any) -> Process:
        processes.append(Process(SCRIPT, server, worker_key, queue, settings))
        return processes[-1]

    yield begin
    for process in processes:
        process.close()


def start(client: Client, admin: Admin, queue: str, name: str, seconds: float = 60, **more: Any) -> str:
    one = admin.workflow(workflow(queue, work(queue, retry={"attempts": 3, "backoff": "10ms"})))
    return client.start(one, {"name": name, "seconds": seconds, **more}).id


def test_another_takes_over_from_one_that_was_killed(
    client: Client, admin: Admin, make_worker: Make, queue: str, spawn: Callable[..., Process]
) -> None:
    process = spawn(lease=2)
    id = start(client, admin, queue, "a")
    assert process.line() == "begun a"
    process.send(signal.SIGKILL)
    assert process.end() == (-signal.SIGKILL, [])
    other, keys = make_worker(), []

    @other.action(queue)
    def act(ctx: Context) -> int:
        keys.append(ctx.idempotency_key)
        return ctx.attempt

    with working(other):
        task = client.wait(id, timeout=30, include=["outputs"])
    assert task.outputs == {"Work": 2}
    ended = [(attempt.status, attempt.error and attempt.error.code) for attempt in client.attempts(id)]
    assert ended == [("LOST", "LEASE_EXPIRED"), ("SUCCESSFUL", None)]
    assert len(keys) == 1


def test_at_sigterm_what_runs_is_finished_and_what_was_not_begun_is_given_back(
    client: Client, admin: Admin, make_worker: Make, queue: str, spawn: Callable[..., Process]
) -> None:
    process = spawn(slots=1, prefetch=2, lease=600)
    first = start(client, admin, queue, "first", 1.5)
    assert process.line() == "begun first"
    others = [start(client, admin, queue, f"other {n}") for n in range(2)]
    eventually(lambda: all(client.attempts(id) for id in others), "the leases of the others")
    process.send(signal.SIGTERM)
    other = make_worker()
    other.action(queue)(lambda ctx: ctx.attempt)
    with working(other):
        # They need not wait for the ten minutes of their leases.
        given_back = [client.wait(id, timeout=20, include=["outputs"]) for id in others]
    assert process.end() == (0, ["ended"])
    assert [task.status for task in given_back] == [Status.SUCCESSFUL] * 2
    task = client.wait(first, timeout=5, include=["outputs"])
    assert task.outputs == {"Work": {"attempt": 1}}
    # To be given back does not count as an attempt that failed.
    codes = {attempt.error.code for id in others for attempt in client.attempts(id) if attempt.error}
    assert "LEASE_EXPIRED" not in codes


@pytest.mark.parametrize("kind", ["", "-async"])
def test_what_does_not_end_within_the_grace_is_given_up(
    client: Client, admin: Admin, make_worker: Make, queue: str, spawn: Callable[..., Process], kind: str
) -> None:
    process = spawn(grace=0.5, lease=600)
    one = admin.workflow(workflow(queue, work(f"{queue}{kind}")))
    id = client.start(one, {"name": "a", "seconds": 60}).id
    assert process.line() == "begun a"
    process.send(signal.SIGTERM)
    assert process.end() == (0, ["cancelled a", "ended"])
    other = make_worker()
    other.action(f"{queue}{kind}")(lambda ctx: ctx.attempt)
    with working(other):
        assert client.wait(id, timeout=10, include=["outputs"]).outputs == {"Work": 2}
    (first, _) = client.attempts(id)
    assert first.status == "LOST"
    assert first.error is not None
    assert first.error.code == "WORKER_STOPPED"


def test_what_does_not_listen_is_given_up_and_another_tries_again(
    client: Client, admin: Admin, make_worker: Make, queue: str, spawn: Callable[..., Process]
) -> None:
    process = spawn(grace=0.2, lease=600)
    id = start(client, admin, queue, "a", 60, stubborn=True)
    assert process.line() == "begun a"
    process.send(signal.SIGTERM)
    # It ends though a thread of it still runs.
    assert process.end() == (0, ["ended"])
    other = make_worker()
    other.action(queue)(lambda ctx: ctx.attempt)
    with working(other):
        assert client.wait(id, timeout=20, include=["outputs"]).outputs == {"Work": 2}
    (first, _) = client.attempts(id)
    assert first.error is not None
    assert first.error.code == "WORKER_STOPPED"


def test_the_outcome_of_what_does_not_listen_is_unknown(
    client: Client, admin: Admin, queue: str, spawn: Callable[..., Process]
) -> None:
    process = spawn(grace=0.2)
    one = admin.workflow(workflow(queue, work(queue, repeatable=False)))
    id = client.start(one, {"name": "a", "seconds": 60, "stubborn": True}).id
    assert process.line() == "begun a"
    process.send(signal.SIGTERM)
    assert process.end() == (0, ["ended"])
    assert client.wait(id, timeout=10).sub_task("Work").errors[0].code == "OUTCOME_UNKNOWN"


def test_a_second_signal_ends_the_grace(
    client: Client, admin: Admin, queue: str, spawn: Callable[..., Process]
) -> None:
    process = spawn(grace=600)
    start(client, admin, queue, "a")
    assert process.line() == "begun a"
    process.send(signal.SIGINT)
    time.sleep(0.5)
    process.send(signal.SIGINT)
    assert process.end() == (0, ["cancelled a", "ended"])


def test_an_idle_worker_stops_at_once(spawn: Callable[..., Process], client: Client, admin: Admin, queue: str) -> None:
    process = spawn()
    # So that it is known to have begun to ask.
    id = start(client, admin, queue, "a", 0)
    assert client.wait(id, timeout=20).has_succeeded
    began = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.end() == (0, ["begun a", "ended"])
    # A long poll of thirty seconds is left, not waited for.
    assert time.monotonic() - began < 20
