"""Workers as processes of their own, and the processes that descend from them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from serving import Server


class Process:
    """A worker's process and its output. `script` takes a queue and the settings."""

    def __init__(self, script: Path, server: Server, key: str, queue: str, settings: dict[str, Any]) -> None:
        self._mark = f"LONGHAUL_TEST_MARK={uuid.uuid4()}"
        name, mark = self._mark.split("=")
        environment = {**os.environ, "LONGHAUL_SERVER": server.url, "LONGHAUL_TOKEN": key, name: mark}
        self._process = subprocess.Popen(
            [sys.executable, str(script), queue, json.dumps(settings)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.id = self._process.pid

    def line(self) -> str:
        """The next line of output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, list[str]]:
        """Waits for the end; the exit code, and the lines not read yet."""
        said, _ = self._process.communicate(timeout=30)
        return self._process.returncode, said.splitlines()

    def family(self) -> list[int]:
        """The processes of the worker and its children that still run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes() and _state(folder) != "Z":
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def zombies(self) -> list[int]:
        """Children of the worker that ended and were not reaped."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if _parent(folder) == self.id and _state(folder) == "Z":
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def close(self) -> None:
        for one in {self.id, *self.family()} if self._process.poll() is None else self.family():
            os.kill(one, signal.SIGKILL)
        self._process.communicate()


def _state(folder: Path) -> str:
    return _status(folder)[0]


def _parent(folder: Path) -> int:
    return int(_status(folder)[1])


def _status(folder: Path) -> list[str]:
    # Behind the name of the program, which may have spaces and brackets.
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
