"""Every verb of the client that blocks, against a real server."""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from serving import Admin, Server
from workflows import simulate, workflow

from longhaul import (
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Status,
    Unauthorized,
    Unreachable,
)


@pytest.fixture(scope="module")
def quick(admin: Admin) -> str:
    return admin.workflow(workflow("quick", simulate(output={"answer": 42})))


@pytest.fixture(scope="module")
def slow(admin: Admin) -> str:
    return admin.workflow(workflow("slow", simulate("First"), simulate("Second", duration="1m")))


@pytest.fixture(scope="module")
def once_failing(admin: Admin) -> str:
    error = {"code": "NO_LUCK", "message": "it did not work", "remediation": "Try again"}
    return admin.workflow(workflow("once-failing", simulate(failAttempts=[1], error=error)))


def test_start_and_wait_give_the_task_at_its_end(client: Client, quick: str) -> None:
    started = client.start(quick, {"a": 1}, name="The first", labels={"change": "CHG1"})
    assert (started.name, started.type, started.workflow) == ("The first", "TEST_RUN", quick)
    ended = client.wait(started.id, include=["all"])
    assert ended.status is Status.SUCCESSFUL
    assert ended.has_ended
    assert ended.has_succeeded
    assert (ended.input, ended.labels, ended.outputs) == ({"a": 1}, {"change": "CHG1"}, {"Work": {"answer": 42}})
    assert ended.sub_task("Work").status is Status.SUCCESSFUL
    assert ended.completion_timestamp is not None
    assert abs(ended.completion_timestamp - datetime.now(timezone.utc)) < timedelta(minutes=1)


def test_start_with_wait_answers_at_the_end(client: Client, quick: str) -> None:
    assert client.start(quick, wait=30).has_succeeded


def test_start_with_a_key_starts_one_task(client: Client, quick: str) -> None:
    key = str(uuid.uuid4())
    first = client.start(quick, {"n": 1}, idempotency_key=key)
    assert client.start(quick, {"n": 1}, idempotency_key=key).id == first.id
    with pytest.raises(Invalid) as refused:
        client.start(quick, {"n": 2}, idempotency_key=key)
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


def test_start_without_a_key_starts_a_task_each_time(client: Client, quick: str) -> None:
    assert client.start(quick).id != client.start(quick).id


def test_start_not_before_waits_for_the_instant(client: Client, quick: str) -> None:
    then = datetime.now(timezone.utc) + timedelta(hours=1)
    task = client.start(quick, not_before=then)
    assert task.status is Status.PENDING
    assert task.waiting_for is not None
    assert task.waiting_for.type == "START"
    assert task.waiting_for.until is not None
    assert abs(task.waiting_for.until - then) < timedelta(seconds=1)
    client.cancel(task.id)


def test_get_shows_what_is_asked_for(client: Client, quick: str) -> None:
    id = client.start(quick, {"a": 1}, wait=30).id
    assert client.get(id).input is None
    assert client.get(id, include=["input"]).input == {"a": 1}
    assert client.get(id, summary=True).sub_tasks == ()
    assert client.get(id).raw["id"] == id


def test_list_walks_all_pages(client: Client, quick: str) -> None:
    mark = f"paged {uuid.uuid4()}"
    ids = [client.start(quick, name=f"{mark} {n}", wait=30).id for n in range(7)]
    found = [task.id for task in client.list(name=mark, page_size=3)]
    assert sorted(found) == sorted(ids)
    assert [task.id for task in client.list(name=mark, page_size=3, limit=4)] == found[:4]
    backwards = [task.id for task in client.list(name=mark, order_by="creationTimestamp", descending=False)]
    assert backwards == found[::-1]


def test_list_filters(client: Client, quick: str, once_failing: str) -> None:
    mark = f"filtered {uuid.uuid4()}"
    before = datetime.now(timezone.utc) - timedelta(minutes=1)
    good = client.start(quick, name=mark, wait=30).id
    bad = client.start(once_failing, name=mark, wait=30).id
    assert [task.id for task in client.list(name=mark, status=Status.FAILED)] == [bad]
    assert {task.id for task in client.list(name=mark, status=["Failed", Status.SUCCESSFUL])} == {good, bad}
    assert {task.id for task in client.list(name=mark, type="test_run", completed_after=before)} == {good, bad}
    assert list(client.list(name=mark, type="OTHER_TYPE")) == []
    assert list(client.list(name=mark, resource_id="none", resource_type="HOST")) == []
    assert [task.sub_tasks for task in client.list(name=mark, status="SUCCESSFUL", summary=True)] == [()]


def test_retry_goes_on_from_what_failed(client: Client, once_failing: str) -> None:
    failed = client.start(once_failing, wait=30)
    assert failed.status is Status.FAILED
    assert not failed.has_succeeded
    assert failed.is_retryable
    (fault,) = failed.sub_task("Work").errors
    assert (fault.code, fault.message, fault.remediation) == ("NO_LUCK", "it did not work", "Try again")
    assert client.retry(failed.id).id == failed.id
    assert client.wait(failed.id).status is Status.SUCCESSFUL
    assert [attempt.status for attempt in client.attempts(failed.id)] == ["FAILED", "SUCCESSFUL"]
    with pytest.raises(Conflict) as refused:
        client.retry(failed.id)
    assert refused.value.code == "TA_TASK_CAN_NOT_BE_RETRIED"
    assert refused.value.remediation


