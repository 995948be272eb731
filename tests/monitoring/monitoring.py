"""A real Prometheus scrapes a server under load; every expression of rules and dashboard is asked of it."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
RULES = MONITORING / "longhaul.rules.yaml"
PATIENCE = 60
# Scrapes that the expressions are asked after: rates need some.
SCRAPES = 8

# Expressions that the load must have counted something for.
COUNTED = [
    'sum(longhaul_tasks_accepted_total{workflow="locked"})',
    'sum(longhaul_tasks_started_total{workflow="locked"})',
    'sum(longhaul_tasks_ended_total{workflow="failing", status="FAILED"})',
    'sum(longhaul_tasks_ended_total{workflow="failing", status="SUCCESSFUL"})',
    'longhaul_task_duration_seconds_count{workflow="locked"}',
    'longhaul_sub_tasks_ended_total{status="FAILED"}',
    'longhaul_attempt_duration_seconds_count{action="simulate", outcome="failed"}',
    'longhaul_attempt_duration_seconds_count{action="wait", outcome="successful"}',
    'longhaul_wait_seconds_count{reason="lock"}',
    'longhaul_wait_seconds_count{reason="timer"}',
    'longhaul_wait_seconds_count{reason="person"}',
    'longhaul_queue_waiting{queue="monitoring"}',
    "longhaul_store_commit_seconds_count",
    "longhaul_store_commit_changes_sum",
    "longhaul_feed_readers",
    "longhaul_feed_lag_seconds_count",
    'longhaul_http_requests_total{route="/v1/tasks", method="POST", class="2xx"}',
    'longhaul_http_requests_total{route="other", class="4xx"}',
]


class Process:
    """A program that is ended by its process ID."""

    def __init__(self, command: list[str], log: Path, pipe: bool = False) -> None:
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("LONGHAUL_")}
        self.log = log
        with log.open("w") as out:
            stdout = subprocess.PIPE if pipe else out
            self.process = subprocess.Popen(
                command, env=quiet, stdin=subprocess.DEVNULL, stdout=stdout, stderr=out, text=True
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print(self.log.read_text()[-4000:], file=sys.stderr)


class Longhaul:
    """The server, with an administrator's key."""

    def __init__(self, process: Process, data: Path) -> None:
        self.url = self._listening(process)
        self.key_file = data / "demo-api-key"
        until(lambda: self.key_file.exists() and self.key_file.read_text().strip(), "an API key")
        self.key = self.key_file.read_text().strip()

    @staticmethod
    def _listening(process: Process) -> str:
        """Where the server says that it listens; all that follows is read, so that the pipe never fills up."""
        overdue = threading.Timer(PATIENCE, process.process.kill)
        overdue.start()
        said = process.process.stdout
        found = next((found[0] for line in said if (found := re.findall(r"http://[\d.:]+", line))), None)
        overdue.cancel()
        if found is None:
            raise RuntimeError("the server did not start")
        threading.Thread(target=said.read, daemon=True).start()
        return found

    def open(self, method: str, path: str, body: object = None, timeout: float = PATIENCE):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        return urllib.request.urlopen(request, timeout=timeout)

    def __call__(self, method: str, path: str, body: object = None) -> str:
        with self.open(method, path, body) as answer:
            return answer.read().decode()

    def start(self, workflow: str) -> str:
        return json.loads(self("POST", "/v1/tasks", {"workflow": workflow, "input": {}}))["id"]

    def status(self, task: str) -> str:
        return json.loads(self("GET", f"/v1/tasks/{task}"))["status"].upper().replace(" ", "_")


class Prometheus:
    """The queries of a Prometheus."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> dict:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{parameters}: {e.read().decode()}") from e

    def series(self, expression: str) -> list:
        found = self.get("/api/v1/query", query=expression)
        return found["result"]

    def is_up(self) -> bool:
        try:
            return bool(self.series('count_over_time(up{job="longhaul"}[5m]) >= 2'))
        except OSError:
            return False


def until(done, what: str) -> None:
    """Waits until something is so, and fails if it does not come to be."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.2)


