"""Reports of anything that a function returns or raises; and the worker works on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from anything import Box, cyclic, hostile, nested, outputs, raised, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Admin
from workflows import work, workflow
from working import eventually, working

from longhaul import ActionError, Client, Context, OutcomeUnknown, Status, Worker, _plain
from longhaul._http.plan import encode
from longhaul._worker.action import Action
from longhaul._worker.lease import Lease, TaskInfo
from longhaul._worker.protocol import MAX_BODY, MAX_DEPTH, MAX_OUTPUT, Result

Make = Callable[..., Worker]
LEASE = Lease("lease-1", 1, 30.0, TaskInfo("task-1", "A", "T", "w"), "Work", "q", 1, "key", None, None, {})
many = settings(max_examples=80, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def fewer_values() -> Iterator[None]:
    """Lowers the limit, so that endless values are found out sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_plain, "MOST_VALUES", 20_000)
        yield


def result_of(function: Callable[..., Any]) -> Result:
    """The result reported of a function."""
    context = Context(LEASE, lambda: None)
    action = Action.of(function)
    result = asyncio.run(action.perform_async(LEASE, context)) if action.is_async else action.perform(LEASE, context)
    news = encode({"leases": [{"lease": LEASE.id, **context._take_news(1 << 20)}]})
    assert len(news) < MAX_BODY
    return checked(result)


def checked(result: Result) -> Result:
    """Checks that a result can be sent, and that the server can read it."""
    sent = encode(result.to_json())
    assert len(sent) < MAX_BODY // 2
    read = json.loads(sent, parse_constant=pytest.fail)
    assert read == result.to_json()
    assert depth(read) <= MAX_DEPTH + 1
    if result.kind == "completed":
        assert len(encode(read["output"])) <= MAX_OUTPUT
    else:
        assert result.kind == "failed"
        error = read["error"]
        assert error["code"].strip()
        assert error["message"].strip()
        texts = [error["code"], error["message"], error.get("remediation", "")]
        texts += [text for cause in error.get("causes", []) for text in (cause["type"], cause["message"])]
        assert all(isinstance(text, str) for text in texts)
        assert isinstance(error.get("context", {}), dict)
        assert isinstance(read.get("retryable", True), bool)
    return result


def depth(value: Any) -> int:
    layer, levels = [value], 0
    while layer := [one for one in layer if isinstance(one, dict | list)]:
        levels += 1
        layer = [inner for one in layer for inner in (one.values() if isinstance(one, dict) else one)]
    return levels


@many
@given(output=outputs)
def test_whatever_is_returned_becomes_a_report(output: Box) -> None:
    result = result_of(lambda ctx: output.value)
    if result.kind == "failed":
        assert result.members["error"]["code"] in ("OUTPUT_INVALID", "OUTPUT_TOO_LARGE", "OUTPUT_TOO_DEEP")
        # The work is done: to do it again would give the same.
        assert result.members["retryable"] is False


@many
@given(error=raised(), is_async=st.booleans())
def test_whatever_is_raised_becomes_a_report(error: Box, is_async: bool) -> None:
    def act(ctx: Context) -> None:
        raise error.value

    async def act_async(ctx: Context) -> None:
        raise error.value

    result = result_of(act_async if is_async else act)
    assert result.kind == "failed"
    if issubclass(type(error.value), OutcomeUnknown):
        assert result.members["outcomeUnknown"] is True


@many
@given(said=texts, name=texts, description=st.none() | texts)
def test_whatever_is_said_can_be_sent(said: str, name: str, description: str | None) -> None:
    def act(ctx: Context) -> None:
        ctx.log(said)
        with ctx.stage(name, description=description):
            ctx.progress(10)

    assert result_of(act).kind == "completed"


def test_more_stages_than_a_sub_task_may_have_are_left_out() -> None:
    context = Context(LEASE, lambda: None)
    for n in range(150):
        context.stage(f"stage {n}")
    assert len(context._take_news(1000)["stages"]) == 100


