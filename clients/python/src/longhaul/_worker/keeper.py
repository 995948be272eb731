"""Heartbeats from a process of their own, which go on while a function holds this interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterable
from typing import Any

from .._http.cancel import within
from .._http.persist import pauses
from .asker import Asker
from .attempt import Attempt
from .book import Book

log = logging.getLogger("longhaul.worker")

# Isolated from the environment and the folder, then given the import path of this process.
PROGRAM = """
import json, signal, sys
# Leases are to live until the worker ends, which is told to end, too.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
begin = json.loads(sys.stdin.readline())
sys.path[:] = begin.pop("path")
from longhaul._worker.keeper_process import main
main(begin)
"""
READY = b"ready\n"
LAST = 1.0
"""Seconds that the process may take to end once its input is closed."""


class Keeper:
    """The parent's end of that process, which ends together with the parent, however the parent ends."""

    def __init__(self, worker: str, asker: Asker, book: Book, connection: dict[str, Any]) -> None:
        # The settings go to its standard input, as others can read arguments and environments.
        self._begin = {
            "path": sys.path,
            "parent": os.getpid(),
            "worker": worker,
            "longest": asker.longest,
            **connection,
            **asker.authority.credentials(),
        }
        self._book = book
        self._process: asyncio.subprocess.Process | None = None
        self._told: dict[str, float] = {}

    async def start(self) -> None:
        if not sys.executable:
            raise RuntimeError('heartbeats="process" needs an interpreter, which sys.executable does not name')
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Keys typed at this process, such as Ctrl-C, are not meant for that one.
            start_new_session=True,
        )
        self._write(self._begin)
        self._told = {}
        self.tell(self._book.all_held())
        assert self._process.stdout is not None
        # Leases are taken only once they can be kept.
        if await self._process.stdout.readline() != READY:
            log.error("the process of the heartbeats does not start")

    async def run(self) -> None:
        """Passes on changes, without end, and starts the process again if it ends."""
        waits = pauses(0.1)
        while True:
            assert self._process is not None
            ended = asyncio.create_task(self._process.wait())
            while not ended.done():
                changed = asyncio.create_task(self._book.bell.wait())
                await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                self.tell(self._book.all_held())
            log.error("the process of the heartbeats ended with %s; another one is started", ended.result())
            await asyncio.sleep(next(waits))
            await self.start()

    def tell(self, attempts: Iterable[Attempt]) -> None:
        """Writes the leases to extend, at once: the next function may hold the interpreter."""
        leases = {attempt.lease.id: attempt.lease.span for attempt in attempts}
        if leases != self._told:
            self._told = leases
            self._write({"leases": leases})

    def _write(self, line: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                process.stdin.write(json.dumps(line).encode() + b"\n")

    async def close(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await within(process.wait(), LAST)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
