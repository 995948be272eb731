"""The example of README.md, as printed: its files are written, its commands run in a shell."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import HERE, binary
from working import eventually

from longhaul import Client, Context, Worker

README = (HERE.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = README.split("## Five minutes with it")[1].split("\n## ")[0]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [text for language, text in BLOCK.findall(EXAMPLE) if language == kind]


def files() -> dict[str, str]:
    """Each file of the example: the last name before a block of code is its name."""
    found = {}
    for block in BLOCK.finditer(EXAMPLE):
        if block[1] in ("python", "yaml"):
            found[re.findall(r"`([\w-]+\.\w+)`", EXAMPLE[: block.start()])[-1]] = block[2]
    return found


class Terminal:
    """Shells with an environment, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "longhaul").symlink_to(binary())
        (programs / "python").symlink_to(sys.executable)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGHAUL")}
        # Of its own port and data, where the printed command would take the usual ones.
        self.environment |= {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "LONGHAUL_LISTEN": "127.0.0.1:0",
            "LONGHAUL_DATA_DIR": str(folder / "data"),
            # A link to the interpreter does not find the packages of its environment by itself.
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._begun: list[subprocess.Popen[bytes]] = []

    def run(self, command: str) -> str:
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def begin(self, command: str, log: str) -> subprocess.Popen[bytes]:
        with open(self._folder / log, "wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self._begun.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self._begun):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_the_example_runs_as_printed(terminal: Terminal, tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert set(files()) == {"update-host.yaml", "worker.py", "start.py", "watch.py"}
    serve, apply, work, start, watch = (block.strip() for block in blocks("sh"))

    server = terminal.begin(serve, "server.log")
    printed = re.compile(r"export (LONGHAUL_SERVER=\S+) (LONGHAUL_TOKEN=\S+)")

    def exported() -> re.Match[str] | None:
        return printed.search((tmp_path / "server.log").read_text(encoding="utf-8"))

    eventually(exported, "the line that says where it is")
    line = exported()
    assert line is not None
    terminal.environment |= dict(variable.split("=", 1) for variable in line.groups())

    terminal.run(apply)
    worker = terminal.begin(work, "worker.log")
    (expected,) = blocks("text")
    assert terminal.run(start) == expected
    watched = terminal.run(watch).splitlines()
    assert watched[-2] == "SUCCESSFUL 100"
    assert watched[-1] == "20 succeeded"
    assert {state.split()[0] for state in watched[:-2]} == {"IN_PROGRESS"}

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert server.poll() is None


def test_the_readme_names_every_setting_and_verb() -> None:
    said = set(re.findall(r"[a-z_]+", README))
    settings = set(inspect.signature(Worker).parameters)
    verbs = {name for kind in (Client, Context) for name in vars(kind) if not name.startswith("_")}
    assert settings | verbs - {"close"} <= said
