"""Heartbeats, news of the work, and what becomes of it when it is cancelled or its lease is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from serving import Admin
from workflows import work, workflow
from working import eventually, working

from longhaul import Cancelled, Client, Context, NotFound, Status, Worker
from longhaul._http.drive import AsyncDriver
from longhaul._http.plan import Request

Make = Callable[..., Worker]


def start(client: Client, admin: Admin, queue: str, **sub_task: Any) -> str:
    return client.start(admin.workflow(workflow(queue, work(queue, **sub_task)))).id


def test_heartbeats_keep_a_lease_beyond_its_span(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker(lease=1)

    @worker.action(queue)
    def act(ctx: Context) -> int:
        time.sleep(3.5)
        return ctx.attempt

    with working(worker):
        task = client.wait(start(client, admin, queue), include=["outputs"], timeout=30)
    assert task.outputs == {"Work": 1}
    assert [attempt.status for attempt in client.attempts(task.id)] == ["SUCCESSFUL"]


def test_a_coroutine_that_blocks_its_loop_loses_no_lease(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker(lease=1)

    @worker.action(queue)
    async def act(ctx: Context) -> int:
        time.sleep(3)  # noqa: ASYNC251
        return ctx.attempt

    with working(worker):
        task = client.wait(start(client, admin, queue), include=["outputs"], timeout=30)
    assert task.outputs == {"Work": 1}


def test_without_heartbeats_the_lease_would_have_ended(
    client: Client, admin: Admin, make_worker: Make, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side of the tests above: that their spans are what they seem."""
    sent = AsyncDriver._carry_out
    first = threading.Event()

    async def deaf(self: AsyncDriver, step: Any) -> Any:
        if isinstance(step, Request) and step.path.endswith("/heartbeat"):
            await asyncio.sleep(60)
        return await sent(self, step)

    monkeypatch.setattr(AsyncDriver, "_carry_out", deaf)
    worker = make_worker(lease=1)

    @worker.action(queue)
    def act(ctx: Context) -> int:
        if not first.is_set():
            first.set()
            time.sleep(2.5)
        return ctx.attempt

    with working(worker):
        task = client.wait(start(client, admin, queue), include=["outputs"], timeout=30)
        assert task.outputs == {"Work": 2}
        time.sleep(2)
    ended = [(attempt.status, attempt.error and attempt.error.code) for attempt in client.attempts(task.id)]
    assert ended == [("LOST", "LEASE_EXPIRED"), ("SUCCESSFUL", None)]


