"""Every call of the contract: it does what it says for whoever may, and nothing for anybody else."""

from __future__ import annotations

import pytest

import checks
from calling import Caller
from contract import CALLS, REFUSALS, Call, Refusal
from filling import Filling
from things import Things

# Who may make a call that needs this role.
MAY = {
    "PUBLIC": {"VIEWER", "OPERATOR", "ADMIN", "WORKER"},
    "KNOWN": {"VIEWER", "OPERATOR", "ADMIN", "WORKER"},
    "VIEWER": {"VIEWER", "OPERATOR", "ADMIN"},
    "OPERATOR": {"OPERATOR", "ADMIN"},
    "ADMIN": {"ADMIN"},
}


def named(row: Call | Refusal) -> str:
    return f"{row.method} {row.path} {row.status}"


@pytest.mark.parametrize("call", CALLS, ids=named)
def test_call_is_answered_as_documented(call: Call, admin: Caller, things: Things) -> None:
    fill = Filling(things)
    answer = admin(call.method, fill(call.path), fill(call.body))
    assert checks.of_success(answer, call.status, call.answer) == [], answer


@pytest.mark.parametrize("refusal", REFUSALS, ids=named)
def test_refusal_says_what_and_why(refusal: Refusal, admin: Caller, things: Things) -> None:
    fill = Filling(things)
    answer = admin(refusal.method, fill(refusal.path), fill(refusal.body), refusal.headers)
    assert checks.of_refusal(answer, refusal, fill(refusal.says)) == [], answer


@pytest.mark.parametrize("call", CALLS, ids=named)
def test_call_is_for_its_roles(
    call: Call, roles: dict[str, Caller], anonymous: Caller, things: Things
) -> None:
    """Whoever may not is refused before anything happens: the one who may comes last, and still succeeds."""
    fill = Filling(things)
    path, body = fill(call.path), fill(call.body)
    for role, caller in roles.items():
        if role not in MAY[call.role]:
            refusal = Refusal(call.method, path, body, 403, "FORBIDDEN", call.role, "administrator")
            assert checks.of_refusal(caller(call.method, path, body), refusal, call.role) == [], role
    if call.role == "PUBLIC":
        caller = anonymous
    else:
        refusal = Refusal(call.method, path, body, 401, "Unauthorized", "", "POST /v1/tokens")
        answer = anonymous(call.method, path, body)
        assert checks.of_refusal(answer, refusal, "Unauthorized") == [], answer
        assert answer.header("WWW-Authenticate") == "Bearer"
        caller = roles["ADMIN" if call.role == "ADMIN" else "OPERATOR"]
    answer = caller(call.method, path, body)
    assert checks.of_success(answer, call.status, call.answer) == [], answer
