"""The container file and the compose file, as the tools read them. No container runs here."""

import json
import re
import subprocess

import yaml
from conftest import DEPLOY, ROOT

DOCKERFILE = DEPLOY / "container" / "Dockerfile"
COMPOSE = DEPLOY / "compose" / "compose.yaml"


def test_container_file_has_no_findings():
    done = subprocess.run(["hadolint", str(DOCKERFILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_container_file_copies_what_is_there_and_runs_nothing_as_root():
    text = DOCKERFILE.read_text()
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 65532:65532$", last, re.M) and "distroless" in last
    assert "RUN" not in last, "there is no shell in the last stage"
    for copied in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.M):
        assert all((ROOT / source).exists() for source in copied.split()), copied
    wanted = re.search(r'^rust-version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert f"rust:{wanted}-" in text, "the image is built by the oldest Rust that is supported"


def test_every_variable_is_known_to_the_program(longhaul, clean):
    texts = DOCKERFILE.read_text() + COMPOSE.read_text() + (DEPLOY / "systemd" / "longhaul.service").read_text()
    names = set(re.findall(r"\bLONGHAUL_[A-Z_]+", texts))
    assert len(names) >= 6
    # Each with a value that the program does not like, but may not call unknown.
    for name in names:
        line = [longhaul, "completions", "bash"]
        done = subprocess.run(line, env=clean | {name: "unix:/x"}, capture_output=True, text=True)
        assert "has no meaning" not in done.stderr, name
    done = subprocess.run([longhaul, "completions", "bash"], env=clean | {"LONGHAUL_X": "1"}, capture_output=True, text=True)
    assert "has no meaning" in done.stderr


def config(clean, tmp_path, **secrets):
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in secrets.items()))
    line = ["docker-compose", "--env-file", str(file), "-f", str(COMPOSE), "config", "--format", "json"]
    return subprocess.run(line, env=clean, capture_output=True, text=True, timeout=60)


def test_compose_file_is_whole_and_shows_one_port_to_this_machine(clean, tmp_path):
    done = config(clean, tmp_path, POSTGRES_PASSWORD="abc", LONGHAUL_ADMIN_PASSWORD="def")
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    read = json.loads(done.stdout)
    server, database = read["services"]["longhaul"], read["services"]["database"]
    assert "ports" not in database and read["networks"]["inside"]["internal"]
    assert [(port["host_ip"], port["published"]) for port in server["ports"]] == [("127.0.0.1", "8443")]
    assert server["read_only"] and server["cap_drop"] == ["ALL"] and server["stop_grace_period"] == "1m0s"
    url = server["environment"]["LONGHAUL_DATABASE_URL"]
    named = re.fullmatch(r"postgres://(\w+):(\w+)@(\w+)/(\w+)\?sslmode=disable", url).groups()
    given = database["environment"]
    assert named == (given["POSTGRES_USER"], given["POSTGRES_PASSWORD"], "database", given["POSTGRES_DB"])
    assert (ROOT / server["build"]["dockerfile"]).exists() and server["build"]["context"] == str(ROOT)
    assert yaml.safe_load(COMPOSE.read_text())["name"] == "longhaul"


def test_compose_file_asks_for_each_password(clean, tmp_path):
    secrets = {"POSTGRES_PASSWORD": "abc", "LONGHAUL_ADMIN_PASSWORD": "def"}
    for missing in secrets:
        done = config(clean, tmp_path, **{name: value for name, value in secrets.items() if name != missing})
        assert done.returncode != 0 and missing in done.stderr and "docs/deployment.md" in done.stderr
