"""A `longhaul serve` of one's own: started on a free port of the loopback interface, ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import httpx

HERE = Path(__file__).resolve().parent
PASSWORD = "correct-horse-battery-staple"
PATIENCE = 30


def binary() -> Path:
    """The server to test: the one `LONGHAUL` names, else the one that `cargo build` makes."""
    return Path(os.environ.get("LONGHAUL", HERE.parent.parent.parent / "target" / "debug" / "longhaul"))


class Server:
    """A server and its data, which can be killed, and started again on the same data and port."""

    def __init__(self, *arguments: str, config: str = "") -> None:
        self.data = Path(tempfile.mkdtemp(prefix="longhaul-python-"))
        self._config = self.data / "longhaul.toml"
        self._config.write_text(f'[engine]\nshutdown_grace = "1s"\ncancel_grace = "5s"\n{config}')
        self._arguments = arguments
        self._listen = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        command = [
            *(str(binary()), "serve", "--listen", self._listen, "--data-dir", str(self.data / "data")),
            *("--config", str(self._config), "--log-level", "warn", *self._arguments),
        ]
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("LONGHAUL")}
        quiet |= {"LONGHAUL_ADMIN_PASSWORD": PASSWORD, "NO_COLOR": "1"}
        with open(self.data / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.url = self._listening()
        self._listen = self.url.split("://")[1]

    def _listening(self) -> str:
        """Reads the address from the first line of output; the rest is drained, so that the pipe never fills up."""
        assert self.process.stdout is not None
        overdue = threading.Timer(PATIENCE, self.process.kill)
        overdue.start()
        first = self.process.stdout.readline()
        overdue.cancel()
        self._reader = threading.Thread(target=self.process.stdout.read, daemon=True)
        self._reader.start()
        addresses = [word.rstrip(",") for word in first.split() if word.startswith("http")]
        if not addresses:
            raise RuntimeError(f"the server did not start: {first}{self.logged()}")
        return addresses[0]

    def logged(self) -> str:
        return (self.data / "log").read_text(encoding="utf-8")

    def kill(self) -> None:
        """Kills the server, as a crash would."""
        self.process.kill()
        self._ended()

    def terminate(self) -> None:
        """Stops the server, as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._ended()

    def _ended(self) -> None:
        assert self.process.stdout is not None
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()

    def close(self) -> None:
        self.terminate()
        shutil.rmtree(self.data, ignore_errors=True)


class Admin:
    """Administration that the library has no verbs for, by plain HTTP: workflows and accounts."""

    def __init__(self, server: Server) -> None:
        self.http = httpx.Client(base_url=server.url, timeout=30)
        login = self.http.post("/v1/tokens", json={"username": "admin", "password": PASSWORD})
        self.http.headers["Authorization"] = f"Bearer {login.json()['accessToken']}"

    def account(self, name: str, role: str) -> str:
        """The API key of a new service account."""
        made = self.http.post("/v1/users", json={"name": name, "role": role, "kind": "SERVICE"})
        assert made.status_code == 201, made.text
        key: str = made.json()["apiKey"]
        return key

    def workflow(self, definition: dict[str, object]) -> str:
        """Stores a workflow; its name."""
        name = str(definition["name"])
        stored = self.http.put(f"/v1/workflows/{name}", json=definition)
        assert stored.status_code in (200, 201), stored.text
        return name

    def workers(self) -> list[dict[str, object]]:
        """The workers that the server knows."""
        listed = self.http.get("/v1/workers")
        assert listed.status_code == 200, listed.text
        elements: list[dict[str, object]] = listed.json()["elements"]
        return elements

    def close(self) -> None:
        self.http.close()
