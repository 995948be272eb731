"""Heartbeats in a process of their own, and what a held interpreter costs without."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Process
from serving import Admin, Server
from workflows import work, workflow
from working import eventually, working

from longhaul import Client, Worker

SCRIPT = Path(__file__).with_name("worker_deeds.py")
Spawn = Callable[..., Process]


@pytest.fixture
def spawn(server: Server, worker_key: str, queue: str) -> Iterator[Spawn]:
    processes: list[Process] = []

    def begin(name: str = queue, **settings: Any) -> Process:
        processes.append(Process(SCRIPT, server, worker_key, name, settings))
        return processes[-1]

    yield begin
    for process in processes:
        process.close()


def start(client: Client, admin: Admin, queue: str, **input: str) -> str:
    one = admin.workflow(workflow(queue, work(queue, retry={"attempts": 5, "backoff": "10ms"})))
    return client.start(one, input).id


def test_a_function_may_hold_the_interpreter_if_heartbeats_have_their_own(
    client: Client, admin: Admin, spawn: Spawn
) -> None:
    begun: dict[str, tuple[Process, str]] = {}
    for heartbeats in ("process", "thread"):
        queue = f"q-{uuid.uuid4()}"
        process = spawn(queue, lease=2, heartbeats=heartbeats, grace=0)
        begun[heartbeats] = process, start(client, admin, queue, hold="4.5")
        assert process.line() == "begun hold"
    process, id = begun["process"]
    assert client.wait(id, timeout=30, include=["outputs"]).outputs == {"Work": 1}
    # The other side: the interpreter is held longer than the lease lasts.
    other, lost = begun["thread"]
    eventually(lambda: client.attempts(lost)[0].status == "LOST", "the loss")
    for one in (process, other):
        one.send(signal.SIGTERM)
        one.end()
        eventually(lambda one=one: one.family() == [], "an end of the other process")  # type: ignore[misc]


@pytest.mark.parametrize("held_by", ["nobody", "a child"])
def test_the_leases_of_a_worker_that_is_killed_end(
    client: Client, admin: Admin, make_worker: Callable[..., Worker], queue: str, spawn: Spawn, held_by: str
) -> None:
    process = spawn(lease=2, heartbeats="process")
    id = start(client, admin, queue, kind="thread" if held_by == "nobody" else "process")
    assert process.line().startswith("begun")
    eventually(lambda: len(process.family()) == (2 if held_by == "nobody" else 3), "the processes")
    time.sleep(2.5)
    assert len(client.attempts(id)) == 1
    process.send(signal.SIGKILL)
    other = make_worker()
    other.action(queue)(lambda ctx: ctx.attempt)
    with working(other):
        outputs = client.wait(id, timeout=30, include=["outputs"]).outputs
    # A child holds connections open: the server may give the next attempt to a call of the dead worker first.
    assert outputs == {"Work": 2} or (held_by == "a child" and outputs == {"Work": 3})


def test_a_process_of_heartbeats_that_ends_is_started_again(
    client: Client, admin: Admin, queue: str, spawn: Spawn
) -> None:
    process = spawn(lease=2, heartbeats="process", grace=0)
    start(client, admin, queue, kind="thread")
    assert process.line() == "begun thread"
    (first,) = set(process.family()) - {process.id}
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(set(process.family()) - {process.id, first}) == 1, "another one")
    # What is meant for the worker's group or terminal does not end it.
    (second,) = set(process.family()) - {process.id}
    eventually(lambda: ignores(second, signal.SIGINT), "its beginning")
    os.kill(second, signal.SIGTERM)
    os.kill(second, signal.SIGINT)
    time.sleep(0.3)
    assert second in process.family()
    process.send(signal.SIGTERM)
    assert process.end() == (0, ["ended"])
    eventually(lambda: process.family() == [], "an end of the other process")


def ignores(process: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")]
    return bool(int(mask, 16) >> (number - 1) & 1)
