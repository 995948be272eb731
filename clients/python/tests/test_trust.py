"""Sessions that many calls share, certificates that nobody vouches for, and proxies that the environment names."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from proxy import Proxy, proxied
from serving import Server
from test_bad_networks import response

from longhaul import AsyncClient, Client, Unauthorized, Unreachable, Untrusted, Worker

MANY = 500


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy that answers by itself: logins take a while, and old tokens are refused."""
    logins, lock = [0], threading.Lock()
    slow = threading.Event()
    with proxied(server.url) as proxy:
        proxy.script = lambda call: response(500, b"")

        def script(call: object) -> bytes:
            whole = call.whole  # type: ignore[attr-defined]
            path = whole.split(b" ")[1]
            if path == b"/v1/tokens":
                slow.wait(0.3)
                with lock:
                    logins[0] += 1
                tokens = {"accessToken": f"a{logins[0]}", "refreshToken": {"id": f"r{logins[0]}"}}
                return response(201, json.dumps(tokens).encode(), "application/json")
            if path.endswith(b"/refresh"):
                slow.wait(0.3)
                return response(200, b'"renewed"', "application/json")
            if b"Bearer a1\r\n" in whole and len(proxy.calls) > MANY + 1:
                no = {"errorCode": "TOKEN_EXPIRED", "message": "the token is over"}
                return response(401, json.dumps(no).encode(), "application/json")
            return response(200, b'{"name": "anna", "role": "ADMIN", "kind": "USER"}', "application/json")

        proxy.script = script
        yield proxy


def test_many_calls_at_once_log_in_once_and_renew_once(proxy: Proxy) -> None:
    async def main() -> None:
        async with AsyncClient(proxy.url, user="anna", password="secret") as client:
            for count in (MANY, 50):
                who = await asyncio.gather(*(client.whoami() for _ in range(count)))
                assert {one.name for one in who} == {"anna"}

    asyncio.run(main())
    assert proxy.count("/v1/tokens") == 1
    assert proxy.count("/v1/tokens/access-token/refresh") == 1


def test_many_threads_at_once_log_in_once(proxy: Proxy) -> None:
    together = threading.Barrier(50)

    def ask(client: Client) -> str:
        together.wait(30)
        return client.whoami().name

    with Client(proxy.url, user="anna", password="secret") as client, ThreadPoolExecutor(50) as pool:
        assert {future.result(60) for future in [pool.submit(ask, client) for _ in range(50)]} == {"anna"}
    assert proxy.count("/v1/tokens") == 1


def test_a_login_that_is_refused_is_refused_to_all_who_wait_for_it(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    no = json.dumps({"errorCode": "UNAUTHORIZED", "message": "wrong password"}).encode()
    proxy.script = lambda call: threading.Event().wait(0.3) or response(401, no, "application/json")

    async def main() -> None:
        async with AsyncClient(proxy.url, user="anna", password="wrong") as client:
            outcomes = await asyncio.gather(*(client.whoami() for _ in range(MANY)), return_exceptions=True)
            assert {type(one) for one in outcomes} == {Unauthorized}

    asyncio.run(main())
    # A lock on the account is not far if each tried by itself.
    assert proxy.count("/v1/tokens") == 1
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_a_login_goes_on_with_another_where_its_caller_is_cancelled(proxy: Proxy) -> None:
    async def main() -> None:
        async with AsyncClient(proxy.url, user="anna", password="secret") as client:
            calls = [asyncio.create_task(client.whoami()) for _ in range(20)]
            await asyncio.sleep(0.1)
            calls[0].cancel()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(outcomes[0], asyncio.CancelledError)
            assert {one.name for one in outcomes[1:] if not isinstance(one, BaseException)} == {"anna"}
            assert not [one for one in outcomes[1:] if isinstance(one, BaseException)]

    asyncio.run(main())
    assert proxy.count("/v1/tokens") == 2


@contextmanager
def tunnel(url: str) -> Iterator[str]:
    """Another address of a server, 127.0.0.2, for one connection."""
    listener = socket.create_server(("127.0.0.2", 0))

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)

    def serve() -> None:
        host, port = url.split("//")[1].split(":")
        with listener.accept()[0] as client, socket.create_connection((host, int(port))) as server:
            threading.Thread(target=copy, args=(server, client), daemon=True).start()
            copy(client, server)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"https://127.0.0.2:{listener.getsockname()[1]}"
    thread.join(30)
    listener.close()


@pytest.fixture(scope="module")
def secure() -> Iterator[Server]:
    server = Server("--tls", "self-signed")
    try:
        yield server
    finally:
        server.close()


def test_a_worker_ends_with_words_where_nobody_vouches_for_the_certificate(secure: Server) -> None:
    worker = Worker(secure.url, api_key="lhk_1")
    worker.action("q")(lambda ctx: None)
    with pytest.raises(Untrusted, match=rf"the certificate of {secure.url} is not trusted: .*LONGHAUL_CA"):
        worker.run()


def test_a_client_says_it_at_once(secure: Server) -> None:
    with Client(secure.url, api_key="lhk_1", patience=600) as client, pytest.raises(Untrusted, match="LONGHAUL_CA"):
        client.whoami()


def test_a_name_that_the_certificate_does_not_have_is_said(secure: Server) -> None:
    ca = secure.data / "data" / "tls" / "cert.pem"
    with (
        tunnel(secure.url) as address,
        Client(address, api_key="lhk_1", ca=ca) as client,
        pytest.raises(Untrusted, match="name in `server` or LONGHAUL_SERVER that the certificate has"),
    ):
        client.whoami()


def test_tls_where_there_is_none_is_said(server: Server) -> None:
    address = server.url.replace("http://", "https://")
    with Client(address, api_key="k", patience=0) as client, pytest.raises(Unreachable, match="perhaps it speaks http"):
        client.whoami()


def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate", encoding="utf-8")
    for file in (empty, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match=rf"`ca` or LONGHAUL_CA must be a PEM file of certificates; {file}"):
            Client("https://127.0.0.1:1", ca=file)


@pytest.mark.parametrize("key", ["", " lhk_1", "lhk_1\n", "lhk_\r\nX: y", "schlüssel", "lhk_\ud800"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="an API key or token is of visible characters"):
        Worker("http://127.0.0.1:1", api_key=key)


@pytest.mark.parametrize("given", [("\udcff", "secret"), ("anna", "s\ud800")])
def test_a_user_and_password_are_text_that_can_be_sent(given: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        Client("http://127.0.0.1:1", user=given[0], password=given[1])


def test_a_client_that_is_closed_says_so_at_once(server: Server) -> None:
    client = Client(server.url, api_key="k", patience=600)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.whoami()


def test_the_environment_names_a_proxy_and_who_is_reached_without(
    proxy: Proxy, server: Server, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with Client("http://longhaul.example:8080", api_key="k") as client:
        assert client.whoami().name == "anna"
    assert proxy.calls[-1].whole.startswith(b"GET http://longhaul.example:8080/v1/users/me HTTP/1.1\r\n")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with Client(server.url, api_key=operator) as client:
        assert client.whoami().name == "operator"


def test_a_proxy_of_a_kind_that_is_not_understood_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ValueError, match=r"HTTP_PROXY.*gopher"):
        Client("http://longhaul.example", api_key="k")
