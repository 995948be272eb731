"""The forms that clients of other languages send and look for, byte for byte."""

from __future__ import annotations

import json
import re

import pytest

import checks
from calling import Caller, connected, exchange, raw, read, request_bytes
from conftest import admin_of
from contract import Refusal
from serving import PASSWORD, Server
from things import Things


def test_connection_takes_one_request_after_the_other(server: Server, admin: Caller) -> None:
    request = request_bytes("GET", "/v1/tasks?pageSize=1", server.address, admin.headers())
    with connected(server) as connection:
        for _ in range(3):
            assert exchange(connection, request).status == 200
        # Both at once: the answers come in order.
        connection.sendall(request + request_bytes("GET", "/v1/tasks/no-uuid", server.address, admin.headers()))
        assert [read(connection, "GET").status for _ in range(2)] == [200, 404]


def test_head_is_get_without_a_body(admin: Caller, things: Things) -> None:
    task = things.succeeded()
    get, head = admin.get(f"/v1/tasks/{task}"), admin("HEAD", f"/v1/tasks/{task}")
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == str(len(get.body))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_is_of_any_case(scheme: str, admin: Caller, anonymous: Caller) -> None:
    headers = {"authorization": f"{scheme} {admin.credential}"}
    assert anonymous("GET", "/v1/users/me", headers=headers).status == 200


@pytest.mark.parametrize(
    "value", ["Basic YWRtaW46eA==", "Bearer", "Bearer ", "Bearer a b", "Bearer lhk_x", "Bearer a.b.c", "x"]
)
def test_what_is_no_credential_is_401(value: str, anonymous: Caller) -> None:
    answer = anonymous("GET", "/v1/tasks", headers={"Authorization": value})
    refusal = Refusal("GET", "/v1/tasks", None, 401, "Unauthorized", "", "POST /v1/tokens")
    assert checks.of_refusal(answer, refusal, "Unauthorized") == [], answer
    # Scripts look for this word in the whole body.
    assert b"IDENTITY_UNAUTHORIZED_ENTITY" in answer.body


@pytest.mark.parametrize("quoted", [True, False], ids=["a JSON string", "bare"])
def test_refresh_token_comes_quoted_or_bare(quoted: bool, anonymous: Caller, things: Things) -> None:
    refresh = things.refresh()
    body = (json.dumps(refresh) if quoted else refresh).encode()
    answer = anonymous("PATCH", "/v1/tokens/access-token/refresh", body)
    assert checks.of_success(answer, 200, "jwt") == [], answer
    assert answer.body.startswith(b'"') and answer.body.endswith(b'"')
    assert anonymous("DELETE", "/v1/tokens/refresh-token", body).status == 204
    assert anonymous("PATCH", "/v1/tokens/access-token/refresh", body).status == 404


def test_absent_members_are_absent_not_null(admin: Caller, things: Things) -> None:
    for task in (things.running(), things.succeeded(), things.failed(), things.unclear()):
        assert b":null" not in admin.get(f"/v1/tasks/{task}?include=all").body


def test_types_of_bodies_are_what_clients_send(admin: Caller) -> None:
    body = json.dumps({"workflow": "quick", "input": {"fqdn": "a.rainpole.io"}}).encode()
    for kind in ("application/json", "application/json;charset=UTF-8", "Application/JSON; charset=utf-8"):
        assert admin("POST", "/v1/tasks", body, {"Content-Type": kind}).status == 202, kind


def test_body_may_come_in_chunks(server: Server, admin: Caller) -> None:
    body = json.dumps({"workflow": "quick", "input": {"fqdn": "a.rainpole.io"}}).encode()
    halves = [body[:20], body[20:], b""]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves)
    headers = admin.headers() | {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    head = request_bytes("POST", "/v1/tasks", server.address, headers)
    assert raw(server, head + chunked).status == 202


def test_same_key_is_the_same_task(admin: Caller) -> None:
    body = {"workflow": "quick", "input": {"fqdn": "key.rainpole.io"}}
    headers = {"Idempotency-Key": "commission-42"}
    first, second = (admin("POST", "/v1/tasks", body, headers) for _ in range(2))
    assert first.json["id"] == second.json["id"]
    other = admin("POST", "/v1/tasks", {"workflow": "slow"}, headers)
    assert (other.status, other.json["errorCode"]) == (422, "IDEMPOTENCY_KEY_REUSED"), other


def test_started_task_is_where_location_says(admin: Caller) -> None:
    answer = admin("POST", "/v1/hosts", {"fqdn": "esxi-2.rainpole.io"})
    location = answer.header("Location")
    assert location == f"/v1/tasks/{answer.json['id']}"
    assert admin.get(location).status == 200


def test_unchanged_task_is_304(admin: Caller, things: Things) -> None:
    path = f"/v1/tasks/{things.succeeded()}"
    tag = admin.get(path).header("ETag")
    answer = admin("GET", path, headers={"If-None-Match": tag})
    assert (answer.status, answer.body, answer.header("ETag")) == (304, b"", tag)


def test_habits_can_be_turned(other_habits: Server) -> None:
    """One server with every switch of `[wire]` the other way."""
    login = {"username": "admin", "password": PASSWORD}
    assert Caller(other_habits, None)("POST", "/v1/tokens", login).status == 200
    admin = admin_of(other_habits)
    things = Things(admin)
    failed = things.failed()
    task = admin.get(f"/v1/tasks/{failed}").json
    assert task["status"] == "FAILED" and "progress" not in task
    assert admin.get("/v1/tasks").json["pageMetadata"]["pageSize"] == 100
    retried = admin("PATCH", f"/v1/tasks/{failed}")
    assert (retried.status, retried.body) == (200, b"")


def test_failed_logins_slow_down_and_say_until_when(fresh: Server) -> None:
    wrong = {"username": "somebody", "password": "not the password"}
    nobody = Caller(fresh, None)
    answers = [nobody("POST", "/v1/tokens", wrong, source="127.0.0.7") for _ in range(7)]
    assert [answer.status for answer in answers[:5]] == [401] * 5
    last = answers[-1]
    assert (last.status, last.json["errorCode"]) == (429, "TOO_MANY_FAILED_LOGINS"), last
    assert re.fullmatch(r"[1-9]\d?", last.header("Retry-After") or ""), last
    # Others come in as if nothing had been.
    right = {"username": "admin", "password": PASSWORD}
    assert nobody("POST", "/v1/tokens", right, source="127.0.0.8").status == 201
