"""Tasks, accounts and tokens in every state that a call may meet. Each is new: what a test does to it hurts no other."""

from __future__ import annotations

import itertools
import time
from typing import Any
from uuid import uuid4

from calling import Caller
from serving import PASSWORD

ENDED = {"Successful", "Failed", "Cancelled", "SUCCESSFUL", "FAILED", "CANCELLED"}


def spec(operation: str, host: str, **more: Any) -> dict[str, Any]:
    """A CredentialsUpdateSpec for one account of one host."""
    credential = {"credentialType": "SSH", "accountType": "USER", "username": "root"}
    if operation in ("UPDATE", "REMEDIATE"):
        credential["password"] = "N3w!passw0rd-of-root"
    element = {"resourceName": host, "resourceType": "ESXI", "credentials": [credential]}
    if operation == "UPDATE_AUTO_ROTATE_POLICY":
        more = {"autoRotatePolicy": {"frequencyInDays": 30, "enableAutoRotatePolicy": True}} | more
    return {"operationType": operation, "elements": [element], **more}


class Things:
    """Makes them, as an administrator. `make("failed")` calls `self.failed()`."""

    def __init__(self, admin: Caller) -> None:
        self.admin = admin
        self.numbers = itertools.count(1)

    def make(self, name: str) -> str:
        return getattr(self, name)()

    def new_name(self, kind: str) -> str:
        return f"{kind}-{next(self.numbers)}"

    def start(self, workflow: str, wait: bool = True, **task: Any) -> str:
        query = "?wait=10s" if wait else ""
        answer = self.admin("POST", f"/v1/tasks{query}", {"workflow": workflow, **task})
        assert answer.status == 202, answer
        return answer.json["id"]

    def ended(self, task: str) -> dict[str, Any]:
        """The task, once it ended."""
        found = self.admin.get(f"/v1/tasks/{task}?wait=20s").json
        assert found["status"] in ENDED, found
        return found

    # Tasks.

    def succeeded(self) -> str:
        return self.start("quick", input={"fqdn": self.new_name("esxi") + ".rainpole.io"})

    def failed(self) -> str:
        return self.start("fails")

    def final(self) -> str:
        """Failed for good."""
        return self.start("final")

    def running(self) -> str:
        task = self.start("slow", wait=False)
        for _ in range(200):
            if self.admin.get(f"/v1/tasks/{task}").json["subTasks"][0]["status"] == "IN_PROGRESS":
                return task
            time.sleep(0.02)
        raise AssertionError(f"{task} does not run")

    def stubborn(self) -> str:
        return self.start("stubborn", wait=False)

    def cancelled(self) -> str:
        task = self.running()
        assert self.admin("DELETE", f"/v1/tasks/{task}").status == 200
        self.ended(task)
        return task

    def unclear(self) -> str:
        return self.start("unclear")

    def imported(self) -> str:
        task = str(uuid4())
        given = {"id": task, "name": "From elsewhere", "status": "FAILED", "type": "DOMAIN_CREATION",
                 "creationTimestamp": "2019-06-20T12:03:18.890Z", "subTasks": [], "errors": [],
                 "resources": [], "resolutionStatus": "UNRESOLVED", "isCancellable": False, "isRetryable": False}
        assert self.admin("POST", "/v1/tasks/import", given).status == 200
        return task

    def absent(self) -> str:
        return str(uuid4())

    # Credentials tasks.

    def changed(self, operation: str, host: str) -> str:
        answer = self.admin("PATCH", "/v1/credentials", spec(operation, host))
        assert answer.status == 202, answer
        self.ended(answer.json["id"])
        return answer.json["id"]

    def credentials_succeeded(self) -> str:
        return self.changed("ROTATE", self.new_name("esxi"))

    def credentials_failed(self) -> str:
        return self.changed("UPDATE", self.new_name("fails"))

    # Accounts and tokens.

    def user(self) -> str:
        name = self.new_name("user")
        made = self.admin("POST", "/v1/users", {"name": name, "role": "VIEWER", "password": PASSWORD + name})
        assert made.status == 201, made
        return name

    def service(self) -> str:
        name = self.new_name("service")
        made = self.admin("POST", "/v1/users", {"name": name, "role": "OPERATOR", "kind": "SERVICE"})
        assert made.status == 201, made
        return name

    def new_user(self) -> str:
        """A name that nobody has."""
        return self.new_name("nobody")

    def login(self) -> dict[str, Any]:
        """A new account's token pair."""
        name = self.user()
        made = self.admin("POST", "/v1/tokens", {"username": name, "password": PASSWORD + name})
        assert made.status == 201, made
        return made.json

    def refresh(self) -> str:
        return self.login()["refreshToken"]["id"]
