"""A worker of the proof that is made of the Python SDK: `mixed.py SERVER EFFECTS SLOTS LEASE QUEUE...`.

It does what the workers in Rust do: a call of the effect counter, with pauses around it in which kills fall. Half of the
queues are served by a thread, half on the event loop. The key is in the environment.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import sys
from typing import Any

from longhaul import ActionError, Context, Worker

PAUSE = 0.03
"""The longest pause before the effect, and after it, in seconds."""

server, effects, slots, lease, *queues = sys.argv[1:]
worker = Worker(server, slots=int(slots), lease=float(lease), wait=5)


def change_the_world(ctx: Context) -> None:
    connection = http.client.HTTPConnection(effects, timeout=30)
    headers = {"Idempotency-Key": ctx.idempotency_key, "Fencing-Token": str(ctx.token), "Worker-Kind": "python"}
    connection.request("POST", f"/effect/{ctx.task.id}/{ctx.sub_task}", b"{}", headers)
    status = connection.getresponse().status
    connection.close()
    if not 200 <= status < 300:
        raise ActionError("NO_EFFECT", f"the effect counter answered {status}")


def act(ctx: Context, input: dict[str, Any]) -> dict[str, str]:
    ctx.sleep(random.uniform(0, PAUSE))
    change_the_world(ctx)
    ctx.sleep(random.uniform(0, PAUSE))
    return {"by": "python"}


async def act_on_loop(ctx: Context, input: dict[str, Any]) -> dict[str, str]:
    await asyncio.sleep(random.uniform(0, PAUSE))
    await asyncio.to_thread(change_the_world, ctx)
    await asyncio.sleep(random.uniform(0, PAUSE))
    return {"by": "python"}


for number, queue in enumerate(queues):
    worker.action(queue)(act if number % 2 else act_on_loop)
worker.run()
