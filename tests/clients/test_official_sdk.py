"""The official, unmodified Python SDK of SDDC Manager: its requests are accepted, answers fit its types."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
import requests
from vmware.sddc_manager import model_client as model
from vmware.sddc_manager import v1_client as v1
from vmware.sddc_manager.v1 import tasks_client, tokens_client
from vmware.sddc_manager.v1.tasks import config_client
from vmware.sddc_manager.v1.tokens import access_token_client
from vmware.vapi.bindings.stub import StubConfiguration
from vmware.vapi.lib.connect import get_requests_connector

from calling import Caller
from serving import PASSWORD, Server
from things import Things, spec

Sdk = Callable[[type], object]


def stubs(server: Server, token: str | None) -> Sdk:
    """Makes its clients as the samples of the SDK do, but for checking the certificate."""
    session = requests.Session()
    session.verify = str(server.certificate)
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    connector = get_requests_connector(session=session, msg_protocol="rest", url=server.url)
    configuration = StubConfiguration(connector)
    return lambda stub: stub(configuration)


@pytest.fixture(scope="module")
def pair(server: Server) -> model.TokenPair:
    tokens = stubs(server, None)(v1.Tokens)
    return tokens.create_token(model.TokenCreationSpec(username="admin", password=PASSWORD))


@pytest.fixture(scope="module")
def sdk(server: Server, pair: model.TokenPair) -> Sdk:
    return stubs(server, pair.access_token)


def test_tokens_are_given_renewed_and_taken_back(server: Server, pair: model.TokenPair) -> None:
    own = stubs(server, None)(v1.Tokens).create_token(
        model.TokenCreationSpec(username="admin", password=PASSWORD)
    )
    refresh = stubs(server, None)(access_token_client.Refresh)
    token = refresh.refresh_access_token(own.refresh_token.id)
    assert stubs(server, token)(v1.Tasks).get_tasks(page_size=1).page_metadata.page_size == 1
    stubs(server, token)(tokens_client.RefreshToken).invalidate_refresh_token(own.refresh_token.id)
    with pytest.raises(model.Error) as refused:
        refresh.refresh_access_token(own.refresh_token.id)
    assert refused.value.error_code == "TOKEN_NOT_FOUND"


def test_task_has_its_types(sdk: Sdk, things: Things) -> None:
    task = sdk(v1.Tasks).get_task(things.failed())
    assert (task.status, task.type, task.is_retryable, task.is_cancellable) == ("Failed", "ENABLE_CEIP", True, False)
    assert task.creation_timestamp < task.completion_timestamp
    assert [sub.status for sub in task.sub_tasks] == ["SUCCESSFUL", "FAILED", "PENDING"]
    assert task.errors[0].error_code == "VCF_ENABLE_CEIP_ERROR"
    assert task.errors[0].remediation_message.startswith("See which")
    assert (task.resources[0].type, task.resolution_status) == ("HOST", "UNRESOLVED")


def test_list_takes_every_parameter(sdk: Sdk, things: Things) -> None:
    failed = things.failed()
    page = sdk(v1.Tasks).get_tasks(
        limit=5, task_status="FAILED", task_type="ENABLE_CEIP",
        resource_id="e43b90cd-e635-4f30-ae49-5d3e72d15212", resource_type="HOST", completed_after=1,
        page_number=0, page_size=2, order_direction="DESC", order_by="creationTimestamp",
        task_name="Customer Experience", do_live_refresh=True,
    )
    assert page.elements[0].id == failed
    assert page.page_metadata.page_number == 1 and page.page_metadata.total_elements <= 5


def test_task_is_retried_and_cancelled(sdk: Sdk, things: Things) -> None:
    failed, running = things.failed(), things.running()
    sdk(v1.Tasks).retry_task(failed)
    assert things.ended(failed)["status"] == "Successful"
    sdk(v1.Tasks).cancel_task(running)
    assert things.ended(running)["status"] == "Cancelled"


def test_refusals_are_its_errors(sdk: Sdk, things: Things) -> None:
    with pytest.raises(model.Error) as refused:
        sdk(v1.Tasks).get_task(str(uuid4()))
    assert refused.value.error_code == "TA_TASK_NOT_FOUND" and refused.value.reference_token
    # The SDK knows no 400 of this call, and would keep the body to itself (wire contract, section 4.3): the
    # code is 404.
    with pytest.raises(model.Error) as refused:
        sdk(v1.Tasks).get_task("no-uuid")
    assert refused.value.error_code == "TASK_ID_MALFORMED" and refused.value.remediation_message
    with pytest.raises(model.Error) as refused:
        sdk(v1.Tasks).retry_task(things.succeeded())
    assert refused.value.error_code == "TA_TASK_CAN_NOT_BE_RETRIED"


def test_history_is_deleted_and_settings_are_set(sdk: Sdk, things: Things, admin: Caller) -> None:
    gone, kept = things.succeeded(), things.running()
    result = sdk(tasks_client.History).delete_task_histories(
        model.TaskHistoryDeletionRequest(task_ids=[gone, kept])
    )
    assert result.successful == [gone]
    assert [error.task_id for error in result.failed] == [kept]
    settings = sdk(config_client.Settings)
    before = settings.get_task_settings().retention_days
    settings.update_task_settings(model.TaskSettings(retention_days=30))
    assert settings.get_task_settings().retention_days == 30
    settings.update_task_settings(model.TaskSettings(retention_days=before))


def test_credentials_are_rotated(sdk: Sdk, things: Things) -> None:
    given = spec("ROTATE", things.new_name("esxi"))
    credential = model.BaseCredential(
        credential_type="SSH", account_type="USER", username=given["elements"][0]["credentials"][0]["username"]
    )
    element = model.ResourceCredentials(
        resource_name=given["elements"][0]["resourceName"], resource_type="ESXI", credentials=[credential]
    )
    task = sdk(v1.Credentials).update_or_rotate_passwords(
        model.CredentialsUpdateSpec(operation_type="ROTATE", elements=[element])
    )
    things.ended(task.id)