def test_cancel_ends_a_task(client: Client, slow: str) -> None:
    id = client.start(slow).id
    assert client.cancel(id).id == id
    assert client.wait(id, timeout=30).status is Status.CANCELLED


def test_skip_goes_on_without_a_sub_task(client: Client, once_failing: str) -> None:
    id = client.start(once_failing, wait=30).id
    client.skip(id, "Work", "it is not needed")
    assert client.wait(id).status is Status.COMPLETED_WITH_WARNING


def test_resolve_marks_a_failed_task(client: Client, once_failing: str) -> None:
    id = client.start(once_failing, wait=30).id
    assert client.resolve(id, "repaired by hand").resolution_status == "RESOLVED"


def test_watch_gives_each_state_until_the_end(client: Client, admin: Admin) -> None:
    name = admin.workflow(workflow("watched", simulate("A", duration="500ms"), simulate("B", duration="500ms")))
    states = list(client.watch(client.start(name).id))
    assert states[-1].status is Status.SUCCESSFUL
    assert [state.status for state in states[:-1]] == [Status.IN_PROGRESS] * (len(states) - 1)
    assert len(states) >= 3
    assert all(a.version != b.version for a, b in itertools.pairwise(states))


def test_watch_can_be_left(client: Client, slow: str) -> None:
    id = client.start(slow).id
    for task in client.watch(id):
        assert task.id == id
        break
    client.cancel(id)


def test_wait_says_when_its_time_is_over(client: Client, slow: str) -> None:
    id = client.start(slow).id
    with pytest.raises(TimeoutError, match=id):
        client.wait(id, timeout=0.5)
    client.cancel(id)


def test_errors_carry_what_the_server_said(client: Client, admin: Admin) -> None:
    missing = str(uuid.uuid4())
    with pytest.raises(NotFound) as refused:
        client.get(missing)
    error = refused.value
    assert (error.status, error.code) == (404, "TA_TASK_NOT_FOUND")
    assert missing in error.message
    assert error.reference is not None
    assert len(error.reference) == 6
    assert error.reference in str(error)
    strict = {"type": "object", "required": ["host"], "properties": {"host": {"type": "string"}}}
    name = admin.workflow(workflow("strict", simulate(), input=strict))
    with pytest.raises(Invalid) as refused_input:
        client.start(name, {})
    assert refused_input.value.fault.nested
    assert "host" in str(refused_input.value)


def test_a_name_with_a_slash_is_one_segment(client: Client, once_failing: str) -> None:
    id = client.start(once_failing, wait=30).id
    with pytest.raises(NotFound) as refused:
        client.skip(id, "a/b?c", "because")
    assert refused.value.code == "SUB_TASK_NOT_FOUND"
    assert "a/b?c" in refused.value.message


def test_whoami_names_the_account(client: Client) -> None:
    me = client.whoami()
    assert (me.name, me.role, me.kind) == ("operator", "OPERATOR", "SERVICE")


def test_a_user_logs_in_and_out(server: Server, password: str) -> None:
    with Client(server.url, user="admin", password=password) as client:
        assert client.whoami().role == "ADMIN"
        client.logout()
        # The next request logs in again.
        assert client.whoami().name == "admin"


def test_a_wrong_password_is_refused(server: Server) -> None:
    with (
        Client(server.url, user="nobody", password="wrong-horse-battery") as client,
        pytest.raises(Unauthorized) as refused,
    ):
        client.whoami()
    assert refused.value.code == "IDENTITY_UNAUTHORIZED_ENTITY"


def test_a_wrong_key_is_refused(server: Server) -> None:
    with Client(server.url, api_key="lhk_nothing") as client, pytest.raises(Unauthorized):
        client.whoami()


def test_a_small_role_is_forbidden(server: Server, admin: Admin, quick: str) -> None:
    with Client(server.url, api_key=admin.account("viewer", "VIEWER")) as client, pytest.raises(Forbidden) as refused:
        client.start(quick)
    assert "OPERATOR" in str(refused.value)


def test_nobody_there_is_unreachable() -> None:
    with (
        Client("http://127.0.0.1:9", api_key="x", patience=0) as client,
        pytest.raises(Unreachable, match="does not answer"),
    ):
        client.whoami()


def test_the_environment_says_what_is_not_given(monkeypatch: pytest.MonkeyPatch, server: Server, operator: str) -> None:
    monkeypatch.setenv("LONGHAUL_SERVER", server.url)
    monkeypatch.setenv("LONGHAUL_TOKEN", operator)
    with Client() as client:
        assert client.whoami().name == "operator"


@pytest.mark.parametrize(
    "given",
    [{"api_key": "x", "user": "a", "password": "b"}, {"user": "a"}, {"server": "localhost:8080"}],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"API key|password|http"):
        Client(**given)  # type: ignore[arg-type]
