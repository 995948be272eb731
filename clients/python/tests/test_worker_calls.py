"""The calls of a worker, overheard or answered by the test: which there are, and what follows from odd answers."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable

import pytest
from pretending import Body, Overheard, Pretended, answer, entries, lease
from serving import Admin
from workflows import work, workflow
from working import eventually, working

from longhaul import Client, Context, Unreachable, Worker
from longhaul._http.plan import Answer

Make = Callable[..., Worker]


@pytest.fixture
def overheard(monkeypatch: pytest.MonkeyPatch) -> Overheard:
    return Overheard(monkeypatch)


@pytest.fixture
def pretended_worker() -> Worker:
    return Worker("http://127.0.0.1:9", api_key="lhk_x")


def test_a_call_has_the_members_of_the_contract(
    overheard: Overheard, client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    worker = make_worker(slots=3, lease=20, wait=10, name="esxi")
    worker.action(queue)(lambda ctx: {"version": "9.1"})
    name = admin.workflow(workflow(queue, work(queue)))
    with working(worker):
        assert client.wait(client.start(name).id, timeout=30).has_succeeded
    first = overheard.of("lease")[0]
    assert first["worker"].startswith("esxi-")
    assert 16 <= len(first["worker"]) <= 200
    assert len(first["request"]) == 32
    assert {**first, "worker": "", "request": ""} == {
        "worker": "",
        "host": socket.gethostname(),
        "process": os.getpid(),
        "request": "",
        "queues": [queue],
        "max": 3,
        "wait": "10000ms",
        "lease": "20000ms",
    }
    (report,) = overheard.of("complete")
    assert report["worker"] == first["worker"]
    assert [one["output"] for one in report["completed"]] == [{"version": "9.1"}]
    # The long poll that is under way asks for the two other places.
    assert report["next"]["queues"] == [queue]
    assert set(report) == {"worker", "completed", "next"}


def test_each_run_has_a_name_of_its_own(overheard: Overheard, pretended_worker: Worker) -> None:
    Pretended(overheard, [])
    pretended_worker.action("q")(lambda ctx: None)
    for _ in range(2):
        before = len(overheard.calls)
        with working(pretended_worker):
            eventually(lambda before=before: len(overheard.calls) > before, "a question")  # type: ignore[misc]
    assert len({body["worker"] for body in overheard.of("lease")}) == 2


def test_a_busy_worker_reports_and_leases_in_one_call(
    overheard: Overheard, client: Client, admin: Admin, make_worker: Make, queue: str
) -> None:
    count, slots = 300, 16
    worker = make_worker(slots=slots)
    lock, running, most = threading.Lock(), 0, 0

    @worker.action(queue)
    def act(ctx: Context) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    fan = [work(queue, f"W{n}", needs=[]) for n in range(count)]
    id = client.start(admin.workflow(workflow(queue, *fan))).id
    with working(worker):
        task = client.wait(id, timeout=120)
    assert task.has_succeeded
    assert 1 < most <= slots
    reported = [one["lease"] for body in overheard.of("complete") for one in body["completed"]]
    assert len(reported) == len(set(reported)) == count
    counts = overheard.counts()
    # All that waited was leased by reports, but for the first batch and the last looks; they had several results each.
    assert counts["lease"] <= 10
    assert counts["complete"] <= count / 2


def test_coroutines_are_many_at_once(client: Client, admin: Admin, make_worker: Make, queue: str) -> None:
    worker = make_worker(slots=200)
    waiting, go_on = 0, asyncio.Event()

    @worker.action(queue)
    async def act(ctx: Context) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 200:
            go_on.set()
        await go_on.wait()

    fan = [work(queue, f"W{n}", needs=[]) for n in range(200)]
    with working(worker):
        id = client.start(admin.workflow(workflow(queue, *fan))).id
        assert client.wait(id, timeout=60).has_succeeded


def test_no_more_is_leased_than_there_are_slots(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(n) for n in range(20)])
    go_on = threading.Event()
    begun: list[int] = []

    @pretended_worker.action("q")
    def act(ctx: Context, input: dict[str, int]) -> None:
        begun.append(input["number"])
        go_on.wait(30)

    with working(pretended_worker):
        eventually(lambda: len(begun) == 8, "eight attempts")
        time.sleep(0.3)
        assert len(begun) == 8
        assert len(server._leases) == 12
        go_on.set()
        eventually(lambda: len(begun) == 20, "the others")


def test_the_context_has_what_the_lease_says(overheard: Overheard, pretended_worker: Worker) -> None:
    Pretended(overheard, [lease(3)])
    seen: list[Context] = []
    pretended_worker.action("q")(seen.append)
    with working(pretended_worker):
        eventually(lambda: seen, "the attempt")
    (ctx,) = seen
    assert (ctx.task.id, ctx.task.name, ctx.task.type, ctx.task.workflow) == ("task-3", "A task", "TEST", "w")
    assert (ctx.sub_task, ctx.attempt, ctx.token, ctx.idempotency_key) == ("Work", 1, 3, "key-3")
    assert ctx.traceparent == f"00-{3:032x}-{3:016x}-01"
    assert (ctx.item_index, ctx.timeout) == (3, 1.5)


def test_a_report_without_an_answer_is_sent_again_as_it_was(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1)])
    busy = answer(503, {"message": "later"}, retry_after="0")
    outcomes: list[Answer | Unreachable] = [Unreachable("gone"), busy, answer(429, {"message": "too much"})]
    server.judge = lambda body, number: outcomes[number - 1] if number <= len(outcomes) else None
    pretended_worker.action("q")(lambda ctx: "once")
    with working(pretended_worker):
        eventually(lambda: len(server.reports) == 4, "the fourth report")
    assert all(report == server.reports[0] for report in server.reports[:4])
    assert [one["output"] for one in server.reports[0]["completed"]] == ["once"]


def test_a_result_that_is_refused_is_not_sent_again(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1)])
    lost = {"lease": "lease-1", "status": 409, "error": {"errorCode": "LEASE_LOST", "message": "lost"}}
    server.judge = lambda body, number: answer(200, {"results": [lost], "leases": [], "retryAfterMs": 0})
    pretended_worker.action("q")(lambda ctx: None)
    with working(pretended_worker):
        eventually(lambda: server.reports, "the report")
        time.sleep(0.3)
    assert len(server.reports) == 1


def test_a_call_all_of_which_is_refused_is_not_sent_again(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1), lease(2)])
    server.judge = lambda body, number: answer(409, {"errorCode": "LEASE_LOST", "message": "lost"})
    pretended_worker.action("q")(lambda ctx: None)
    with working(pretended_worker):
        eventually(lambda: sum(len(entries(report)) for report in server.reports) == 2, "the reports")
        time.sleep(0.3)
    assert sum(len(entries(report)) for report in server.reports) == 2


def test_an_output_that_the_server_finds_too_large_becomes_a_failure(
    overheard: Overheard, pretended_worker: Worker
) -> None:
    server = Pretended(overheard, [lease(1)])

    def judge(body: Body, number: int) -> Answer | None:
        if number > 1:
            return None
        large = {"lease": "lease-1", "status": 413, "error": {"message": "too large"}}
        return answer(200, {"results": [large], "leases": [], "retryAfterMs": 0})

    server.judge = judge
    pretended_worker.action("q")(lambda ctx: "large")
    with working(pretended_worker):
        eventually(lambda: len(server.reports) == 2, "the second report")
    (failed,) = server.reports[1]["failed"]
    assert failed["error"] == {"code": "OUTPUT_TOO_LARGE", "message": "too large"}
    assert failed["retryable"] is False


def test_one_bad_result_does_not_spoil_the_others(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(n) for n in range(4)])
    together = threading.Barrier(4)

    def judge(body: Body, number: int) -> Answer | None:
        bad = any(one.get("output") == 2 for one in entries(body))
        return answer(400, {"errorCode": "BAD_REQUEST", "message": "cannot be read"}) if bad else None

    server.judge = judge

    @pretended_worker.action("q")
    def act(ctx: Context, input: dict[str, int]) -> int:
        together.wait(30)
        return input["number"]

    def taken() -> dict[str, str]:
        bodies = [body for n, body in enumerate(server.reports, 1) if judge(body, n) is None]
        return {one["lease"]: one.get("error", {}).get("code", "") for body in bodies for one in entries(body)}

    with working(pretended_worker):
        eventually(lambda: len(taken()) == 4, "all four results")
    assert taken() == {"lease-0": "", "lease-1": "", "lease-2": "REPORT_REFUSED", "lease-3": ""}


def test_a_failure_that_is_refused_is_given_up(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1)])
    server.judge = lambda body, number: answer(400, {"errorCode": "BAD_REQUEST", "message": "cannot be read"})
    pretended_worker.action("q")(lambda ctx: None)
    with working(pretended_worker):
        eventually(lambda: len(server.reports) == 2, "the second report")
        time.sleep(0.3)
    assert len(server.reports) == 2


def test_what_is_said_and_refused_does_not_end_a_lease(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1), lease(2)])
    go_on = threading.Event()
    pretend = overheard.script

    def script(verb: str, body: Body) -> Answer | Unreachable | None:
        if verb == "heartbeat" and any(one.get("progress") == 13 for one in body["leases"]):
            return answer(400, {"errorCode": "BAD_REQUEST", "message": "not that"})
        return pretend(verb, body)

    overheard.script = script

    @pretended_worker.action("q")
    def act(ctx: Context, input: dict[str, int]) -> None:
        ctx.progress(13 if input["number"] == 1 else 14)
        go_on.wait(30)

    def heard() -> list[Body]:
        return [one for body in overheard.of("heartbeat") if len(body["leases"]) == 1 for one in body["leases"]]

    with working(pretended_worker):
        eventually(lambda: {"lease": "lease-2", "progress": 14} in heard(), "the good news")
        go_on.set()
        eventually(lambda: sum(len(entries(report)) for report in server.reports) == 2, "the results")


@pytest.mark.parametrize(
    "empty", [{"leases": [], "retryAfterMs": 0, "draining": True}, {"leases": [], "retryAfterMs": 60000}]
)
def test_a_server_that_says_later_is_left_alone(overheard: Overheard, pretended_worker: Worker, empty: Body) -> None:
    overheard.script = lambda verb, body: answer(200, empty)
    pretended_worker.action("q")(lambda ctx: None)
    with working(pretended_worker):
        eventually(lambda: overheard.calls, "a question")
        time.sleep(0.4)
    assert overheard.counts() == {"lease": 1}


def test_an_answer_without_work_is_never_asked_for_without_a_pause(
    overheard: Overheard, pretended_worker: Worker
) -> None:
    overheard.script = lambda verb, body: answer(200, {"leases": [], "retryAfterMs": 0})
    pretended_worker.action("q")(lambda ctx: None)
    with working(pretended_worker):
        time.sleep(0.5)
    assert 1 <= overheard.counts()["lease"] <= 6


def test_leases_that_come_while_it_stops_are_given_back(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1)])
    overheard.delay = 0.3
    go_on = threading.Event()
    numbers = itertools.count(2)

    def judge(body: Body, number: int) -> Answer | None:
        if "next" not in body:
            return None
        # The worker is told to stop while the report that asks for more is under way.
        pretended_worker.stop()
        results = [{"lease": one["lease"], "status": 200} for one in entries(body)]
        return answer(200, {"results": results, "leases": [lease(next(numbers))], "retryAfterMs": 0})

    server.judge = judge
    begun: list[int] = []

    @pretended_worker.action("q")
    def act(ctx: Context, input: dict[str, int]) -> None:
        begun.append(input["number"])
        go_on.wait(30)

    with working(pretended_worker):
        eventually(lambda: begun, "the first attempt")
        go_on.set()
        eventually(lambda: len(server.reports) == 2, "the second report")
    assert begun == [1]
    assert server.reports[1].get("released") == [{"lease": "lease-2"}]


def test_what_is_known_to_be_cancelled_is_in_no_long_poll(overheard: Overheard, pretended_worker: Worker) -> None:
    """A server may answer at once each time that one of the leases is cancelled."""
    pretended = Pretended(overheard, [lease(1)])
    take = overheard.script

    def script(verb: str, body: Body) -> Answer | Unreachable | None:
        if verb == "heartbeat":
            told = [{"lease": one["lease"], "state": "cancelled", "expiresInMs": 30000} for one in body["leases"]]
            return answer(200, {"leases": told})
        return take(verb, body)

    overheard.script = script
    go_on = threading.Event()
    told = threading.Event()

    @pretended_worker.action("q")
    def act(ctx: Context) -> None:
        while not ctx.cancelled:
            time.sleep(0.01)
        told.set()
        go_on.wait(30)

    with working(pretended_worker):
        assert told.wait(30)
        time.sleep(2.5)
        assert len(overheard.of("heartbeat")) == 1
        go_on.set()
        eventually(lambda: pretended.reports, "the report")


@pytest.mark.parametrize("span", [1, 3, 30, 179, 181, 600, 3600])
def test_no_heartbeat_waits_longer_than_the_server_allows(
    overheard: Overheard, pretended_worker: Worker, span: int
) -> None:
    Pretended(overheard, [{**lease(1), "expiresInMs": span * 1000}])
    go_on = threading.Event()
    pretended_worker.action("q")(lambda ctx: go_on.wait(30))
    with working(pretended_worker):
        eventually(lambda: any("wait" in body for body in overheard.of("heartbeat")), "a long poll")
        go_on.set()
    waits = [int(body["wait"].removesuffix("ms")) for body in overheard.of("heartbeat") if "wait" in body]
    assert all(0 < wait <= min(60_000, span * 1000 / 3) for wait in waits)


def test_a_result_waits_for_the_lines_that_are_on_their_way(overheard: Overheard, pretended_worker: Worker) -> None:
    """Else its own lines could come first, and after it no others are taken."""
    Pretended(overheard, [lease(1)])
    pretend, begun = overheard.script, dict[str, float]()

    def script(verb: str, body: Body) -> Answer | Unreachable | None:
        begun.setdefault(verb, time.monotonic())
        overheard.delay = 0.5 if verb == "heartbeat" else 0.0
        return pretend(verb, body)

    overheard.script = script

    @pretended_worker.action("q")
    def act(ctx: Context) -> None:
        ctx.log("first")
        eventually(lambda: "heartbeat" in begun, "the heartbeat")
        ctx.log("second")

    with working(pretended_worker):
        eventually(lambda: "complete" in begun, "the report")
    texts = [
        line["text"] for body in overheard.of("heartbeat") for one in body["leases"] for line in one.get("log", [])
    ]
    texts += [line["text"] for one in overheard.of("complete")[0]["completed"] for line in one.get("log", [])]
    assert texts == ["first", "second"]
    assert begun["complete"] - begun["heartbeat"] >= 0.5


def test_a_lease_of_an_unknown_queue_is_a_failure(overheard: Overheard, pretended_worker: Worker) -> None:
    server = Pretended(overheard, [lease(1, "other")])
    pretended_worker.action("q")(lambda ctx: None)
    with working(pretended_worker):
        eventually(lambda: server.reports, "the report")
    assert server.reports[0]["failed"][0]["error"]["code"] == "NO_ACTION"
