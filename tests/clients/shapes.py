"""The types of the Tasks API as data, and what of a value does not fit them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from uuid import UUID

TASK_STATUSES = {
    "PENDING": "Pending", "IN_PROGRESS": "In Progress", "SUCCESSFUL": "Successful", "FAILED": "Failed",
    "CANCELLED": "Cancelled", "COMPLETED_WITH_WARNING": "Completed With Warning", "SKIPPED": "Skipped",
}
SUB_TASK_STATUSES = ("PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "SKIPPED", "NOT_APPLICABLE")
STAGE_STATUSES = ("PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED")
CREDENTIALS_STATUSES = ("PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "USER_CANCELLED", "INCONSISTENT")
OPERATIONS = ("UPDATE", "ROTATE", "REMEDIATE", "UPDATE_AUTO_ROTATE_POLICY")

ALWAYS, MAYBE = True, False


class Member(NamedTuple):
    """A member of a type: what its value is, and whether it is always there."""

    kind: Any
    always: bool


# A kind is a name of `KINDS` or of `SHAPES`, a list of one kind, or the words that there are.
# Members stand in the order in which they come. Those of a task behind `isRetryable` are Longhaul's own.
SHAPES: dict[str, dict[str, Member]] = {
    "Task": {
        "id": Member("uuid", ALWAYS),
        "name": Member("text", ALWAYS),
        "type": Member("text", ALWAYS),
        "status": Member(tuple(TASK_STATUSES.values()), ALWAYS),
        "creationTimestamp": Member("instant", ALWAYS),
        "completionTimestamp": Member("instant", MAYBE),
        "subTasks": Member(["SubTask"], ALWAYS),
        "errors": Member(["Error"], ALWAYS),
        "resources": Member(["Resource"], ALWAYS),
        "resolutionStatus": Member(("RESOLVED", "UNRESOLVED"), ALWAYS),
        "isCancellable": Member("boolean", ALWAYS),
        "isRetryable": Member("boolean", ALWAYS),
    },
    "SubTask": {
        "name": Member("text", ALWAYS),
        "description": Member("text", ALWAYS),
        "status": Member(SUB_TASK_STATUSES, ALWAYS),
        "creationTimestamp": Member("instant", ALWAYS),
        "completionTimestamp": Member("instant", MAYBE),
        "stages": Member(["Stage"], MAYBE),
        "errors": Member(["Error"], MAYBE),
    },
    "Stage": {
        "name": Member("text", ALWAYS),
        "type": Member("text", ALWAYS),
        "description": Member("text", ALWAYS),
        "status": Member(STAGE_STATUSES, ALWAYS),
        "creationTimestamp": Member("instant", ALWAYS),
        "completionTimestamp": Member("instant", MAYBE),
        "errors": Member(["Error"], MAYBE),
    },
    "Resource": {
        "resourceId": Member("text", ALWAYS),
        "type": Member("text", ALWAYS),
        "fqdn": Member("text", MAYBE),
        "name": Member("text", MAYBE),
    },
    # The error of a task or sub-task.
    "Error": {
        "errorCode": Member("text", ALWAYS),
        "errorType": Member(("ERROR", "WARNING"), ALWAYS),
        "arguments": Member(["string"], MAYBE),
        "context": Member("texts", MAYBE),
        "message": Member("text", ALWAYS),
        "remediationMessage": Member("text", MAYBE),
        "causes": Member(["ErrorCause"], MAYBE),
        "nestedErrors": Member(["Error"], MAYBE),
    },
    # The body of a refusal.
    "ErrorBody": {
        "errorCode": Member("text", ALWAYS),
        "errorType": Member(("ERROR",), ALWAYS),
        "arguments": Member(["string"], ALWAYS),
        "context": Member("texts", MAYBE),
        "message": Member("text", ALWAYS),
        "remediationMessage": Member("text", MAYBE),
        "causes": Member(["ErrorCause"], MAYBE),
        "nestedErrors": Member(["Error"], MAYBE),
        "referenceToken": Member("reference", ALWAYS),
    },
    "ErrorCause": {"type": Member("text", ALWAYS), "message": Member("text", ALWAYS)},
    "PageMetadata": {
        "pageNumber": Member("int32", ALWAYS),
        "pageSize": Member("int32", ALWAYS),
        "totalElements": Member("int32", ALWAYS),
        "totalPages": Member("int32", ALWAYS),
    },
    "PageOfTask": {"elements": Member(["Task"], ALWAYS), "pageMetadata": Member("PageMetadata", ALWAYS)},
    "CredentialsTask": {
        "id": Member("uuid", ALWAYS),
        "name": Member("text", ALWAYS),
        "type": Member(OPERATIONS, ALWAYS),
        "status": Member(CREDENTIALS_STATUSES, ALWAYS),
        "creationTimestamp": Member("instant", ALWAYS),
        "completionTimestamp": Member("instant", MAYBE),
        "subTasks": Member(["CredentialsSubTask"], ALWAYS),
        "errors": Member(["Error"], ALWAYS),
        "isAutoRotate": Member("boolean", ALWAYS),
    },
    "CredentialsSubTask": {
        "id": Member("uuid", ALWAYS),
        "name": Member("text", ALWAYS),
        # Only where it comes alone, as that answer is declared as a CredentialsTask.
        "type": Member(OPERATIONS, MAYBE),
        "description": Member("text", ALWAYS),
        "status": Member(CREDENTIALS_STATUSES, ALWAYS),
        "creationTimestamp": Member("instant", ALWAYS),
        "completionTimestamp": Member("instant", MAYBE),
        "resourceName": Member("text", MAYBE),
        "entityType": Member("text", MAYBE),
        "errors": Member(["Error"], MAYBE),
    },
    "PageOfCredentialsTask": {
        "elements": Member(["CredentialsTask"], ALWAYS),
        "pageMetadata": Member("PageMetadata", ALWAYS),
    },
    "ResourceCredentials": {
        "resourceName": Member("text", MAYBE),
        "resourceId": Member("text", MAYBE),
        "resourceType": Member("text", ALWAYS),
        "credentials": Member(["Credential"], ALWAYS),
    },
    # Without a password, whatever was asked for.
    "Credential": {
        "credentialType": Member(("SSO", "SSH", "API", "FTP", "AUDIT"), MAYBE),
        "accountType": Member(("USER", "SYSTEM", "SERVICE"), MAYBE),
        "username": Member("text", ALWAYS),
    },
    "TokenPair": {"accessToken": Member("jwt", ALWAYS), "refreshToken": Member("RefreshToken", ALWAYS)},
    "RefreshToken": {"id": Member("uuid", ALWAYS)},
    "TaskSettings": {"retentionDays": Member("int32", ALWAYS)},
    "TaskHistoryDeletionResult": {
        "successful": Member(["uuid"], ALWAYS),
        "failed": Member(["TaskHistoryDeletionError"], ALWAYS),
    },
    "TaskHistoryDeletionError": {
        "taskId": Member("string", ALWAYS),
        "errorCode": Member("text", ALWAYS),
        "message": Member("text", ALWAYS),
    },
    "User": {
        "name": Member("text", ALWAYS),
        "role": Member(("VIEWER", "OPERATOR", "ADMIN", "WORKER"), ALWAYS),
        "kind": Member(("USER", "SERVICE"), ALWAYS),
        "disabled": Member("boolean", ALWAYS),
        "creationTimestamp": Member("instant", ALWAYS),
        "apiKeys": Member(["ApiKey"], ALWAYS),
        "apiKey": Member("api key", MAYBE),
    },
    "ApiKey": {
        "id": Member("text", ALWAYS),
        "name": Member("text", MAYBE),
        "creationTimestamp": Member("instant", ALWAYS),
        "lastUsedTimestamp": Member("instant", MAYBE),
    },
    "NewApiKey": {"id": Member("text", ALWAYS), "apiKey": Member("api key", ALWAYS)},
    "PageOfUser": {"elements": Member(["User"], ALWAYS), "pageMetadata": Member("PageMetadata", ALWAYS)},
    "Principal": {
        "name": Member("text", ALWAYS),
        "role": Member(("VIEWER", "OPERATOR", "ADMIN", "WORKER"), ALWAYS),
        "kind": Member(("USER", "SERVICE", "EXTERNAL"), ALWAYS),
    },
}

# What one task has besides, as it is asked for by its ID.
OWN_MEMBERS = {"progress", "waitingFor", "workflow", "attempt", "version", "startTimestamp"}


def is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


KINDS = {
    "string": lambda value: isinstance(value, str),
    "text": lambda value: isinstance(value, str) and value != "",
    "boolean": lambda value: isinstance(value, bool),
    "int32": lambda value: type(value) is int and 0 <= value < 2**31,
    "texts": lambda value: isinstance(value, dict) and value != {} and all(isinstance(v, str) for v in value.values()),
    "uuid": is_uuid,
    # ISO 8601, in UTC, with milliseconds.
    "instant": lambda value: isinstance(value, str)
    and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None,
    "reference": lambda value: isinstance(value, str) and re.fullmatch("[0-9A-Z]{6}", value) is not None,
    "jwt": lambda value: isinstance(value, str)
    and re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", value) is not None,
    "api key": lambda value: isinstance(value, str) and re.fullmatch(r"lhk_[\w-]{43}", value) is not None,
}


def problems(kind: Any, value: Any, own_members: bool = False, where: str = "$") -> list[str]:
    """What of a value is not as its kind says: each with its place."""
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        each = (problems(kind[0], item, own_members, f"{where}[{n}]") for n, item in enumerate(value))
        return [problem for found in each for problem in found]
    if isinstance(kind, tuple):
        return [] if value in kind else [f"{where}: {value!r} is none of {', '.join(kind)}"]
    if kind in KINDS:
        return [] if KINDS[kind](value) else [f"{where}: {value!r} is no {kind}"]
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no {kind}"]
    members, found = SHAPES[kind], []
    for name, member in members.items():
        if name in value:
            found += problems(member.kind, value[name], own_members, f"{where}.{name}")
        elif member.always:
            found.append(f"{where}.{name} is missing")
    unknown = [name for name in value if name not in members]
    if not own_members or kind not in ("Task", "SubTask"):
        found += [f"{where}.{name} is not documented" for name in unknown]
    else:
        found += [f"{where}.{name} is nobody's" for name in unknown if name not in OWN_MEMBERS]
    known = [name for name in value if name in members]
    if known != [name for name in members if name in value] or list(value)[: len(known)] != known:
        found.append(f"{where}: the order of {', '.join(value)}")
    return found
