"""Inputs, outputs and exceptions of functions."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import threading
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from serving import Admin
from workflows import work, workflow
from working import working

from longhaul import ActionError, Client, Context, OutcomeUnknown, Status, Task, Worker

Make = Callable[..., Worker]
QUICKLY = {"attempts": 3, "backoff": "10ms"}


class Power(enum.Enum):
    ON = "on"
    OFF = "off"


@dataclasses.dataclass
class Disk:
    name: str
    gigabytes: float = 1.0


@dataclasses.dataclass
class Host:
    fqdn: str
    power: Power
    disks: list[Disk]
    owner: str | None = None


@dataclasses.dataclass
class Report:
    host: Host
    total: float


class Ticket(TypedDict):
    number: int


class Checked:
    """Validates, as pydantic's models do."""

    def __init__(self, value: str) -> None:
        self.value = value

    @classmethod
    def model_validate(cls, body: Any) -> Checked:
        if not isinstance(body, dict) or "value" not in body:
            raise ValueError("value: field required")
        return cls(body["value"])

    def model_dump(self, *, mode: str) -> dict[str, str]:
        return {"value": self.value, "mode": mode}


def outcome(client: Client, admin: Admin, queue: str, input: Any = None, **sub_task: Any) -> Task:
    """Starts a task of one sub-task in a queue, and waits for its end."""
    name = admin.workflow(workflow(queue, work(queue, **sub_task)))
    return client.wait(client.start(name, input).id, include=["all"], timeout=60)


def output(task: Task) -> Any:
    assert task.status is Status.SUCCESSFUL, task.errors
    assert task.outputs is not None
    return task.outputs["Work"]


