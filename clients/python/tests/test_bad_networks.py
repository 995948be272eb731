"""Networks that answer in the server's place, damage its answers, or break connections: workers wait, and work on."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from proxy import Call, Proxy, proxied
from serving import Admin, Server
from workflows import work, workflow
from working import eventually, working

from longhaul import Client, Context, Forbidden, NotFound, Unintelligible, Unreachable, Worker
from longhaul._http.authority import Authority
from longhaul._http.connection import Connection, connect
from longhaul._http.drive import AsyncDriver
from longhaul._http.persist import persist
from longhaul._http.plan import Request
from longhaul._http.reach import Reach
from longhaul._worker.protocol import Leased

PAGE = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"
STATUSES = (
    *(
        200,
        201,
        202,
        203,
        204,
        205,
        206,
        226,
        300,
        301,
        302,
        303,
        304,
        305,
        307,
        308,
        400,
        401,
        402,
        403,
        404,
        405,
        406,
    ),
    *(
        407,
        408,
        409,
        410,
        411,
        412,
        413,
        414,
        415,
        416,
        417,
        418,
        421,
        422,
        423,
        424,
        425,
        426,
        428,
        429,
        431,
        451,
        499,
    ),
    *(500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 521, 522, 525, 530, 599, 600, 999),
)
TYPES = ("application/json", "text/html; charset=utf-8", "application/octet-stream", "", "text/html; charset=no-such")
BODIES: dict[str, bytes] = {
    "empty": b"",
    "page": PAGE,
    "half of an answer": b'{"leases": [{"lease": "019',
    "an empty object": b"{}",
    "a list": b"[]",
    "null": b"null",
    "a text": b'"later"',
    "a number": b"1e999",
    "an error of somebody else": b'{"message": "no route", "code": 404, "errorCode": null}',
    "an error with a code of another type": b'{"errorCode": 17, "message": "no"}',
    "an error without a message": b'{"errorCode": "FORBIDDEN"}',
    "leases that are none": b'{"leases": [17, null, {"lease": 3}], "results": {}, "retryAfterMs": "soon"}',
    "leases that are an object": b'{"leases": {}, "results": {}}',
    "not UTF-8": b'{"leases": "\xff\xfe"}',
    "another encoding": '{"leases": 1}'.encode("utf-16"),
    "deep": b"[" * 100_000,
    "NUL": b"\x00" * 64,
}
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "gzip": gzip.compress,
    "gzip ": lambda body: body,
    "gzip  ": lambda body: gzip.compress(body)[:-9],
    "gzip   ": lambda body: b"",
    "deflate": lambda body: body,
    "x-unknown": lambda body: body,
}


def response(status: int, body: bytes, kind: str = "", encoding: str = "", *, more: str = "", short: int = 0) -> bytes:
    """An answer as bytes. `short`: how much less of the body comes than was said."""
    head = f"HTTP/1.1 {status} Odd\r\nConnection: close\r\nContent-Length: {len(body) + short}\r\n{more}"
    head += f"Content-Type: {kind}\r\n" if kind else ""
    head += f"Content-Encoding: {encoding.strip()}\r\n" if encoding else ""
    return head.encode() + b"\r\n" + body


def answers() -> Iterator[bytes]:
    """Every status with every third body in turn, each of some type and encoding; then what is hardly HTTP at all."""
    kinds, encodings = itertools.cycle(TYPES), itertools.cycle(ENCODINGS.items())
    for status, body in itertools.islice(itertools.product(STATUSES, BODIES.values()), 0, None, 3):
        # The numbers of types, bodies and encodings have no common divisor, so all of them meet.
        encoding, encoded = next(encodings)
        more = "Location: http://portal.example/login?next=%00\r\n" if 300 <= status < 400 else "Retry-After: 86400\r\n"
        yield response(status, encoded(body), next(kinds), encoding, more=more)
    yield from (
        b"",
        b"\r\n",
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        PAGE,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX\xff\xfe: \xff\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        response(200, b'{"leases": []}', short=100),
        response(200, PAGE, more="Set-Cookie: =;;;\xff\r\n".encode().decode("latin-1")),
    )


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied(server.url) as proxy:
        yield proxy


@pytest.fixture
def worker(proxy: Proxy, worker_key: str) -> Worker:
    """A worker behind the proxy that asks again at once."""
    return Worker(proxy.url, api_key=worker_key, longest_pause=0.004, lease=600, wait=1)


class Held:
    """A task whose function runs until it is told to end."""

    def __init__(self, worker: Worker, client: Client, admin: Admin, queue: str) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._client, self._queue = client, queue
        self._name = admin.workflow(workflow(queue, work(queue)))

        @worker.action(queue)
        def act(ctx: Context, input: dict[str, Any]) -> int:
            self.begun.set()
            if input.get("held"):
                ctx.log("held")
                assert self.go_on.wait(60)
                ctx.raise_if_cancelled()
            return ctx.attempt

    def start(self, *, held: bool = True) -> str:
        return self._client.start(self._name, {"held": held}).id

    def done(self, *ids: str) -> None:
        """Waits until all tasks have succeeded by their first attempts."""
        for id in ids:
            assert self._client.wait(id, timeout=60, include=["outputs"]).outputs == {"Work": 1}


def test_no_answer_but_the_servers_own_ends_a_worker(
    proxy: Proxy, worker: Worker, client: Client, admin: Admin, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    odd, lock, over = list(reversed(list(answers()))), threading.Lock(), threading.Event()

    def script(call: Call) -> bytes | None:
        with lock:
            if odd:
                return odd.pop()
            over.set()
            return None

    assert len(odd) > 350
    held = Held(worker, client, admin, queue)
    with working(worker):
        first = held.start()
        assert held.begun.wait(30)
        proxy.script = script
        # Reports, leases and heartbeats all meet odd answers.
        held.go_on.set()
        assert over.wait(60)
        held.done(first, held.start(held=False))
    assert {record.levelno for record in caplog.records if record.name == "longhaul.worker"} <= {
        logging.INFO,
        logging.WARNING,
    }


@pytest.mark.parametrize("verb", ["lease", "heartbeat", "complete"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 502])
def test_a_page_in_place_of_one_call_does_no_harm(
    proxy: Proxy, worker: Worker, client: Client, admin: Admin, queue: str, verb: str, status: int
) -> None:
    path, first = f"/v1/workers/{verb}", threading.Event()

    def script(call: Call) -> bytes | None:
        if call.path != path or call.number > 6:
            return None
        if call.number == 6:
            first.set()
        return response(status, PAGE, "text/html")

    proxy.script = script
    held = Held(worker, client, admin, queue)
    with working(worker):
        id = held.start()
        assert held.begun.wait(30)
        if verb == "heartbeat":
            assert first.wait(30)
        held.go_on.set()
        held.done(id)
    assert first.is_set()


def test_a_connection_may_break_anywhere_in_the_answers_to_a_worker(
    proxy: Proxy, worker_key: str, client: Client, admin: Admin, queue: str
) -> None:
    worker = Worker(proxy.url, api_key=worker_key, longest_pause=0.004, lease=600, wait=0)
    held = Held(worker, client, admin, queue)
    with working(worker):
        first = held.start()
        assert held.begun.wait(30)
        proxy.forget()
        # Further on each time, until the answer comes whole.
        proxy.script = lambda call: call.number * 9
        held.go_on.set()
        held.done(first, *(held.start(held=False) for _ in range(2)))
    for verb in ("lease", "complete"):
        assert proxy.count(f"/v1/workers/{verb}") > 20


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_answer_may_end_at_each_of_its_bytes(proxy: Proxy, encoding: str) -> None:
    """The part that arrived, after a reset or an orderly end, always leads to another try."""
    body = b'{"leases": [], "retryAfterMs": 0, "draining": true}'
    encoded = ENCODINGS[encoding](body)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {encoding or 'identity'}\r\n"
    for length in (f"Content-Length: {len(encoded)}\r\n", "Connection: close\r\n"):
        whole = f"{head}{length}\r\n".encode() + encoded
        proxy.forget()
        proxy.script = lambda call, whole=whole: whole[: call.number]  # type: ignore[misc]
        connection, authority = connect(
            proxy.url, api_key="k", user=None, password=None, ca=None, insecure=None, answer=10
        )
        reach = Reach(proxy.url)
        request = Request.of_json("POST", "/v1/workers/lease", {}, repeatable=True)

        async def ask(authority: Authority, connection: Connection, request: Request, reach: Reach) -> Leased:
            driver = AsyncDriver(connection)
            try:
                plan = persist(authority, request, Leased.read, patience=None, longest=0.0001, reach=reach)
                return await driver.run(plan)
            finally:
                await driver.close()

        assert asyncio.run(ask(authority, connection, request, reach)) == Leased((), 0.0, True)
        # Without its length an answer may be known to be whole a little before its end: gzip's has a checksum there.
        assert len(whole) - 8 <= proxy.count("/v1/workers/lease") <= len(whole) + 1


def test_the_servers_own_refusal_ends_a_worker(proxy: Proxy, worker: Worker, queue: str) -> None:
    own = json.dumps({"errorCode": "FORBIDDEN", "message": "the role is too small"}).encode()
    proxy.script = lambda call: response(403, PAGE) if call.number < 3 else response(403, own, "application/json")
    worker.action(queue)(lambda ctx: None)
    with pytest.raises(Forbidden, match="the role is too small"):
        worker.run()
    assert proxy.count("/v1/workers/lease") == 4


def test_an_outage_is_told_with_its_beginning_and_reason(
    proxy: Proxy, worker: Worker, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    portal = response(302, PAGE, "text/html", more="Location: http://portal.example/\r\n")
    proxy.script = lambda call: portal
    worker.action(queue)(lambda ctx: None)
    assert worker.outage is None
    with working(worker):
        eventually(lambda: worker.outage, "the outage")
        outage = worker.outage
        assert outage is not None
        assert "302" in outage.why
        assert "http://portal.example/" in outage.why
        eventually(lambda: proxy.count("/v1/workers/lease") > 20, "more calls")
        assert worker.outage is not None
        assert worker.outage.since == outage.since
        proxy.script = lambda call: None
        eventually(lambda: worker.outage is None, "the end of the outage")
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    # One line for the outage, not one for each call; and one for its end.
    assert len(told) == 2
    assert told[0].startswith(f"waiting for the server {proxy.url}: the answer 302")
    assert told[1].startswith(f"the server {proxy.url} answers again after ")


def test_patience_may_have_a_limit(proxy: Proxy, worker_key: str, queue: str) -> None:
    proxy.script = lambda call: response(404, PAGE)
    worker = Worker(proxy.url, api_key=worker_key, longest_pause=0.01, patience=0.2)
    worker.action(queue)(lambda ctx: None)
    with pytest.raises(Unreachable, match=r"could not be reached for 0 s, since .*: the answer 404"):
        worker.run()


def test_a_login_behind_a_portal_is_tried_again(
    proxy: Proxy, admin: Admin, client: Client, password: str, queue: str
) -> None:
    pages = itertools.cycle([response(200, PAGE), response(401, PAGE), response(201, b"{}"), response(403, PAGE)])
    proxy.script = lambda call: next(pages) if call.path == "/v1/tokens" and call.number < 12 else None
    worker = Worker(proxy.url, user="admin", password=password, longest_pause=0.01)
    held = Held(worker, client, admin, queue)
    with working(worker):
        held.done(held.start(held=False))
    assert proxy.count("/v1/tokens") == 13


def test_a_client_tells_a_page_from_the_servers_own_answer(proxy: Proxy, operator: str) -> None:
    with Client(proxy.url, api_key=operator, patience=0.1) as client:
        with pytest.raises(NotFound):
            client.get("00000000-0000-4000-8000-000000000000")
        for status in (200, 302, 400, 403, 404):
            proxy.script = lambda call, status=status: response(status, PAGE, "text/html")  # type: ignore[misc]
            for call in (client.whoami, lambda: client.get("a"), lambda: list(client.list())):
                with pytest.raises(Unintelligible, match=f"the answer {status} of type text/html .*Sign in"):
                    call()
            before = len(proxy.calls)
            with pytest.raises(Unintelligible):
                client.retry("a")
            # What could do harm if it were done twice is not sent again.
            assert len(proxy.calls) == before + 1
