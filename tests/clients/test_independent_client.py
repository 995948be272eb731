"""`vmware-vcf`, a client written for SDDC Manager only: logs in, polls, retries and cancels."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from vcf_sdk.exceptions import AuthenticationError, TaskFailedError, VCFException
from vcf_sdk.sddc_manager import SDDCManager

from calling import Caller
from conftest import admin_of
from serving import PASSWORD, Server
from things import Things, spec


@pytest.fixture(scope="module")
def theirs(other_habits: Server) -> Iterator[Things]:
    """On a server that spells statuses as this client compares them: SUCCESSFUL."""
    yield Things(admin_of(other_habits))


@pytest.fixture(scope="module")
def client(other_habits: Server) -> SDDCManager:
    return SDDCManager(
        other_habits.address, "admin", PASSWORD, verify_ssl=str(other_habits.certificate), timeout=10
    )


def test_wrong_password_is_an_authentication_error(other_habits: Server) -> None:
    with pytest.raises(AuthenticationError, match="User is not authorized"):
        SDDCManager(other_habits.address, "admin", "wrong", verify_ssl=str(other_habits.certificate))


def test_it_waits_for_the_end(client: SDDCManager, theirs: Things) -> None:
    task = client.tasks.wait_for_completion(theirs.succeeded(), timeout=20, poll_interval=1)
    assert task.is_successful and [sub.status for sub in task.sub_tasks] == ["SUCCESSFUL"] * 2


def test_it_tells_why_a_task_failed(client: SDDCManager, theirs: Things) -> None:
    with pytest.raises(TaskFailedError) as failed:
        client.tasks.wait_for_completion(theirs.failed(), timeout=20, poll_interval=1)
    assert failed.value.errors[0]["errorCode"] == "VCF_ENABLE_CEIP_ERROR"


def test_it_cancels(client: SDDCManager, theirs: Things) -> None:
    running = theirs.running()
    # Its answer is empty on this server, which this client takes for an answer.
    client.tasks.cancel(running)
    assert theirs.ended(running)["status"] == "CANCELLED"


def test_it_shows_message_and_remedy(client: SDDCManager, theirs: Things) -> None:
    with pytest.raises(VCFException) as refused:
        client.tasks.get("no-uuid")
    assert refused.value.status_code == 404
    assert "Remediation: " in str(refused.value)


def test_it_renews_its_token(client: SDDCManager, other_habits: Server) -> None:
    before = client.auth.token
    time.sleep(1.1)
    client.auth._refresh_access_token()
    assert client.auth.token != before
    assert Caller(other_habits, client.auth.token).get("/v1/tasks?pageSize=1").status == 200


def test_it_rotates_credentials(client: SDDCManager, theirs: Things) -> None:
    task = client.credentials.update(spec("ROTATE", theirs.new_name("esxi")))
    assert theirs.ended(task.id)["status"] == "SUCCESSFUL"
