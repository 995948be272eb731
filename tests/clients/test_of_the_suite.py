"""The suite can fail: answers that are wrong in one thing each are found, for that thing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import checks
from calling import Answer, Caller
from contract import TASK_BODY, Refusal
from things import Things


@pytest.fixture(scope="module")
def good(admin: Caller, things: Things) -> Answer:
    answer = admin.get(f"/v1/tasks/{things.failed()}")
    assert checks.of_success(answer, 200, TASK_BODY) == []
    return answer


def changed(answer: Answer, change: Callable[[Any], None]) -> Answer:
    body = copy.deepcopy(answer.json)
    change(body)
    bytes_ = json.dumps(body).encode()
    headers = [(name, str(len(bytes_)) if name.lower() == "content-length" else value) for name, value in answer.headers]
    return replace(answer, body=bytes_, headers=headers)


WRONG_BODIES = [
    (lambda task: task.pop("isRetryable"), "$.isRetryable is missing"),
    (lambda task: task.update(status="BROKEN"), "'BROKEN' is none of"),
    (lambda task: task.update(completionTimestamp="2026-01-31 12:00"), "is no instant"),
    (lambda task: task.update(completionTimestamp=None), "None is no instant"),
    (lambda task: task.update(isCancellable="false"), "'false' is no boolean"),
    (lambda task: task.update(id=task["id"].upper()), "is no uuid"),
    (lambda task: task.update(colour="blue"), "$.colour is nobody's"),
    (lambda task: task["subTasks"][0].pop("description"), "$.subTasks[0].description is missing"),
    (lambda task: task["errors"][0].update(nestedErrors=[{}]), "$.errors[0].nestedErrors[0].message is missing"),
    (lambda task: task.update(id=task.pop("id")), "the order of"),
]


@pytest.mark.parametrize(("change", "problem"), WRONG_BODIES, ids=[problem for _, problem in WRONG_BODIES])
def test_wrong_task_is_found(change: Callable[[Any], None], problem: str, good: Answer) -> None:
    found = checks.of_success(changed(good, change), 200, TASK_BODY)
    assert any(problem in text for text in found), found


def test_wrong_head_is_found(good: Answer) -> None:
    assert "the status is 200, not 202" in checks.of_success(good, 202, TASK_BODY)
    bare = replace(good, headers=[])
    found = checks.of_success(bare, 200, TASK_BODY)
    assert [text.split(" ", 1)[0] for text in found] == [
        "cache-control", "x-content-type-options", "Content-Type", "Content-Length"
    ]
    assert any("no JSON" in text for text in checks.of_any(replace(good, body=b"<html>")))


def test_wrong_refusal_is_found(admin: Caller) -> None:
    answer = admin.get("/v1/tasks/no-uuid")
    right = Refusal("GET", "", None, 404, "TASK_ID_MALFORMED", "", "UUID")
    assert checks.of_refusal(answer, right, "task ID") == []
    for wrong, message, problem in [
        (right._replace(status=400), "task ID", "the status is 404, not 400"),
        (right._replace(code="TA_TASK_NOT_FOUND"), "task ID", "the code is TASK_ID_MALFORMED"),
        (right._replace(remedy="Pray"), "task ID", "no remedy has 'Pray'"),
        (right, "another", "the message says nothing of 'another'"),
    ]:
        found = checks.of_refusal(answer, wrong, message)
        assert len(found) == 1 and problem in found[0], found
