"""Watching a real server by its feed: with filters, behind bad networks, and over crashes."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing

import pytest
from proxy import Call, Cut, Proxy, proxied
from serving import PASSWORD, Admin, Server
from test_bad_networks import PAGE, response
from workflows import simulate, workflow
from working import eventually

from longhaul import (
    AsyncClient,
    Bookmark,
    Client,
    Event,
    Gone,
    Invalid,
    NotFound,
    Reset,
    Snapshot,
    Status,
    Task,
    TaskChanged,
    TaskLeft,
)


@pytest.fixture(scope="module")
def brief(admin: Admin) -> str:
    steps = [simulate(name, duration="200ms") for name in ("A", "B", "C")]
    return admin.workflow(workflow("watched-brief", *steps))


@pytest.fixture(scope="module")
def slow(admin: Admin) -> str:
    return admin.workflow(workflow("watched-slow", simulate(duration="1m")))


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied(server.url) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: Proxy, operator: str) -> Iterator[Client]:
    """A client behind the proxy."""
    with Client(proxy.url, api_key=operator) as client:
        yield client


class Watcher:
    """A thread that watches until it is told to stop, and what it was told."""

    def __init__(self, watch: Callable[[], Iterator[Event]]) -> None:
        self.events: list[Event] = []
        self.stopped = False
        self._thread = threading.Thread(target=self._run, args=(watch,), daemon=True)
        self._thread.start()
        eventually(lambda: any(isinstance(event, Snapshot) for event in self.events), "the snapshot")

    def _run(self, watch: Callable[[], Iterator[Event]]) -> None:
        for event in watch():
            self.events.append(event)
            if self.stopped:
                return

    def tasks(self) -> list[Task]:
        return [event.task for event in list(self.events) if isinstance(event, TaskChanged)]

    def ended(self, ids: list[str]) -> None:
        """Waits for the ends of all; checks that no version fell, and that none came twice without a new beginning."""
        eventually(lambda: set(ids) <= {task.id for task in self.tasks() if task.has_ended}, "the end of all")
        self.stopped = True
        shown: dict[str, int] = {}
        versions: dict[str, int] = {}
        for event in list(self.events):
            if isinstance(event, Reset):
                shown.clear()
            if isinstance(event, TaskChanged):
                version = event.task.version or 0
                assert version > shown.get(event.task.id, 0)
                assert version >= versions.get(event.task.id, 0)
                shown[event.task.id] = versions[event.task.id] = version


def test_watch_shows_a_snapshot_and_then_changes(client: Client, brief: str) -> None:
    mark = str(uuid.uuid4())
    first = client.start(brief, name=f"{mark} 1", labels={"change": "C1"}, wait=30).id
    with closing(client.watch(name=mark, page_size=5)) as events:
        row, snapshot = next(events), next(events)
        assert isinstance(row, TaskChanged)
        assert (row.task.id, row.task.status, row.task.labels) == (first, Status.SUCCESSFUL, {"change": "C1"})
        assert row.cursor is None
        assert isinstance(snapshot, Snapshot)
        assert (snapshot.total_elements, snapshot.page_size, snapshot.page_number) == (1, 5, 1)
        second = client.start(brief, name=f"{mark} 2").id
        seen = list(itertools.takewhile(lambda it: not _ends(it), events))
    assert {event.task.id for event in seen if isinstance(event, TaskChanged)} <= {second}
    # The place of the snapshot is one to go on from, for another client, too.
    with closing(client.watch(name=mark, cursor=snapshot.cursor)) as again:
        assert not any(isinstance(event, Snapshot) for event in itertools.takewhile(lambda it: not _ends(it), again))


def _ends(event: Event) -> bool:
    return isinstance(event, TaskChanged) and event.task.has_ended


def test_watch_says_what_no_longer_matches(client: Client, slow: str) -> None:
    mark = str(uuid.uuid4())
    with closing(client.watch(name=mark, status=Status.IN_PROGRESS)) as events:
        assert isinstance(next(events), Snapshot)
        id = client.start(slow, name=mark).id
        assert isinstance(begun := next(events), TaskChanged)
        client.cancel(id)
        left = next(event for event in events if isinstance(event, TaskLeft))
    assert left.id == id
    assert left.version > (begun.task.version or 0)


def test_watch_task_goes_on_behind_the_end(client: Client, admin: Admin) -> None:
    name = admin.workflow(workflow("watched-failing", simulate(failAttempts=[1])))
    id = client.start(name, {"a": 1}, wait=30).id
    with closing(client.watch_task(id, include=["input"])) as events:
        failed, snapshot = next(events), next(events)
        assert isinstance(failed, TaskChanged)
        assert (failed.task.status, failed.task.input) == (Status.FAILED, {"a": 1})
        assert failed.task.sub_task("Work").errors
        assert isinstance(snapshot, Snapshot)
        client.retry(id)
        statuses = (event.task.status for event in events if isinstance(event, TaskChanged))
        assert Status.SUCCESSFUL in statuses


def test_watch_refuses_what_the_server_refuses(client: Client) -> None:
    with pytest.raises(NotFound):
        next(client.watch_task(str(uuid.uuid4())))
    with pytest.raises(Invalid, match="cursor"):
        next(client.watch(cursor="nonsense"))


def test_changes_give_pages(client: Client, brief: str) -> None:
    mark = str(uuid.uuid4())
    start = client.changes(name=mark)
    assert start.elements == ()
    ids = {client.start(brief, name=mark, wait=30).id for _ in range(3)}
    seen, page = set[str](), client.changes(start.cursor, name=mark, limit=2)
    assert 1 <= len(page.elements) <= 2
    while page.elements:
        seen |= {change.task.id for change in page.elements if isinstance(change, TaskChanged)}
        page = client.changes(page.cursor, name=mark, limit=2)
    assert seen == ids
    assert not page.more
    # With a wait, a page comes as soon as there is a change.
    threading.Timer(0.5, lambda: client.start(brief, name=mark)).start()
    assert client.changes(page.cursor, name=mark, wait=30).elements


def test_a_cursor_of_the_past_leads_to_a_new_snapshot(proxy: Proxy, behind: Client, brief: str) -> None:
    mark = str(uuid.uuid4())
    id = behind.start(brief, name=mark, wait=30).id
    gone = json.dumps({"errorCode": "CURSOR_GONE", "message": "the cursor is too old"}).encode()
    proxy.script = lambda call: response(410, gone, "application/json") if b"cursor=" in call.whole else None
    with pytest.raises(Gone):
        behind.changes("c")
    with closing(behind.watch(name=mark, cursor="c")) as events:
        reset, row, snapshot = next(events), next(events), next(events)
    assert isinstance(reset, Reset)
    assert reset.fault is not None
    assert reset.fault.code == "CURSOR_GONE"
    assert isinstance(row, TaskChanged)
    assert row.task.id == id
    assert isinstance(snapshot, Snapshot)


def test_watch_goes_on_behind_a_network_that_cuts_delays_and_answers_itself(
    proxy: Proxy, behind: Client, client: Client, brief: str
) -> None:
    mark, feed = str(uuid.uuid4()), "/v1/tasks/events"
    own = json.dumps({"errorCode": "CURSOR_GONE", "message": "the cursor is too old"}).encode()
    odd = itertools.cycle(
        [
            response(404, PAGE, "text/html"),
            response(200, PAGE, "text/event-stream"),
            response(200, b'id: x\nevent: task\ndata: {"id": 7}\n\n', "text/event-stream"),
            response(503, PAGE, "text/html"),
            b"",
        ]
    )

    def script(call: Call) -> bytes | Cut | None:
        if call.path != feed or call.number > 16:
            return None
        if call.number % 3 == 1:
            return next(odd)
        if call.number % 8 == 6 and b"cursor=" in call.whole:
            return response(410, own, "application/json")
        time.sleep(0.02 * (call.number % 4))
        return Cut(900 + 300 * call.number)

    proxy.script = script
    watcher = Watcher(lambda: behind.watch(name=mark))
    ids = []
    for n in range(8):
        ids.append(client.start(brief, name=f"{mark} {n}").id)
        time.sleep(0.2)
    watcher.ended(ids)
    assert proxy.count(feed) > 6


def test_watch_behind_a_proxy_that_cuts_from_the_first_byte_on(
    proxy: Proxy, behind: Client, client: Client, brief: str
) -> None:
    mark = str(uuid.uuid4())
    proxy.script = lambda call: Cut(500 * call.number + 1) if call.path == "/v1/tasks/events" else None
    ids = [client.start(brief, name=f"{mark} {n}").id for n in range(4)]
    watcher = Watcher(lambda: behind.watch(name=mark))
    watcher.ended(ids)
    assert proxy.count("/v1/tasks/events") > 3


def test_no_end_is_missed_over_crashes(fresh: Server) -> None:
    admin = Admin(fresh)
    name = admin.workflow(workflow("crashed", *(simulate(it, duration="300ms") for it in ("A", "B", "C"))))
    admin.close()
    with Client(fresh.url, user="admin", password=PASSWORD) as client:
        many = Watcher(lambda: client.watch(page_size=2))
        ids = [client.start(name).id for _ in range(6)]
        one = Watcher(lambda: client.watch_task(ids[0]))
        for _ in range(2):
            time.sleep(0.5)
            fresh.kill()
            fresh.start()
        ids += [client.start(name).id for _ in range(2)]
        many.ended(ids)
        one.ended(ids[:1])


@pytest.mark.parametrize("status", [200, 404, 410, 429, 503])
@pytest.mark.parametrize("body", [PAGE, b'{"errorCode": "ENDPOINT_NOT_FOUND", "message": "no such path"}'])
def test_wait_does_without_a_stream(proxy: Proxy, behind: Client, brief: str, status: int, body: bytes) -> None:
    proxy.script = lambda call: response(status, body) if call.path.endswith("/events") else None
    id = behind.start(brief).id
    assert behind.wait(id, timeout=30).status is Status.SUCCESSFUL
    assert proxy.count(f"/v1/tasks/{id}/events") == 1


def test_wait_hears_the_end_from_the_stream(proxy: Proxy, behind: Client, brief: str) -> None:
    id = behind.start(brief).id
    assert behind.wait(id, include=["outputs"]).outputs is not None
    assert proxy.count(f"/v1/tasks/{id}/events") == 1
    # A look before the stream, and one behind it.
    assert proxy.count(f"/v1/tasks/{id}") == 2


def test_wait_outlives_a_stream_that_is_cut(proxy: Proxy, behind: Client, brief: str) -> None:
    proxy.script = lambda call: Cut(1500) if call.path.endswith("/events") else None
    id = behind.start(brief).id
    assert behind.wait(id, timeout=30).status is Status.SUCCESSFUL


def test_wait_with_a_stream_keeps_its_time(client: Client, slow: str) -> None:
    id = client.start(slow).id
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=id):
        client.wait(id, timeout=3)
    assert time.monotonic() - began >= 3
    client.cancel(id)


def test_the_client_of_asyncio_watches_too(server: Server, operator: str, brief: str, slow: str) -> None:
    mark = str(uuid.uuid4())

    async def main() -> None:
        async with AsyncClient(server.url, api_key=operator) as client:
            start = (await client.changes(name=mark)).cursor
            async with aclosing(client.watch(name=mark)) as events:
                assert isinstance(await anext(events), Snapshot)
                id = (await client.start(brief, name=mark)).id
                async for event in events:
                    assert isinstance(event, TaskChanged | Bookmark)
                    if _ends(event):
                        break
            ended = asyncio.create_task(client.wait(id))
            assert (await ended).has_succeeded
            page = await client.changes(start, name=mark)
            assert [change.task.id for change in page.elements if isinstance(change, TaskChanged)] == [id]
            # A watcher that is cancelled leaves nothing open.
            other = (await client.start(slow, name=mark)).id
            began = asyncio.Event()

            async def watch() -> None:
                async for _ in client.watch_task(other):
                    began.set()

            watcher = asyncio.create_task(watch())
            await began.wait()
            watcher.cancel()
            with pytest.raises(asyncio.CancelledError):
                await watcher
            await client.cancel(other)

    asyncio.run(main())
