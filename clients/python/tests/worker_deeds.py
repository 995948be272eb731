"""A worker in a process of its own whose functions start threads, processes and tasks: `worker_deeds.py QUEUE {}`.

The call of `run` has no guard on purpose: children that import this script come by it, too.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from longhaul import Context, Worker

queue, settings = sys.argv[1], json.loads(sys.argv[2])
worker = Worker(**settings)
FORK: Any = multiprocessing.get_context("fork")


def say(text: str) -> None:
    # One write, so that lines of several processes stay whole.
    os.write(1, f"{text}\n".encode())


def children(ctx: Context, method: str) -> dict[str, Any]:
    """Starts children by one start method, and ends them in every way."""
    context: Any = multiprocessing.get_context(method)
    killed = [context.Process(target=time.sleep, args=(600,)) for _ in range(4)]
    for one in killed:
        one.start()
        one.terminate()
        one.join(20)
    with context.Pool(2) as pool:  # which ends with SIGTERM, too
        squares = pool.map(abs, [-1, -2])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        sums = list(executor.map(sum, [[1, 2], [3, 4]]))
    # Nobody waits for this one.
    context.Process(target=abs, args=(1,)).start()
    return {"codes": [one.exitcode for one in killed], "squares": squares, "sums": sums}


def forked(ctx: Context) -> dict[str, Any]:
    """Forks children: one returns, one exits, one fails, one is killed by a signal, one uses the context."""
    codes = []
    for deed in ("return", "exit", "raise", "signal", "speak"):
        child = os.fork()
        if child == 0:
            if deed == "exit":
                sys.exit(7)
            if deed == "raise":
                raise ValueError("in the child")
            if deed == "signal":
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(600)
            ctx.log("from the child")
            with ctx.stage("Child"):
                ctx.progress(50)
            return {}
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return {"codes": codes}


def linger(ctx: Context, kind: str) -> None:
    """Starts something that goes on for ten minutes, whatever it is told."""
    say(f"begun {kind}")
    if kind == "thread left behind":
        threading.Thread(target=time.sleep, args=(600,)).start()
    elif kind == "thread":
        time.sleep(600)
    elif kind == "executor":
        with ThreadPoolExecutor(1) as executor:
            executor.submit(time.sleep, 600).result()
    elif kind == "process":
        child = FORK.Process(target=time.sleep, args=(600,))
        child.start()
        child.join()
    elif kind == "processes":
        with ProcessPoolExecutor(1, mp_context=FORK) as processes:
            processes.submit(time.sleep, 600).result()


def hold(seconds: float) -> None:
    """Sleeps holding the interpreter: no other thread of this process runs meanwhile."""
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


@worker.action(queue)
def act(ctx: Context, input: dict[str, str]) -> Any:
    if "hold" in input:
        say("begun hold")
        hold(float(input["hold"]))
        return ctx.attempt
    if "method" in input:
        return children(ctx, input["method"])
    return linger(ctx, input["kind"]) if "kind" in input else forked(ctx) if "fork" in input else os.getpid()


@worker.action(f"{queue}-async")
async def act_async(ctx: Context, input: dict[str, str]) -> Any:
    deed = input.get("deed", "")
    say(f"begun {deed}")
    if deed == "to_thread":
        await asyncio.to_thread(time.sleep, 600)
    elif deed == "block":
        time.sleep(600)  # noqa: ASYNC251
    elif deed == "deaf":
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                continue
    elif deed == "stop the loop":
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
    elif deed == "cancel all":
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(0.01)
    elif deed in ("SystemExit", "KeyboardInterrupt"):
        asyncio.create_task(leave(deed))  # noqa: RUF006
        await asyncio.sleep(0.05)
    elif deed == "fork":
        return forked(ctx)
    return os.getpid()


async def leave(deed: str) -> None:
    raise SystemExit(3) if deed == "SystemExit" else KeyboardInterrupt


worker.run()
if __name__ == "__main__":
    say("ended")