def test_what_does_not_fit_is_named_by_its_place() -> None:
    class Odd:
        pass

    result = result_of(lambda ctx: {"hosts": [{"name": "a"}, {"name": Odd()}]})
    assert result.members["error"]["message"] == "the output is not JSON: hosts[1].name: a Odd has no JSON form"


def test_a_coroutine_that_nobody_awaited_is_a_failure() -> None:
    async def forgotten() -> None:
        """Nothing: nobody awaits it."""

    result = result_of(lambda ctx: {"a": forgotten()})
    assert result.members["error"]["message"].endswith("a: a coroutine has no JSON form: it was never awaited")


def test_a_generator_is_refused_when_it_is_registered() -> None:
    def act(ctx: Context) -> Any:
        yield 1

    async def act_async(ctx: Context) -> Any:
        yield 1

    for function in (act, act_async):
        with pytest.raises(TypeError, match="generator"):
            Action.of(function)


class Loud(BaseException):
    def __str__(self) -> str:
        raise SystemExit("in __str__")


def hostilities() -> list[Callable[[], Any]]:
    """Functions whose outputs and exceptions are hard to report."""

    def throw(error: BaseException) -> Callable[[], Any]:
        def act() -> Any:
            raise error

        return act

    raising = [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopIteration(1),
        Loud(),
        hostile(SystemExit, Exception)(),
        hostile(KeyboardInterrupt, BaseException)(),
        ValueError("not \udcff UTF-8"),
        ValueError("x" * 10_000_000),
        ActionError("\ud800", b"bytes", context={"nan": float("nan"), "deep": nested(70), "b": b"1"}),  # type: ignore[arg-type]
        ActionError("LARGE", "m", context={"large": "x" * 10_000_000}),
        asyncio.CancelledError(),
        MemoryError(),
    ]
    returning = [
        *(
            float("nan"),
            b"bytes",
            "\ud800",
            {"a": {1}},
            10**5000,
            cyclic(),
            nested(5000),
            object(),
            hostile(SystemExit)(),
        ),
        *({"k\udc00": 1}, "x" * 2_000_000, "\x00", {"": None}),
    ]
    return [*map(throw, raising), *((lambda value=value: value) for value in returning)]


@pytest.mark.parametrize("kind", ["thread", "coroutine"])
def test_nothing_that_a_function_does_ends_the_worker(
    client: Client, admin: Admin, make_worker: Make, queue: str, kind: str
) -> None:
    worker = make_worker(slots=4)
    acts = hostilities()

    def act(ctx: Context, input: dict[str, int]) -> Any:
        ctx.log("begun \udcff")
        ctx.stage("St\udcffge", description="\ud800")
        return acts[input["n"]]() if input["n"] >= 0 else "well"

    async def act_async(ctx: Context, input: dict[str, int]) -> Any:
        await asyncio.sleep(0)
        return act(ctx, input)

    worker.action(queue)(act if kind == "thread" else act_async)
    name = admin.workflow(workflow(queue, work(queue)))
    with working(worker):
        ids = [client.start(name, {"n": n}).id for n in range(len(acts))]
        ended = [client.wait(id, timeout=30) for id in ids]
        last = client.start(name, {"n": -1}).id
        assert client.wait(last, timeout=30, include=["outputs"]).outputs == {"Work": "well"}
    failed = [task for task in ended if task.status is Status.FAILED]
    # A set, a NUL and an empty name are JSON.
    assert len(failed) == len(acts) - 3
    codes = {error.code for task in failed for error in task.sub_task("Work").errors}
    assert "REPORT_REFUSED" not in codes
    assert not codes & {"LEASE_EXPIRED", None}
    assert all(len(client.attempts(id)) == 1 for id in ids)
    eventually(lambda: any("begun" in line.text for line in client.logs(last)), "the log")
