"""What every call takes and answers: the tables that the conformance tests are made from.

Paths, bodies and headers may hold `{names}`: each is made anew by the method of that name of `Things`."""

from __future__ import annotations

from typing import Any, NamedTuple

from things import spec

EMPTY = None
TASK_BODY = "Task with own members"


class Call(NamedTuple):
    """A call that succeeds."""

    operation: str
    role: str
    method: str
    path: str
    body: Any
    status: int
    # What the body of the answer is: a kind of `shapes`, or nothing.
    answer: Any


ROTATE = spec("ROTATE", "esxi-of-{new_user}")
UPDATE = spec("UPDATE", "esxi-of-{new_user}")
REMEDIATE = spec("REMEDIATE", "esxi-of-{new_user}")
POLICY = spec("UPDATE_AUTO_ROTATE_POLICY", "esxi-of-{new_user}")
LOGIN = {"username": "{user}", "password": "VMw@re1!-of-the-administrator{user}"}
NEW_USER = {"name": "{new_user}", "role": "VIEWER", "password": "a horse of {new_user}"}
NEW_SERVICE = {"name": "{new_user}", "role": "WORKER", "kind": "SERVICE"}

# fmt: off
CALLS = [
    # The Tasks API.
    Call("getTasks", "VIEWER", "GET", "/v1/tasks", None, 200, "PageOfTask"),
    Call("getTask", "VIEWER", "GET", "/v1/tasks/{succeeded}", None, 200, TASK_BODY),
    Call("getTask", "VIEWER", "GET", "/v1/tasks/{running}", None, 200, TASK_BODY),
    Call("getTask", "VIEWER", "GET", "/v1/tasks/{failed}", None, 200, TASK_BODY),
    Call("getTask", "VIEWER", "GET", "/v1/tasks/{cancelled}", None, 200, TASK_BODY),
    Call("getTask", "VIEWER", "GET", "/v1/tasks/{unclear}", None, 200, TASK_BODY),
    Call("getTask", "VIEWER", "GET", "/v1/tasks/{credentials_succeeded}", None, 200, TASK_BODY),
    Call("retryTask", "OPERATOR", "PATCH", "/v1/tasks/{failed}", None, 200, TASK_BODY),
    Call("cancelTask", "OPERATOR", "DELETE", "/v1/tasks/{running}", None, 200, TASK_BODY),
    Call("deleteTaskHistory", "ADMIN", "DELETE", "/v1/tasks/history", {"taskIds": ["{succeeded}", "{final}"]}, 200, "TaskHistoryDeletionResult"),
    Call("getTaskSettings", "VIEWER", "GET", "/v1/tasks/config/settings", None, 200, "TaskSettings"),
    Call("updateTaskSettings", "ADMIN", "PATCH", "/v1/tasks/config/settings", {"retentionDays": 365}, 200, "TaskSettings"),
    # A workflow's own request: one of those that answer 202 with a task.
    Call("startTask", "OPERATOR", "POST", "/v1/hosts", {"fqdn": "esxi-1.rainpole.io"}, 202, TASK_BODY),
    # Credentials and their tasks.
    Call("updateOrRotatePasswords", "ADMIN", "PATCH", "/v1/credentials", ROTATE, 202, TASK_BODY),
    Call("updateOrRotatePasswords", "ADMIN", "PATCH", "/v1/credentials", UPDATE, 202, TASK_BODY),
    Call("updateOrRotatePasswords", "ADMIN", "PATCH", "/v1/credentials", REMEDIATE, 202, TASK_BODY),
    Call("updateOrRotatePasswords", "ADMIN", "PATCH", "/v1/credentials", POLICY, 202, TASK_BODY),
    Call("getCredentialsTasks", "VIEWER", "GET", "/v1/credentials/tasks", None, 200, "PageOfCredentialsTask"),
    Call("getCredentialsTask", "VIEWER", "GET", "/v1/credentials/tasks/{credentials_succeeded}", None, 200, "CredentialsTask"),
    Call("getCredentialsTask", "VIEWER", "GET", "/v1/credentials/tasks/{credentials_failed}", None, 200, "CredentialsTask"),
    Call("retryCredentialsTask", "ADMIN", "PATCH", "/v1/credentials/tasks/{credentials_failed}", None, 202, TASK_BODY),
    Call("cancelCredentialsTask", "ADMIN", "DELETE", "/v1/credentials/tasks/{credentials_failed}", None, 202, TASK_BODY),
    Call("getResourceCredentials", "VIEWER", "GET", "/v1/credentials/tasks/{credentials_failed}/resource-credentials", None, 200, ["ResourceCredentials"]),
    # Tokens.
    Call("createToken", "PUBLIC", "POST", "/v1/tokens", LOGIN, 201, "TokenPair"),
    Call("refreshAccessToken", "PUBLIC", "PATCH", "/v1/tokens/access-token/refresh", "{refresh}", 200, "jwt"),
    Call("invalidateRefreshToken", "PUBLIC", "DELETE", "/v1/tokens/refresh-token", "{refresh}", 204, EMPTY),
    # Accounts.
    Call("getUsers", "ADMIN", "GET", "/v1/users", None, 200, "PageOfUser"),
    Call("addUser", "ADMIN", "POST", "/v1/users", NEW_USER, 201, "User"),
    Call("addUser", "ADMIN", "POST", "/v1/users", NEW_SERVICE, 201, "User"),
    Call("getUser", "ADMIN", "GET", "/v1/users/{user}", None, 200, "User"),
    Call("updateUser", "ADMIN", "PATCH", "/v1/users/{user}", {"role": "OPERATOR", "disabled": True}, 200, "User"),
    Call("deleteUser", "ADMIN", "DELETE", "/v1/users/{user}", None, 204, EMPTY),
    Call("addApiKey", "ADMIN", "POST", "/v1/users/{service}/api-keys", None, 201, "NewApiKey"),
    Call("addApiKey", "ADMIN", "POST", "/v1/users/{service}/api-keys", {"name": "for the night"}, 201, "NewApiKey"),
    Call("getMe", "KNOWN", "GET", "/v1/users/me", None, 200, "Principal"),
    Call("rotateSigningKeys", "ADMIN", "POST", "/v1/signing-keys/rotate", None, 204, EMPTY),
]


