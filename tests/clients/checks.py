"""What every answer must be, whatever was asked: each check gives the problems that it found."""

from __future__ import annotations

import json
from typing import Any

from calling import Answer
from contract import TASK_BODY, Refusal
from shapes import problems

# What no answer of an API may be stored or guessed at by a browser (wire contract, section 4.5).
ALWAYS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def of_any(answer: Answer) -> list[str]:
    """Headers and body belong together."""
    found = [
        f"{name} is {answer.header(name)!r}"
        for name, part in ALWAYS.items()
        if part not in (answer.header(name) or "")
    ]
    if answer.status == 204:
        return found + (["204 with a body"] if answer.body else [])
    if answer.header("Content-Type") != "application/json; charset=utf-8":
        found.append(f"Content-Type is {answer.header('Content-Type')!r}")
    if answer.header("Content-Length") != str(len(answer.body)):
        found.append(f"Content-Length is {answer.header('Content-Length')!r} of {len(answer.body)}")
    try:
        json.loads(answer.body)
    except ValueError as e:
        found.append(f"the body is no JSON: {e}")
    return found


def of_success(answer: Answer, status: int, kind: Any) -> list[str]:
    """The status that was promised, and a body of that kind."""
    found = of_any(answer)
    if answer.status != status:
        return [f"the status is {answer.status}, not {status}"] + found
    if kind is not None:
        own_members = kind == TASK_BODY
        found += problems("Task" if own_members else kind, answer.json, own_members)
    return found


def of_refusal(answer: Answer, refusal: Refusal, message: str) -> list[str]:
    """An Error body with the code, and words that help."""
    found = of_any(answer)
    if answer.status != refusal.status:
        return [f"the status is {answer.status}, not {refusal.status}"] + found
    body = answer.json
    found += problems("ErrorBody", body)
    if body.get("errorCode") != refusal.code:
        found.append(f"the code is {body.get('errorCode')}, not {refusal.code}")
    if message not in body.get("message", ""):
        found.append(f"the message says nothing of {message!r}: {body.get('message')}")
    if refusal.remedy not in body.get("remediationMessage", ""):
        found.append(f"no remedy has {refusal.remedy!r}: {body.get('remediationMessage')}")
    return found
