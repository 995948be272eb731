"""A worker in a process of its own, for tests that send it signals: `worker_process.py QUEUE SETTINGS`.

It says `begun NAME` for each attempt, and does what the input says.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from longhaul import Context, Worker

queue, settings = sys.argv[1], json.loads(sys.argv[2])
worker = Worker(**settings)


def say(text: str) -> None:
    print(text, flush=True)


@worker.action(queue)
def act(ctx: Context, input: dict[str, Any]) -> dict[str, int]:
    say(f"begun {input['name']}")
    deadline = time.monotonic() + input["seconds"]
    while time.monotonic() < deadline:
        if ctx.cancelled and not input.get("stubborn"):
            say(f"cancelled {input['name']}")
            ctx.raise_if_cancelled()
        time.sleep(0.01)
    return {"attempt": ctx.attempt}


@worker.action(f"{queue}-async")
async def act_too(ctx: Context, input: dict[str, Any]) -> dict[str, int]:
    say(f"begun {input['name']}")
    try:
        await asyncio.sleep(input["seconds"])
    except asyncio.CancelledError:
        say(f"cancelled {input['name']}")
        raise
    return {"attempt": ctx.attempt}


worker.run()
say("ended")