class Refusal(NamedTuple):
    """A call that an administrator is refused, and how."""

    method: str
    path: str
    body: Any
    status: int
    code: str
    # Words of the message, and of what to do about it.
    says: str = ""
    remedy: str = ""
    headers: dict[str, str] | None = None


ABSENT_TEXT = "Task with ID {absent} not found"
TEXT = {"Content-Type": "text/plain"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE = b'{"workflow":"quick","input":{"fqdn":"' + b"x" * (5 << 20) + b'"}}'
OTHER_HOST = spec("UPDATE", "esxi-that-is-another")

REFUSALS = [
    # 400: what cannot be read.
    Refusal("GET", "/v1/tasks/not-a-uuid", None, 404, "TASK_ID_MALFORMED", "task ID", "UUID"),
    Refusal("PATCH", "/v1/tasks/not-a-uuid", None, 404, "TASK_ID_MALFORMED", "task ID", "UUID"),
    Refusal("DELETE", "/v1/tasks/not-a-uuid", None, 404, "TASK_ID_MALFORMED", "task ID", "UUID"),
    Refusal("GET", "/v1/tasks?pageSize=101", None, 400, "INVALID_PARAMETER", "pageSize", "1 to 100"),
    Refusal("GET", "/v1/tasks?pageSize=ten", None, 400, "INVALID_PARAMETER", "pageSize", "whole number"),
    Refusal("GET", "/v1/tasks?pageNumber=-1", None, 400, "INVALID_PARAMETER", "pageNumber", "whole number"),
    Refusal("GET", "/v1/tasks?limit=2147483648", None, 400, "INVALID_PARAMETER", "limit", "whole number"),
    Refusal("GET", "/v1/tasks?completedAfter=yesterday", None, 400, "INVALID_PARAMETER", "completedAfter", "milliseconds"),
    Refusal("GET", "/v1/tasks?taskStatus=RUNNING", None, 400, "INVALID_PARAMETER", "taskStatus", "IN_PROGRESS"),
    Refusal("GET", "/v1/tasks?orderBy=colour", None, 400, "INVALID_PARAMETER", "orderBy", "creationTimestamp"),
    Refusal("GET", "/v1/tasks?orderDirection=up", None, 400, "INVALID_PARAMETER", "orderDirection", "ASC or DESC"),
    Refusal("GET", "/v1/tasks?doLiveRefresh=perhaps", None, 400, "INVALID_PARAMETER", "doLiveRefresh", "true"),
    Refusal("GET", "/v1/credentials/tasks?limit=many", None, 400, "INVALID_PARAMETER", "limit", "whole number"),
    Refusal("DELETE", "/v1/tasks/history", {"taskIds": []}, 400, "INVALID_REQUEST", "taskIds"),
    Refusal("DELETE", "/v1/tasks/history", {}, 400, "INVALID_REQUEST", "taskIds"),
    Refusal("DELETE", "/v1/tasks/history", None, 400, "MALFORMED_JSON"),
    Refusal("PATCH", "/v1/tasks/config/settings", {"retentionDays": 0}, 400, "INVALID_REQUEST", "retentionDays"),
    Refusal("PATCH", "/v1/tasks/config/settings", {"retentionDays": 731}, 400, "INVALID_REQUEST", "retentionDays"),
    Refusal("PATCH", "/v1/tasks/config/settings", {}, 400, "INVALID_REQUEST", "retentionDays"),
    Refusal("PATCH", "/v1/credentials", None, 400, "INVALID_CREDENTIALS_SPEC"),
    Refusal("PATCH", "/v1/credentials", {"operationType": "ROTATE", "elements": []}, 400, "INVALID_CREDENTIALS_SPEC"),
    Refusal("PATCH", "/v1/credentials", {"operationType": "DELETE"}, 400, "INVALID_CREDENTIALS_SPEC"),
    Refusal("PATCH", "/v1/credentials/tasks/{credentials_succeeded}", None, 400, "TA_TASK_CAN_NOT_BE_RETRIED"),
    Refusal("PATCH", "/v1/credentials/tasks/{credentials_failed}", OTHER_HOST, 400, "CREDENTIALS_OTHER_RESOURCES", "", "cancel"),
    Refusal("DELETE", "/v1/credentials/tasks/{credentials_succeeded}", None, 400, "TA_TASK_CAN_NOT_BE_CANCELLED"),
    Refusal("POST", "/v1/tokens", {"username": "admin"}, 400, "INVALID_REQUEST", "password", "username"),
    Refusal("POST", "/v1/tokens", {}, 400, "INVALID_REQUEST", "username", "apiKey"),
    Refusal("POST", "/v1/tokens", b'{"username":', 400, "MALFORMED_JSON"),
    Refusal("POST", "/v1/tokens", None, 400, "MALFORMED_JSON"),
    Refusal("PATCH", "/v1/tokens/access-token/refresh", "no-uuid", 400, "REFRESH_TOKEN_MALFORMED", "", "refreshToken.id"),
    Refusal("PATCH", "/v1/tokens/access-token/refresh", None, 400, "REFRESH_TOKEN_MALFORMED"),
    Refusal("DELETE", "/v1/tokens/refresh-token", "no-uuid", 400, "REFRESH_TOKEN_MALFORMED"),
    Refusal("POST", "/v1/users", {"name": "a b", "role": "VIEWER", "password": "a horse of 12"}, 400, "INVALID_REQUEST", "name"),
    Refusal("POST", "/v1/users", {"name": "{new_user}", "role": "KING", "password": "a horse of 12"}, 400, "INVALID_REQUEST", "role"),
    Refusal("POST", "/v1/users", {"name": "{new_user}", "role": "VIEWER", "password": "short"}, 400, "INVALID_REQUEST", "12"),
    Refusal("POST", "/v1/users", {"name": "{new_user}", "role": "VIEWER"}, 400, "INVALID_REQUEST", "password"),
    # 401: a login that failed.
    Refusal("POST", "/v1/tokens", {"username": "{new_user}", "password": "wrong"}, 401, "IDENTITY_UNAUTHORIZED_ENTITY", "User is not authorized"),
    Refusal("POST", "/v1/tokens", {"apiKey": "lhk_" + "x" * 43}, 401, "IDENTITY_UNAUTHORIZED_ENTITY", "User is not authorized"),
    # 404: what there is not.
    Refusal("GET", "/v1/tasks/{absent}", None, 404, "TA_TASK_NOT_FOUND", ABSENT_TEXT),
    Refusal("PATCH", "/v1/tasks/{absent}", None, 404, "TA_TASK_NOT_FOUND", ABSENT_TEXT),
    Refusal("DELETE", "/v1/tasks/{absent}", None, 404, "TA_TASK_NOT_FOUND", ABSENT_TEXT),
    Refusal("GET", "/v1/credentials/tasks/{absent}", None, 400, "TA_TASK_NOT_FOUND", ABSENT_TEXT),
    Refusal("GET", "/v1/credentials/tasks/{succeeded}", None, 400, "CREDENTIALS_TASK_NOT_FOUND", "", "/v1/credentials/tasks"),
    Refusal("GET", "/v1/credentials/tasks/{credentials_failed}/subtasks/{absent}", None, 400, "SUB_TASK_NOT_FOUND"),
    Refusal("PATCH", "/v1/tokens/access-token/refresh", "{absent}", 404, "TOKEN_NOT_FOUND", "", "POST /v1/tokens"),
    Refusal("GET", "/v1/users/{new_user}", None, 404, "USER_NOT_FOUND", "", "GET /v1/users"),
    Refusal("DELETE", "/v1/users/{user}/api-keys/{absent}", None, 404, "API_KEY_NOT_FOUND"),
    Refusal("GET", "/v1/sddc-managers", None, 404, "ROUTE_NOT_FOUND", "/v1/sddc-managers", "/docs"),
    Refusal("GET", "/nothing/at/all", None, 404, "ROUTE_NOT_FOUND", "/nothing/at/all", "/docs"),
    Refusal("GET", "/", None, 404, "ROUTE_NOT_FOUND"),
    # 405: a path that takes other methods.
    Refusal("PUT", "/v1/tasks", {}, 405, "METHOD_NOT_ALLOWED", "PUT", "GET, HEAD, POST"),
    Refusal("POST", "/v1/tasks/{absent}", {}, 405, "METHOD_NOT_ALLOWED", "POST", "GET, HEAD, PATCH, DELETE"),
    Refusal("GET", "/v1/tasks/history", None, 405, "METHOD_NOT_ALLOWED", "GET", "It takes DELETE"),
    Refusal("DELETE", "/v1/tasks/config/settings", None, 405, "METHOD_NOT_ALLOWED", "DELETE", "GET, HEAD, PATCH"),
    Refusal("GET", "/v1/credentials", None, 405, "METHOD_NOT_ALLOWED", "GET", "It takes PATCH"),
    Refusal("GET", "/v1/tokens", None, 405, "METHOD_NOT_ALLOWED", "GET", "It takes POST"),
    Refusal("GET", "/v1/hosts", None, 405, "METHOD_NOT_ALLOWED", "GET", "It takes POST"),
    # 409: the state rules it out.
    Refusal("PATCH", "/v1/tasks/{succeeded}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED", "", "failed"),
    Refusal("PATCH", "/v1/tasks/{running}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED", "", "failed"),
    Refusal("PATCH", "/v1/tasks/{cancelled}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED"),
    Refusal("PATCH", "/v1/tasks/{final}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED", "", "new task"),
    Refusal("PATCH", "/v1/tasks/{unclear}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED", "", "/resolve"),
    Refusal("PATCH", "/v1/tasks/{imported}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED"),
    Refusal("PATCH", "/v1/tasks/{credentials_failed}", None, 409, "TA_TASK_CAN_NOT_BE_RETRIED", "", "PATCH /v1/credentials/tasks/"),
    Refusal("DELETE", "/v1/tasks/{succeeded}", None, 409, "TA_TASK_CAN_NOT_BE_CANCELLED"),
    Refusal("DELETE", "/v1/tasks/{cancelled}", None, 409, "TA_TASK_CAN_NOT_BE_CANCELLED"),
    Refusal("DELETE", "/v1/tasks/{stubborn}", None, 409, "TA_TASK_CAN_NOT_BE_CANCELLED"),
    Refusal("DELETE", "/v1/tasks/{imported}", None, 409, "TA_TASK_CAN_NOT_BE_CANCELLED"),
    Refusal("DELETE", "/v1/tasks/{credentials_failed}", None, 409, "TA_TASK_CAN_NOT_BE_CANCELLED", "", "DELETE /v1/credentials/tasks/"),
    Refusal("POST", "/v1/users", {"name": "Admin", "role": "VIEWER", "password": "a horse of 12"}, 409, "USER_EXISTS"),
    # 413, 415, 422.
    Refusal("POST", "/v1/tasks", LARGE, 413, "BODY_TOO_LARGE", "larger than", "Send less"),
    Refusal("POST", "/v1/tokens", LARGE, 413, "BODY_TOO_LARGE", "larger than", "Send less"),
    Refusal("POST", "/v1/tokens", b"username=admin", 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type", "application/json", FORM),
    Refusal("PATCH", "/v1/credentials", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type", "application/json", TEXT),
    Refusal("DELETE", "/v1/tasks/history", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type", "application/json", TEXT),
    Refusal("POST", "/v1/tasks", {"workflow": "quick", "input": {}}, 422, "INVALID_INPUT", "", "nested error"),
    Refusal("POST", "/v1/hosts", {"fqdn": 7}, 400, "INVALID_INPUT", "", "nested error"),
]


class Query(NamedTuple):
    """A query of the task list, and the tasks of `test_lists.py` that it finds, in order or not."""

    query: str
    finds: list[str]
    in_order: bool = False


NEWEST_FIRST = ["stopped", "broken", "ready"]

QUERIES = [
    Query("", NEWEST_FIRST, True),
    # Statuses in every spelling, one or more.
    Query("taskStatus=Failed", ["broken"]),
    Query("taskStatus=FAILED", ["broken"]),
    Query("taskStatus=failed", ["broken"]),
    Query("taskStatus=FAILED,Cancelled", ["broken", "stopped"]),
    Query("taskStatus=Failed&taskType=ENABLE_CEIP", ["broken"]),
    Query("taskStatus=In%20Progress", []),
    Query("taskStatus=In+Progress", []),
    Query("taskStatus=IN_PROGRESS", []),
    Query("taskStatus=Completed%20With%20Warning,SKIPPED,Pending", []),
    Query("taskStatus=", NEWEST_FIRST, True),
    # Types ignore case, resource IDs do not.
    Query("taskType=HOST_COMMISSION", ["ready"]),
    Query("taskType=host_commission", ["ready"]),
    Query("taskType=HOST", []),
    Query("resourceType=HOST", ["ready", "broken"]),
    Query("resourceType=host", ["ready", "broken"]),
    Query("resourceId=e43b90cd-e635-4f30-ae49-5d3e72d15212", ["broken"]),
    Query("resourceId=E43B90CD-E635-4F30-AE49-5D3E72D15212", []),
    Query("resourceId=id-of-ready.rainpole.io&resourceType=Host", ["ready"]),
    Query("resourceId=id-of-ready.rainpole.io&resourceType=ESXI", []),
    # A name contains a text.
    Query("taskName=Customer%20Experience", ["broken"]),
    Query("taskName=customer+experience", ["broken"]),
    Query("taskName=ready.rainpole.io", ["ready"]),
    Query("taskName=100%25", []),
    Query("taskName=_", []),
    # Who forgets to encode an ampersand gets a shorter text, no refusal.
    Query("taskName=Experience&Improvement", ["broken"]),
    # After an instant in milliseconds: what succeeded or failed, not what was cancelled.
    Query("completedAfter=0", ["broken", "ready"], True),
    Query("completedAfter=-1", ["broken", "ready"], True),
    Query("completedAfter=4102444800000", []),
    # Order.
    Query("orderBy=creationTimestamp", NEWEST_FIRST, True),
    Query("orderBy=creationTimestamp&orderDirection=ASC", NEWEST_FIRST[::-1], True),
    Query("orderDirection=asc", NEWEST_FIRST[::-1], True),
    Query("orderDirection=DESC", NEWEST_FIRST, True),
    Query("orderBy=name&orderDirection=ASC", ["ready", "broken", "stopped"], True),
    Query("orderBy=NAME&orderDirection=desc", ["stopped", "broken", "ready"], True),
    Query("orderBy=type", ["stopped", "broken", "ready"], True),
    Query("orderBy=status", NEWEST_FIRST),
    Query("orderBy=completionTimestamp&orderDirection=ASC", ["ready", "broken", "stopped"], True),
    Query("orderBy=id", NEWEST_FIRST),
    # Pages: absent, 0 and 1 are the first.
    Query("pageNumber=0&pageSize=2", ["stopped", "broken"], True),
    Query("pageNumber=1&pageSize=2", ["stopped", "broken"], True),
    Query("pageNumber=2&pageSize=2", ["ready"], True),
    Query("pageNumber=3&pageSize=2", []),
    Query("pageSize=100", NEWEST_FIRST, True),
    Query("pageSize=0", NEWEST_FIRST, True),
    Query("limit=1", ["stopped"], True),
    Query("limit=0", []),
    Query("limit=2&pageNumber=2&pageSize=1", ["broken"], True),
    # Names that the API does not have, which clients send all the same.
    Query("page=0&pageSize=100", NEWEST_FIRST, True),
    Query("status=IN_PROGRESS", NEWEST_FIRST, True),
    Query("doLiveRefresh=true", NEWEST_FIRST, True),
    Query("doLiveRefresh=FALSE", NEWEST_FIRST, True),
    Query("&&colour=&=blue&", NEWEST_FIRST, True),
]
# fmt: on
