"""Requests made up from the server's own OpenAPI document: it never fails, and answers only what it says it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from calling import Caller
from conftest import admin_of, serve

FILE = Path(__file__).resolve().parents[2] / "openapi" / "longhaul.json"
DOCUMENT = schemathesis.openapi.from_dict(json.loads(FILE.read_text(encoding="utf-8")))
ALL = [found.ok() for found in DOCUMENT.get_all_operations()]


def streams(operation: schemathesis.schemas.APIOperation) -> bool:
    """True if the answer has no end, which these tests would wait for; tests of the server and of clients read it."""
    answers = operation.definition.raw["responses"].values()
    return any("text/event-stream" in answer.get("content", {}) for answer in answers)


OPERATIONS = [operation for operation in ALL if not streams(operation)]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 60


@pytest.fixture(scope="module")
def admin() -> Iterator[Caller]:
    """On a server for this alone: after hundreds of wrong logins it lets nobody from here log in for a while."""
    for server in serve():
        yield admin_of(server)


def test_document_is_the_server_s(admin: Caller) -> None:
    """What the tests below are made from is what the server gives."""
    assert admin.get("/openapi.json").json == DOCUMENT.raw_schema
    assert len(OPERATIONS) >= 39
    assert len(ALL) - len(OPERATIONS) == 2


def nobody_waits(case: schemathesis.Case) -> None:
    """What is asked to wait for work, for lines or for an end is asked for a moment: there may be none for a minute."""
    if isinstance(case.query, dict) and "wait" in case.query:
        case.query["wait"] = "1ms"
    body = case.body if isinstance(case.body, dict) else {}
    for part in (body, body.get("next")):
        if isinstance(part, dict) and "wait" in part:
            part["wait"] = "0s"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_document_is_kept(operation: schemathesis.schemas.APIOperation, admin: Caller) -> None:
    # The same requests each time; those that fail can be had again.
    known = settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )

    @known
    @given(case=operation.as_strategy())
    def kept(case: schemathesis.Case) -> None:
        nobody_waits(case)
        case.call_and_validate(
            base_url=admin.server.url, checks=CHECKS, headers=admin.headers(),
            verify=str(admin.server.certificate), timeout=20,
        )

    kept()
