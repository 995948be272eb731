"""The client of asyncio: every verb once, as the logic behind them is the other client's."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from serving import Admin, Server
from workflows import simulate, workflow

from longhaul import AsyncClient, Client, NotFound, Status

T = TypeVar("T")


@pytest.fixture
def run(server: Server, operator: str) -> Callable[[Callable[[AsyncClient], Awaitable[T]]], T]:
    """Runs a coroutine function with a client."""

    def runner(body: Callable[[AsyncClient], Awaitable[T]]) -> T:
        async def main() -> T:
            async with AsyncClient(server.url, api_key=operator) as client:
                return await body(client)

        return asyncio.run(main())

    return runner


Run = Callable[[Callable[[AsyncClient], Awaitable[object]]], object]


def test_start_get_wait_and_attempts(run: Run, admin: Admin) -> None:
    name = admin.workflow(workflow("async-quick", simulate(output=7)))

    async def body(client: AsyncClient) -> None:
        key = str(uuid.uuid4())
        started = await client.start(name, {"a": 1}, name="async", idempotency_key=key)
        assert (await client.start(name, {"a": 1}, name="async", idempotency_key=key)).id == started.id
        ended = await client.wait(started.id, include=["outputs"])
        assert (ended.status, ended.outputs) == (Status.SUCCESSFUL, {"Work": 7})
        assert (await client.get(started.id, include="input")).input == {"a": 1}
        assert [attempt.status for attempt in await client.attempts(started.id)] == ["SUCCESSFUL"]
        assert [line async for line in client.logs(started.id)] == []

    run(body)


def test_list_and_watch_iterate(run: Run, admin: Admin) -> None:
    name = admin.workflow(workflow("async-watched", simulate(duration="300ms")))
    mark = str(uuid.uuid4())

    async def body(client: AsyncClient) -> None:
        tasks = await asyncio.gather(*(client.start(name, name=f"{mark} {n}") for n in range(5)))
        found = {task.id async for task in client.list(name=mark, page_size=2)}
        assert found == {task.id for task in tasks}
        states = [task.status async for task in client.watch(tasks[0].id)]
        assert states[-1] is Status.SUCCESSFUL
        assert set(states[:-1]) <= {Status.IN_PROGRESS}

    run(body)


def test_retry_skip_resolve_and_cancel(run: Run, admin: Admin) -> None:
    failing = admin.workflow(workflow("async-failing", simulate(failAttempts=[1, 2])))
    slow = admin.workflow(workflow("async-slow", simulate(duration="1m")))

    async def body(client: AsyncClient) -> None:
        id = (await client.start(failing, wait=30)).id
        await client.retry(id)
        assert (await client.wait(id)).status is Status.FAILED
        assert (await client.resolve(id, "by hand")).resolution_status == "RESOLVED"
        other = (await client.start(failing, wait=30)).id
        await client.skip(other, "Work", "not needed")
        assert (await client.wait(other)).status is Status.COMPLETED_WITH_WARNING
        id = (await client.start(slow)).id
        with pytest.raises(TimeoutError):
            await client.wait(id, timeout=0.2)
        await client.cancel(id)
        assert (await client.wait(id)).status is Status.CANCELLED

    run(body)


def test_errors_are_the_same(run: Run) -> None:
    async def body(client: AsyncClient) -> None:
        with pytest.raises(NotFound):
            await client.get(str(uuid.uuid4()))

    run(body)


def test_a_user_logs_in_and_out(server: Server, password: str) -> None:
    async def main() -> None:
        async with AsyncClient(server.url, user="admin", password=password) as client:
            assert (await client.whoami()).name == "admin"
            await client.logout()
            assert (await client.whoami()).name == "admin"

    asyncio.run(main())


def test_both_clients_have_the_same_verbs() -> None:
    def verbs(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(verb).parameters) for name, verb in found if not name.startswith("_")}

    assert verbs(Client) == verbs(AsyncClient)
