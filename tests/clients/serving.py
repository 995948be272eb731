"""A `longhaul serve` of one's own: started on a free port, ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PASSWORD = "VMw@re1!-of-the-administrator"
PATIENCE = 30


def binary() -> Path:
    """The binary that `scripts/test-clients.sh` built."""
    named = os.environ.get("LONGHAUL_BINARY")
    if named:
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
    return target / "debug" / "longhaul"


class Server:
    """One server. `config` is what its configuration file says besides what all of them say, `flags` its command line."""

    def __init__(self, config: str = "", tls: bool = True, flags: Sequence[str] = ()) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="longhaul-clients-"))
        self.tls = tls
        settings = self.data / "longhaul.toml"
        settings.write_text(f'[engine]\nshutdown_grace = "1s"\ncancel_grace = "2s"\n{config}')
        command = [
            str(binary()), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(self.data / "data"),
            "--workflows", str(HERE / "workflows"), "--config", str(settings), "--log-level", "warn",
            "--tls", "self-signed" if tls else "off", *flags,
        ]
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("LONGHAUL_")}
        quiet |= {"LONGHAUL_ADMIN_PASSWORD": PASSWORD, "NO_COLOR": "1"}
        self.log = open(self.data / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.url = self._listening()
        self.host, port = self.url.split("://")[1].split(":")
        self.port = int(port)

    def _listening(self) -> str:
        """Where it says that it listens; what else it says is read, so that the pipe never fills up."""
        overdue = threading.Timer(PATIENCE, self.process.kill)
        overdue.start()
        first = self.process.stdout.readline()
        overdue.cancel()
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        addresses = [word.rstrip(",") for word in first.split() if word.startswith("http")]
        if not addresses:
            raise RuntimeError(f"the server did not start: {first}{self.logged()}")
        return addresses[0]

    @property
    def address(self) -> str:
        """Host and port, as clients take it that put https:// before it."""
        return f"{self.host}:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.data / "data" / "tls" / "cert.pem"

    def trust(self) -> ssl.SSLContext:
        """A context that trusts this server's certificate, and checks it."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def logged(self) -> str:
        return (self.data / "log").read_text(encoding="utf-8")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.data, ignore_errors=True)