def load(longhaul: Longhaul) -> None:
    """Makes tasks of several ends, and one of each kind of wait that is quick to have."""
    longhaul.start("queued")
    locked = [longhaul.start("locked") for _ in range(4)]
    failing = longhaul.start("failing")
    until(lambda: longhaul.status(failing) == "FAILED", "a failed task")
    time.sleep(0.05)
    longhaul("PATCH", f"/v1/tasks/{failing}", {"status": "IN_PROGRESS"})
    until(lambda: longhaul.status(failing) == "SUCCESSFUL", "a task that was retried")
    until(lambda: all(longhaul.status(task) == "SUCCESSFUL" for task in locked), "tasks that waited for a lock")
    try:
        longhaul("GET", "/v1/no-such-path")
    except urllib.error.HTTPError as e:
        assert e.code == 404, e.code


def read_feed(longhaul: Longhaul) -> None:
    """Follows the list of tasks until the server ends."""
    try:
        with longhaul.open("GET", "/v1/tasks/events") as stream:
            while stream.read(1024):
                pass
    except OSError:
        pass


def panel_expressions() -> Iterator[tuple[str, str]]:
    """Title and expression of each panel, and of each variable of the dashboard."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    assert "__inputs" not in dashboard and "uid" not in dashboard, "the dashboard is bound to one Grafana"
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert "datasource" in names, names
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])
            assert inner, variable
            yield variable["name"], inner[1]


def plain(expression: str) -> str:
    """An expression with the dashboard's variables replaced."""
    for name, value in {"$__rate_interval": "10s", "$instance": ".*"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def scraped_names(scrape: str) -> set[str]:
    """The names that a query may have, by the types that the scrape states."""
    names = set()
    for line in scrape.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            names |= {name + end for end in ends}
    return names


def check(longhaul: Longhaul, prometheus: Prometheus) -> None:
    targets = prometheus.get("/api/v1/targets")["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")], targets

    scrape = longhaul("GET", "/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape, text=True, capture_output=True)
    assert done.returncode == 0 and not done.stderr.strip(), done.stdout + done.stderr

    groups = prometheus.get("/api/v1/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert rules, "no rules were loaded"
    for rule in rules:
        assert rule["health"] == "ok" and not rule.get("lastError"), rule
        prometheus.series(rule["query"])
    panels = [(title, plain(expression)) for title, expression in panel_expressions()]
    for title, expression in panels:
        assert prometheus.series(expression), f"the panel {title!r} is empty: {expression}"
    known = scraped_names(scrape)
    used = {name for _, text in panels for name in re.findall(r"longhaul_\w+", text)}
    used |= {name for rule in rules for name in re.findall(r"longhaul_\w+", rule["query"])}
    assert used <= known, f"not in the scrape: {sorted(used - known)}"
    for expression in COUNTED:
        values = [float(series["value"][1]) for series in prometheus.series(expression)]
        assert values and all(value > 0 for value in values if not math.isnan(value)), (expression, values)
    print(f"{len(rules)} rules and {len(panels)} expressions of the dashboard, {len(known)} names in the scrape")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="longhaul-monitoring-") as folder:
        data, place = Path(folder) / "data", Path(folder)
        serve = [
            os.environ["LONGHAUL_BINARY"], "serve", "--demo", "--listen", "127.0.0.1:0", "--tls", "off",
            "--data-dir", str(data), "--workflows", str(Path(__file__).parent / "workflows"), "--log-level", "warn",
        ]
        with Process(serve, place / "longhaul.log", pipe=True) as server:
            longhaul = Longhaul(server, data)
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            config = {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES)],
                "scrape_configs": [{
                    "job_name": "longhaul",
                    "authorization": {"credentials_file": str(longhaul.key_file)},
                    "static_configs": [{"targets": [longhaul.url.removeprefix("http://")]}],
                }],
            }
            # JSON is YAML.
            (place / "prometheus.yml").write_text(json.dumps(config))
            scraper = [
                "prometheus", f"--config.file={place / 'prometheus.yml'}", f"--storage.tsdb.path={place / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
            ]
            with Process(scraper, place / "prometheus.log"):
                prometheus = Prometheus(port)
                until(prometheus.is_up, "a scrape")
                threading.Thread(target=read_feed, args=(longhaul,), daemon=True).start()
                load(longhaul)
                wanted = f'count_over_time(up{{job="longhaul"}}[5m]) >= {SCRAPES}'
                until(lambda: prometheus.series(wanted), "more scrapes")
                # The newest counts are in the next scrape.
                until(lambda: prometheus.series('longhaul_wait_seconds_count{reason="person"} > 0'), "the counts")
                check(longhaul, prometheus)


if __name__ == "__main__":
    main()
