"""The calls of workers, overheard on their way, or answered by a test in the server's place."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from longhaul import Unreachable
from longhaul._http.drive import AsyncDriver
from longhaul._http.plan import Answer, Request

Body = dict[str, Any]
Script = Callable[[str, Body], "Answer | Unreachable | None"]


class Overheard:
    """The calls of workers. `script` may answer one in place of the server; `None` lets it through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, Body]] = []
        self.script: Script = lambda verb, body: None
        self.delay = 0.0
        """Seconds that the script's answers take."""
        sent = AsyncDriver._carry_out

        async def carry_out(driver: AsyncDriver, step: Any) -> Any:
            if not isinstance(step, Request) or not step.path.startswith("/v1/workers/"):
                return await sent(driver, step)
            verb, body = step.path.rsplit("/", 1)[1], json.loads(step.body or b"")
            self.calls.append((verb, body))
            scripted = self.script(verb, body)
            if scripted is None:
                return await sent(driver, step)
            await asyncio.sleep(self.delay)
            return scripted

        monkeypatch.setattr(AsyncDriver, "_carry_out", carry_out)

    def of(self, *verbs: str) -> list[Body]:
        return [body for verb, body in self.calls if verb in verbs]

    def counts(self) -> Counter[str]:
        return Counter(verb for verb, _ in self.calls)


def answer(status: int, body: Body, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


def lease(number: int, queue: str = "q") -> Body:
    return {
        "lease": f"lease-{number}",
        "token": number,
        "expiresInMs": 30000,
        "task": {"id": f"task-{number}", "name": "A task", "type": "TEST", "workflow": "w"},
        "subTask": "Work",
        "queue": queue,
        "attempt": 1,
        "idempotencyKey": f"key-{number}",
        "traceparent": f"00-{number:032x}-{number:016x}-01",
        "input": {"number": number},
        "itemIndex": number,
        "timeoutMs": 1500,
    }


class Pretended:
    """A server in the test: it leases what it is given, and takes every result unless `judge` says otherwise."""

    def __init__(self, overheard: Overheard, leases: list[Body]) -> None:
        self._leases = leases
        self._taken = threading.Event()
        self.judge: Callable[[Body, int], Answer | Unreachable | None] = lambda body, number: None
        self.reports: list[Body] = []
        overheard.script = self._answer

    def _answer(self, verb: str, body: Body) -> Answer | Unreachable:
        if verb == "heartbeat":
            live = [{"lease": one["lease"], "state": "live", "expiresInMs": 30000} for one in body["leases"]]
            return answer(200, {"leases": live})
        if verb == "lease":
            given, self._leases = self._leases[: body["max"]], self._leases[body["max"] :]
            return answer(200, {"leases": given, "retryAfterMs": 0 if given else 200})
        self.reports.append(body)
        judged = self.judge(body, len(self.reports))
        if judged is not None:
            return judged
        results = [{"lease": one["lease"], "status": 200} for one in entries(body)]
        return answer(200, {"results": results, "leases": [], "retryAfterMs": 0})


def entries(body: Body) -> list[Body]:
    return [one for kind in ("completed", "failed", "released") for one in body.get(kind, [])]
