"""Context variables, prints and log records of functions: each belongs to its attempt."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from serving import Admin
from workflows import work, workflow
from working import eventually, working

from longhaul import Client, Context, Worker, current_context
from longhaul._worker.capture import captured

Make = Callable[..., Worker]
TENANT = contextvars.ContextVar("tenant", default="nobody")
log = logging.getLogger("tests.inventory")


def start(client: Client, admin: Admin, queue: str, **input: Any) -> str:
    return client.start(admin.workflow(workflow(queue, work(queue))), input).id


def lines(client: Client, id: str) -> list[tuple[str, str]]:
    return [(line.stream, line.text) for line in client.logs(id)]


@pytest.mark.parametrize("kind", ["thread", "coroutine"])
def test_each_attempt_has_variables_of_its_own(
    client: Client, admin: Admin, make_worker: Make, queue: str, kind: str
) -> None:
    worker = make_worker(slots=1)

    def act(ctx: Context) -> list[Any]:
        before = TENANT.get()
        TENANT.set("set by an attempt")
        return [before, current_context() is ctx]

    async def act_async(ctx: Context) -> list[Any]:
        inner = await asyncio.create_task(asyncio.to_thread(current_context))
        return [*act(ctx), inner is ctx]

    worker.action(queue)(act if kind == "thread" else act_async)
    with working(worker):
        ids = [start(client, admin, queue) for _ in range(3)]
        outputs = [client.wait(id, timeout=30, include=["outputs"]).outputs for id in ids]
    assert outputs == [{"Work": ["nobody", True] + [True] * (kind == "coroutine")}] * 3
    assert current_context() is None


def test_a_worker_keeps_the_variables_of_whoever_runs_it(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker()

    @worker.action(queue)
    async def act(ctx: Context) -> str:
        return TENANT.get()

    async def main() -> dict[str, Any] | None:
        TENANT.set("somebody")
        running = asyncio.create_task(worker.run_async())
        id = await asyncio.to_thread(start, client, admin, queue)
        task = await asyncio.to_thread(client.wait, id, timeout=30, include=["outputs"])
        worker.stop()
        await running
        return dict(task.outputs or {})

    assert asyncio.run(main()) == {"Work": "somebody"}


def test_prints_and_records_are_in_the_log_of_their_task(
    client: Client, admin: Admin, make_worker: Make, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = make_worker(capture_prints=True, capture_logging=True)
    together = threading.Barrier(2)
    before = sys.stdout, sys.stderr

    @worker.action(queue)
    def act(ctx: Context, input: dict[str, str]) -> None:
        together.wait(30)
        name = input["name"]
        for n in range(50):
            print(name, n)
        print("half", end=" ")
        together.wait(30)
        print(f"and half of {name}\nunfinished", end="")
        print(f"error of {name}", file=sys.stderr)
        log.warning("record of %s", name)
        log.debug("nobody sees this")
        threading.Thread(target=print, args=("a thread of its own",)).start()

    with working(worker):
        ids = {name: start(client, admin, queue, name=name) for name in "ab"}
        for id in ids.values():
            assert client.wait(id, timeout=30).has_succeeded
        print("outside")
    for name, id in ids.items():
        eventually(lambda id=id: len(lines(client, id)) >= 54, "the log")  # type: ignore[misc]
        out = [text for stream, text in lines(client, id) if stream == "stdout"]
        assert out == [*(f"{name} {n}" for n in range(50)), f"half and half of {name}", "unfinished"]
        err = [text for stream, text in lines(client, id) if stream == "stderr"]
        assert err == [f"error of {name}", f"WARNING tests.inventory: record of {name}"]
    # It went where prints go, too.
    printed = capsys.readouterr()
    for text in ("a 49\n", "b 49\n", "outside\n", "a thread of its own\n"):
        assert text in printed.out
    assert "error of a\n" in printed.err
    assert (sys.stdout, sys.stderr) == before
    assert not [handler for handler in logging.getLogger().handlers if type(handler).__module__.startswith("longhaul")]


def test_nothing_is_captured_unasked(
    client: Client, admin: Admin, make_worker: Make, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = make_worker()

    @worker.action(queue)
    async def act(ctx: Context) -> None:
        print("printed")
        log.warning("logged")
        ctx.log("told")

    with working(worker):
        id = start(client, admin, queue)
        assert client.wait(id, timeout=30).has_succeeded
        eventually(lambda: lines(client, id), "the log")
    assert lines(client, id) == [("stdout", "told")]
    assert "printed" in capsys.readouterr().out


def test_warnings_are_still_on_stderr_where_logging_is_not_configured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with captured(prints=True, records=True):
        log.warning("the server is away")
        log.info("not so important")
    assert capsys.readouterr().err == "the server is away\n"
