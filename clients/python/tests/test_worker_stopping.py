"""Workers stop in time, and only when they are told to: whatever threads, processes and tasks their functions start."""

from __future__ import annotations

import multiprocessing
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
from working import eventually

from longhaul import Client

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
    # Two tries: what ends a worker would end the next one, too.
    one = admin.workflow(workflow(queue, work(queue, retry={"attempts": 2, "backoff": "10ms"})))
    return client.start(one, input).id


def output(client: Client, id: str) -> Any:
    task = client.wait(id, timeout=60, include=["outputs"])
    assert task.outputs, task.sub_tasks[0].errors
    return task.outputs["Work"]


def test_children_of_a_function_neither_stop_the_worker_nor_stay(
    client: Client, admin: Admin, queue: str, spawn: Spawn
) -> None:
    process = spawn(slots=2)
    for method in multiprocessing.get_all_start_methods():
        ids = [start(client, admin, queue, method=method) for _ in range(2)]
        for id in ids:
            assert output(client, id) == {"codes": [-signal.SIGTERM] * 4, "squares": [1, 2], "sums": [3, 7]}, method
            assert len(client.attempts(id)) == 1
        # It is the same worker that goes on.
        assert output(client, start(client, admin, queue)) == process.id
    eventually(lambda: process.zombies() == [], "an end of zombies")
    process.send(signal.SIGTERM)
    assert process.end() == (0, ["ended"])
    eventually(lambda: process.family() == [], "an end of all children")


def test_a_child_that_a_function_forks_goes_no_further_than_it(
    client: Client, admin: Admin, queue: str, spawn: Spawn
) -> None:
    process = spawn()
    for name, input in ((queue, {"fork": "yes"}), (f"{queue}-async", {"deed": "fork"})):
        # One after the other: children of a second function would be taken for those that the first left behind.
        id = start(client, admin, name, **input)
        assert output(client, id) == {"codes": [0, 7, 1, -signal.SIGTERM, 0]}
        assert len(client.attempts(id)) == 1
        assert process.family() == [process.id]
        assert [line.text for line in client.logs(id)] == []
        assert client.get(id).sub_tasks[0].stages == ()


def test_what_a_coroutine_does_to_its_loop_stops_no_worker(
    client: Client, admin: Admin, queue: str, spawn: Spawn
) -> None:
    process = spawn()
    for deed in ("SystemExit", "KeyboardInterrupt", "stop the loop", "cancel all"):
        id = start(client, admin, f"{queue}-async", deed=deed)
        task = client.wait(id, timeout=30, include=["outputs"])
        assert task.outputs == ({} if deed == "cancel all" else {"Work": process.id}), deed
        assert output(client, start(client, admin, f"{queue}-async")) == process.id
        assert output(client, start(client, admin, queue)) == process.id


def test_the_grace_is_kept_whatever_goes_on(client: Client, admin: Admin, spawn: Spawn) -> None:
    kinds = ["thread", "thread left behind", "executor", "process", "processes"]
    deeds = ["to_thread", "block", "deaf"]
    begun: dict[str, tuple[Process, str]] = {}
    for what in (*kinds, *deeds):
        queue = f"q-{uuid.uuid4()}"
        process = spawn(queue, grace=0.3, lease=600)
        if what in kinds:
            begun[what] = process, start(client, admin, queue, kind=what)
        else:
            begun[what] = process, start(client, admin, f"{queue}-async", deed=what)
    for what, (process, _) in begun.items():
        assert process.line() == f"begun {what}"
    began = time.monotonic()
    for process, _ in begun.values():
        process.send(signal.SIGTERM)
    for what, (process, id) in begun.items():
        assert process.end() == (0, ["ended"]), what
        eventually(lambda process=process: process.family() == [], "an end of all children")  # type: ignore[misc]
        if what != "thread left behind":
            (first, *_) = client.attempts(id)
            assert first.error is not None
            assert first.error.code == "WORKER_STOPPED", what
    # Of ten minutes: the grace, the time to clean up, and that for what was left behind.
    assert time.monotonic() - began < 60


def test_a_signal_is_heard_while_a_coroutine_blocks_its_loop(
    client: Client, admin: Admin, queue: str, spawn: Spawn
) -> None:
    process = spawn(grace=600, lease=600)
    start(client, admin, f"{queue}-async", deed="block")
    assert process.line() == "begun block"
    process.send(signal.SIGINT)
    time.sleep(0.3)
    process.send(signal.SIGINT)
    assert process.end() == (0, ["ended"])
