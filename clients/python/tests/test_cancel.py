"""Cancellation, whatever it meets: nothing that was told to end goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from longhaul._http.cancel import end, within
from longhaul._http.connection import connect
from longhaul._http.drive import AsyncDriver
from longhaul._http.plan import Plan, Request

TURNS = range(40)
"""Turns of the loop after which the cancellation comes; an answer of a server takes fewer."""


async def turn(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


@pytest.mark.parametrize("before", range(1, 6))
@pytest.mark.parametrize("after", range(6))
def test_a_cancellation_beside_an_answer_is_a_cancellation(before: int, after: int) -> None:
    async def run() -> None:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def work() -> str:
            return await answer

        task = asyncio.create_task(within(work(), 60))
        await turn(before)
        answer.set_result("told")
        await turn(after)
        if task.done():
            assert task.result() == "told"
            return
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


@pytest.mark.parametrize("turns", TURNS)
def test_a_loop_of_calls_ends_when_it_is_cancelled(turns: int) -> None:
    connection, _ = connect(
        "http://127.0.0.1:9", api_key="k", user=None, password=None, ca=None, insecure=None, answer=10.0
    )

    def ask() -> Plan[None]:
        yield Request("GET", "/v1/tasks", patience=5.0)

    async def run() -> None:
        driver = AsyncDriver(connection)
        driver._http = httpx.AsyncClient(
            base_url="http://127.0.0.1:9", transport=httpx.MockTransport(lambda _: httpx.Response(200, json={}))
        )
        told = 0

        async def loop() -> None:
            nonlocal told
            while True:
                await driver.run(ask())
                told += 1
                # What a loop does that has nothing more to do.
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(loop())
        await turn(turns)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=5)
        assert done, f"the cancellation after {turns} turns, and {told} answers, was lost"
        assert task.cancelled()
        await driver.close()

    asyncio.run(run())


def test_work_that_takes_too_long_is_ended_and_said() -> None:
    ended: list[Any] = []

    async def work() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append(True)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(within(work(), 0.01))
    assert ended == [True]


def test_a_task_that_loses_cancellations_is_told_again() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while lost < 3:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                lost += 1

    async def run() -> None:
        tasks = [asyncio.create_task(deaf()), asyncio.create_task(asyncio.sleep(600))]
        await turn(2)
        await end(tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(run())
    assert lost == 3