def test_progress_and_stages_are_seen_while_it_works(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker()
    go_on = threading.Event()

    @worker.action(queue)
    def act(ctx: Context) -> None:
        ctx.stage("Restart", status="PENDING", description="Restart the host")
        with ctx.stage("Evacuate", type="EVACUATE_HOST"):
            ctx.progress(40)
            go_on.wait(30)
        with ctx.stage("Restart"):
            pass

    with working(worker):
        id = start(client, admin, queue)
        eventually(lambda: client.get(id).sub_task("Work").progress == 40, "the progress")
        eventually(lambda: client.get(id).sub_task("Work").stages, "the stages")
        stages = client.get(id).sub_task("Work").stages
        assert [(stage.name, stage.type, stage.description, stage.status) for stage in stages] == [
            ("Restart", "RESTART", "Restart the host", Status.PENDING),
            ("Evacuate", "EVACUATE_HOST", "Evacuate", Status.IN_PROGRESS),
        ]
        go_on.set()
        stages = client.wait(id, timeout=30).sub_task("Work").stages
    assert [stage.status for stage in stages] == [Status.SUCCESSFUL, Status.SUCCESSFUL]


def test_a_stage_fails_with_an_exception(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act(ctx: Context) -> None:
        with ctx.stage("Evacuate"):
            raise RuntimeError("no room")

    with working(worker):
        sub_task = client.wait(start(client, admin, queue), timeout=30).sub_task("Work")
    assert [stage.status for stage in sub_task.stages] == [Status.FAILED]
    assert sub_task.errors[0].code == "RUNTIME_ERROR"


def logged(client: Client, id: str) -> list[tuple[str, str]]:
    return [(line.stream, line.text) for line in client.logs(id)]


def test_lines_are_in_the_log_in_their_order(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    go_on = threading.Event()

    @worker.action(queue)
    def act(ctx: Context) -> None:
        ctx.log("one\ntwo")
        go_on.wait(30)
        ctx.log("three", stream="stderr")

    with working(worker):
        before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
        id = start(client, admin, queue)
        eventually(lambda: logged(client, id) == [("stdout", "one"), ("stdout", "two")], "the first lines")
        time.sleep(0.5)
        after = datetime.now(timezone.utc)
        go_on.set()
        client.wait(id, timeout=30)
    eventually(lambda: ("stderr", "three") in logged(client, id), "the last line")
    one, two, three = client.logs(id)
    assert [(line.stream, line.text) for line in (one, two, three)] == [
        ("stdout", "one"),
        ("stdout", "two"),
        ("stderr", "three"),
    ]
    assert [(line.number, line.sub_task, line.attempt) for line in (one, two, three)] == [
        (1, "Work", 1),
        (2, "Work", 1),
        (3, "Work", 1),
    ]
    # When they were written, not when they came.
    assert one.timestamp is not None
    assert three.timestamp is not None
    assert before <= one.timestamp <= after - timedelta(milliseconds=400)
    assert three.timestamp >= after - timedelta(milliseconds=1)
    assert [line.text for line in client.logs(id, after=one.number)] == ["two", "three"]
    assert [line.number for line in client.logs(id, sub_task="Work")] == [1, 2, 3]
    with pytest.raises(NotFound):
        list(client.logs(id, sub_task="Other"))


def test_a_long_log_arrives_whole_and_in_order(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    lines = [f"{n} " + "\x01" * 3000 for n in range(1000)]

    @worker.action(queue)
    def act(ctx: Context) -> str:
        ctx.log("begun")
        time.sleep(1.2)
        for line in lines:
            ctx.log(line)
        return "written"

    with working(worker):
        id = start(client, admin, queue)
        assert client.wait(id, timeout=60, include=["outputs"]).outputs == {"Work": "written"}
    assert [line.text for line in client.logs(id)] == ["begun", *lines]


def test_more_than_an_attempt_may_write_is_left_out(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act(ctx: Context) -> None:
        for n in range(5000):
            ctx.log(f"{n} ".ljust(1000, "."))

    with working(worker):
        id = start(client, admin, queue)
        assert client.wait(id, timeout=60).has_succeeded
    kept = [line.text for line in client.logs(id) if line.text[:1].isdigit()]
    assert 4000 < len(kept) < 4300
    assert [int(text.split()[0]) for text in kept] == list(range(len(kept)))


def test_the_traceback_of_an_exception_is_in_the_log(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act_badly(ctx: Context) -> None:
        raise ZeroDivisionError

    with working(worker):
        id = start(client, admin, queue)
        client.wait(id, timeout=30)
    eventually(lambda: logged(client, id), "the log")
    lines = logged(client, id)
    assert {stream for stream, _ in lines} == {"stderr"}
    assert any("in act_badly" in text for _, text in lines)
    assert lines[-1][1] == "ZeroDivisionError"


def test_a_cancellation_reaches_a_thread(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    told: list[str] = []

    @worker.action(queue)
    def act(ctx: Context) -> None:
        told.append("begun")
        try:
            ctx.sleep(60)
        except Cancelled:
            assert ctx.cancelled
            assert not ctx.lost
            told.append("cleaned up")
            raise

    with working(worker):
        id = start(client, admin, queue)
        eventually(lambda: told == ["begun"], "the beginning")
        client.cancel(id)
        # Within the five seconds of grace that the server gives; else the attempt would be STOPPED by it.
        assert client.wait(id, timeout=30).status is Status.CANCELLED
    assert told == ["begun", "cleaned up"]
    (attempt,) = client.attempts(id)
    assert attempt.error is not None
    assert attempt.error.code == "CANCELLED"


def test_a_cancellation_reaches_a_coroutine_that_may_clean_up(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker()
    told: list[str] = []

    @worker.action(queue)
    async def act(ctx: Context) -> str:
        told.append("begun")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            told.append("cleaned up")
        return "stopped half-way"

    with working(worker):
        id = start(client, admin, queue)
        eventually(lambda: told == ["begun"], "the beginning")
        # Old enough for the long poll: it is known at once, and not at the next heartbeat, ten seconds later.
        time.sleep(1.5)
        client.cancel(id)
        assert client.wait(id, timeout=30).status is Status.CANCELLED
    assert told == ["begun", "cleaned up"]
    # What it gave is recorded, and changes nothing else.
    assert [attempt.status for attempt in client.attempts(id)] == ["SUCCESSFUL"]


def test_work_goes_on_beside_what_was_cancelled(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    """A cancelled attempt that takes its time keeps its lease, and the others theirs."""
    worker = make_worker(lease=1)
    release = threading.Event()
    told: list[str] = []

    @worker.action(queue)
    def act(ctx: Context, input: dict[str, str]) -> int:
        told.append(f"{input['name']} begun")
        while not release.is_set():
            if ctx.cancelled and "stubborn" in input["name"]:
                time.sleep(2.5)
                break
            time.sleep(0.02)
        told.append(f"{input['name']} {'lost' if ctx.lost else 'ended'}")
        return ctx.attempt

    name = admin.workflow(workflow(queue, work(queue)))
    with working(worker):
        stubborn = client.start(name, {"name": "stubborn"}).id
        other = client.start(name, {"name": "other"}).id
        eventually(lambda: len(told) == 2, "both beginnings")
        client.cancel(stubborn)
        assert client.wait(stubborn, timeout=30).status is Status.CANCELLED
        time.sleep(1)
        release.set()
        assert client.wait(other, timeout=30, include=["outputs"]).outputs == {"Work": 1}
    assert set(told[2:]) == {"stubborn ended", "other ended"}


def test_a_lost_lease_is_told_and_never_reported(
    client: Client, admin: Admin, make_worker: Make, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = AsyncDriver._carry_out
    reported: list[bytes] = []

    async def overheard(self: AsyncDriver, step: Any) -> Any:
        if isinstance(step, Request) and step.path.endswith(("/complete", "/fail")):
            reported.append(step.body or b"")
        return await sent(self, step)

    monkeypatch.setattr(AsyncDriver, "_carry_out", overheard)
    worker = make_worker()
    seen: list[Context] = []

    @worker.action(queue)
    def act(ctx: Context) -> str:
        seen.append(ctx)
        if ctx.attempt > 1:
            return "the second"
        with pytest.raises(Cancelled, match="lost"):
            ctx.sleep(60)
        return "the first"

    with working(worker):
        # The server ends an attempt when its time is over, whatever the worker says.
        id = start(client, admin, queue, timeout="2s", retry={"attempts": 2, "backoff": "10ms"})
        task = client.wait(id, timeout=30, include=["outputs"])
    assert task.outputs == {"Work": "the second"}
    assert [(ctx.attempt, ctx.lost, ctx.timeout) for ctx in seen] == [(1, True, 2.0), (2, False, 2.0)]
    assert [attempt.status for attempt in client.attempts(id)] == ["TIMED_OUT", "SUCCESSFUL"]
    assert b"the second" in b"".join(reported)
    assert b"the first" not in b"".join(reported)


def test_short_attempts_need_no_heartbeat(
    client: Client, admin: Admin, make_worker: Make, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = AsyncDriver._carry_out
    beats: list[Request] = []

    async def overheard(self: AsyncDriver, step: Any) -> Any:
        if isinstance(step, Request) and step.path.endswith("/heartbeat"):
            beats.append(step)
        return await sent(self, step)

    monkeypatch.setattr(AsyncDriver, "_carry_out", overheard)
    worker = make_worker()
    worker.action(queue)(lambda ctx: None)
    with working(worker):
        for _ in range(10):
            assert client.wait(start(client, admin, queue), timeout=30).has_succeeded
    assert beats == []