def test_a_function_gets_its_input_and_gives_the_output(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker, seen = make_worker(), []

    @worker.action(queue)
    def act(ctx: Context, input: dict[str, Any]) -> dict[str, Any]:
        seen.append(ctx)
        return {"sum": input["a"] + input["b"]}

    with working(worker):
        task = outcome(client, admin, queue, {"a": 1, "b": 2})
    assert output(task) == {"sum": 3}
    (ctx,) = seen
    assert (ctx.task.id, ctx.task.name, ctx.task.type, ctx.task.workflow) == (task.id, task.name, "TEST_RUN", queue)
    assert (ctx.sub_task, ctx.queue, ctx.attempt, ctx.token) == ("Work", queue, 1, 1)
    assert ctx.idempotency_key
    assert ctx.item_index is None
    assert ctx.timeout is None
    assert not ctx.cancelled
    assert [attempt.status for attempt in client.attempts(task.id)] == ["SUCCESSFUL"]


def test_a_coroutine_does_the_same(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    async def act(ctx: Context, input: dict[str, Any]) -> str:
        await asyncio.sleep(0.01)
        return f"{input['word']} {ctx.attempt}"

    with working(worker):
        assert output(outcome(client, admin, queue, {"word": "done"})) == "done 1"


def test_a_worker_runs_on_a_loop_of_ones_own(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    threads = []

    @worker.action(queue)
    async def act(ctx: Context) -> None:
        threads.append(threading.current_thread())

    async def main() -> Task:
        running = asyncio.create_task(worker.run_async())
        task = await asyncio.to_thread(outcome, client, admin, queue)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return task

    assert asyncio.run(main()).has_succeeded
    assert threads == [threading.current_thread()]


def test_both_kinds_work_beside_each_other(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker(slots=4)
    together = threading.Barrier(2)

    @worker.action(f"{queue}-a")
    def blocking(ctx: Context) -> str:
        together.wait(30)
        return "thread"

    @worker.action(f"{queue}-b")
    async def other(ctx: Context) -> str:
        await asyncio.to_thread(together.wait, 30)
        return "loop"

    both = workflow(queue, work(f"{queue}-a", "A", needs=[]), work(f"{queue}-b", "B", needs=[]))
    with working(worker):
        task = client.wait(client.start(admin.workflow(both)).id, include=["outputs"], timeout=60)
    assert task.outputs == {"A": "thread", "B": "loop"}


def test_dataclasses_are_built_and_told(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act(ctx: Context, host: Host) -> Report:
        assert host.power is Power.ON
        return Report(host, sum(disk.gigabytes for disk in host.disks))

    given = {"fqdn": "esx1", "power": "on", "disks": [{"name": "a", "gigabytes": 2}, {"name": "b"}], "other": 1}
    with working(worker):
        report = output(outcome(client, admin, queue, given))
    disks = [{"name": "a", "gigabytes": 2.0}, {"name": "b", "gigabytes": 1.0}]
    assert report == {"host": {"fqdn": "esx1", "power": "on", "disks": disks, "owner": None}, "total": 3.0}


def test_an_input_that_does_not_fit_fails_for_good(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    called = []

    @worker.action(queue)
    def act(ctx: Context, host: Host) -> None:
        called.append(host)

    given = {"fqdn": "esx1", "power": "on", "disks": [{"name": 7}]}
    with working(worker):
        task = outcome(client, admin, queue, given, retry=QUICKLY)
    (fault,) = task.sub_task("Work").errors
    assert (fault.code, fault.message) == ("INPUT_INVALID", "disks[0].name must be a text, not an integer")
    assert len(client.attempts(task.id)) == 1
    assert called == []


def test_typed_dictionaries_and_models_are_understood(
    client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker()

    @worker.action(f"{queue}-a")
    def typed(ctx: Context, ticket: Ticket) -> int:
        return ticket["number"] + 1

    @worker.action(f"{queue}-b")
    def model(ctx: Context, checked: Checked) -> Checked:
        return checked

    sub_tasks = (work(f"{queue}-a", "A", input={"number": 6}), work(f"{queue}-b", "B", input={"value": "x"}))
    with working(worker):
        task = client.start(admin.workflow(workflow(queue, *sub_tasks)), wait=60)
    assert client.get(task.id, include=["outputs"]).outputs == {"A": 7, "B": {"value": "x", "mode": "json"}}


def test_an_action_error_tells_all_it_has(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act(ctx: Context) -> None:
        raise ActionError(
            "HOST_UNREACHABLE",
            "esx2 does not answer",
            remediation="Check its network",
            retryable=False,
            causes=[TimeoutError("no answer within 5 s")],
            context={"host": "esx2", "port": 443},
        )

    with working(worker):
        task = outcome(client, admin, queue, retry=QUICKLY)
    assert task.status is Status.FAILED
    (fault,) = task.sub_task("Work").errors
    assert (fault.code, fault.message) == ("HOST_UNREACHABLE", "esx2 does not answer")
    assert fault.remediation == "Check its network"
    assert [(cause.type, cause.message) for cause in fault.causes] == [("TimeoutError", "no answer within 5 s")]
    # A map of text to text on the wire, as typed clients read nothing else.
    assert fault.context == {"host": "esx2", "port": "443"}
    # Not retryable: one attempt, though three are allowed.
    assert [attempt.status for attempt in client.attempts(task.id)] == ["FAILED"]


def test_a_retryable_failure_is_tried_again(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    tries: list[tuple[int, int]] = []

    @worker.action(queue)
    def act(ctx: Context) -> str:
        tries.append((ctx.attempt, ctx.token))
        if ctx.attempt < 3:
            raise ActionError("BUSY", "come back later")
        return "at last"

    with working(worker):
        task = outcome(client, admin, queue, retry=QUICKLY)
    assert output(task) == "at last"
    assert [attempt for attempt, _ in tries] == [1, 2, 3]
    tokens = [token for _, token in tries]
    assert tokens == sorted(set(tokens))
    statuses = [(attempt.status, attempt.error and attempt.error.code) for attempt in client.attempts(task.id)]
    assert statuses == [("FAILED", "BUSY"), ("FAILED", "BUSY"), ("SUCCESSFUL", None)]


def test_any_exception_is_a_retryable_failure(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    async def act(ctx: Context) -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise FileNotFoundError("no such file") from error

    with working(worker):
        task = outcome(client, admin, queue, retry={"attempts": 2, "backoff": "10ms"})
    (fault,) = task.sub_task("Work").errors
    assert (fault.code, fault.message) == ("FILE_NOT_FOUND_ERROR", "no such file")
    assert [(cause.type, cause.message) for cause in fault.causes] == [("KeyError", "'inner'")]
    assert len(client.attempts(task.id)) == 2


def test_an_unknown_outcome_is_left_to_an_operator(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act(ctx: Context) -> None:
        raise OutcomeUnknown("the connection broke behind the request")

    with working(worker):
        task = outcome(client, admin, queue, retry=QUICKLY, repeatable=False)
        assert task.status is Status.FAILED
        assert task.sub_task("Work").errors[0].code == "OUTCOME_UNKNOWN"
        assert len(client.attempts(task.id)) == 1
        client.resolve(task.id, "it is there", sub_task="Work", done=True, output={"found": True})
        assert output(client.wait(task.id, include=["outputs"], timeout=30)) == {"found": True}


@pytest.mark.parametrize("gives", [object(), float("nan"), {1: "one"}, {"a": {b"bytes"}}], ids=type)
def test_what_is_no_json_is_a_failure(
    client: Client, admin: Admin, make_worker: Make, queue: str, gives: object
) -> None:
    worker = make_worker()
    worker.action(queue)(lambda ctx: gives)
    with working(worker):
        task = outcome(client, admin, queue, retry=QUICKLY)
    assert task.sub_task("Work").errors[0].code == "OUTPUT_INVALID"
    assert len(client.attempts(task.id)) == 1


def test_an_output_may_have_a_mebibyte(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()
    worker.action(queue)(lambda ctx, input: "x" * input["size"])
    largest = 1024 * 1024 - 2
    with working(worker):
        assert output(outcome(client, admin, queue, {"size": largest})) == "x" * largest
        task = outcome(client, admin, queue, {"size": largest + 1})
    assert task.sub_task("Work").errors[0].code == "OUTPUT_TOO_LARGE"


def test_many_large_outputs_at_once_arrive(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker(slots=16)
    together = threading.Barrier(12)

    @worker.action(queue)
    def act(ctx: Context) -> str:
        together.wait(30)
        return "y" * 1_000_000

    sub_tasks = [work(queue, f"W{n}", needs=[]) for n in range(12)]
    with working(worker):
        task = client.wait(client.start(admin.workflow(workflow(queue, *sub_tasks))).id, timeout=60)
    assert task.status is Status.SUCCESSFUL


def test_an_item_has_its_number(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker()

    @worker.action(queue)
    def act(ctx: Context, item: str) -> str:
        return f"{ctx.item_index} {item}"

    each = work(queue, input="{{ item }}", forEach="{{ input.hosts }}")
    with working(worker):
        id = client.start(admin.workflow(workflow(queue, each)), {"hosts": ["a", "b", "c"]}).id
        task = client.wait(id, timeout=30, include=["outputs"])
    assert output(task) == ["0 a", "1 b", "2 c"]
    assert [child.status for child in task.sub_task("Work").sub_tasks] == [Status.SUCCESSFUL] * 3


def test_a_task_that_waits_for_a_worker_says_so(client: Client, admin: Admin, queue: str) -> None:
    name = admin.workflow(workflow(queue, work(queue)))
    waiting = client.get(client.start(name).id, include=["waitingFor"]).waiting_for
    assert waiting is not None
    assert (waiting.type, waiting.sub_task, waiting.queue, waiting.workers) == ("WORKER", "Work", queue, 0)


def test_a_queue_has_one_function(make_worker: Make) -> None:
    worker = make_worker()
    worker.action("one")(lambda ctx: None)
    with pytest.raises(ValueError, match="has a function"):
        worker.action("one")
    with pytest.raises(ValueError, match="queue"):
        worker.action("no spaces")
    with pytest.raises(TypeError, match="must take a context"):
        worker.action("two")(lambda: None)


def test_a_worker_needs_an_action(make_worker: Make) -> None:
    with pytest.raises(ValueError, match="needs an action"):
        make_worker().run()


def test_a_type_that_is_not_found_is_said_at_once(make_worker: Make) -> None:
    def act(ctx: Context, host: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    with pytest.raises(TypeError, match="Nowhere"):
        make_worker().action("typed")(act)
