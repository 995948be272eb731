"""The systemd unit by systemd's own checks, and the Debian package in a root of its own."""

import re
import subprocess

import pytest
from conftest import DEPLOY, ROOT

UNITS = DEPLOY / "systemd"
MOST_EXPOSED = 1.5


@pytest.fixture(params=["hardened", "with command actions"])
def unit(request, tmp_path, longhaul):
    """The unit, with the built program in place of the installed one, and the drop-in where it is asked for."""
    text = (UNITS / "longhaul.service").read_text()
    path = tmp_path / "longhaul.service"
    path.write_text(text.replace("/usr/bin/longhaul", longhaul))
    if request.param != "hardened":
        folder = tmp_path / "longhaul.service.d"
        folder.mkdir()
        (folder / "command-actions.conf").write_text((UNITS / "command-actions.conf").read_text())
    return path, request.param == "hardened"


def test_unit_is_valid_and_as_hard_as_promised(unit):
    path, is_hardened = unit
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "longhaul" in line or "command-actions" in line]
    assert done.returncode == 0 and not ours, done.stderr
    if is_hardened:
        line = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)]
        done = subprocess.run(line, capture_output=True, text=True)
        level = float(re.search(r"exposure level for longhaul.service: ([0-9.]+)", done.stdout)[1])
        assert level <= MOST_EXPOSED, done.stdout


def test_drop_in_lifts_restrictions_of_the_unit_and_adds_none():
    def settings(name):
        lines = (UNITS / name).read_text().splitlines()
        return [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]

    unit = {name for name, _ in settings("longhaul.service")}
    for name, _ in settings("command-actions.conf"):
        assert name in unit or name == "Delegate", f"{name} is not restricted by the unit"


@pytest.fixture(scope="module")
def package(longhaul, clean, tmp_path_factory):
    """The package with the built program, installed into a root of its own."""
    stripped = tmp_path_factory.mktemp("program") / "longhaul"
    subprocess.run(["strip", "-o", str(stripped), longhaul], check=True)
    # A program with all its symbols would take half a minute to compress.
    settings = {"LONGHAUL_BINARY": str(stripped), "COMPRESSION": "0"}
    settings["CARGO_TARGET_DIR"] = str(tmp_path_factory.mktemp("built"))
    line = [str(ROOT / "scripts" / "build-deb.sh")]
    done = subprocess.run(line, env=clean | settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    file = done.stdout.strip()
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "--extract", file, str(root)], check=True)
    return file, root


def test_package_installs_and_is_removed(package, tmp_path):
    file, _ = package
    base = tmp_path / "root"
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "usr"):
        (base / folder).mkdir(parents=True)
    (base / "var/lib/dpkg/status").write_text("")

    def dpkg(*arguments):
        # The root has no shell: scripts run outside of it, and leave this machine alone because of DPKG_ROOT.
        line = ["dpkg", f"--admindir={base}/var/lib/dpkg", f"--instdir={base}", "--force-depends"]
        line += ["--force-script-chrootless", "--force-not-root", *arguments]
        return subprocess.run(line, capture_output=True, text=True)

    done = dpkg("--install", file)
    assert done.returncode == 0, done.stderr
    state = subprocess.run(
        ["dpkg-query", f"--admindir={base}/var/lib/dpkg", "-W", "-f", "${Status} ${Depends}", "longhaul"],
        capture_output=True,
        text=True,
    ).stdout
    assert state.startswith("install ok installed") and "libc6 (>=" in state and "@" not in state, state
    assert subprocess.run([str(base / "usr/bin/longhaul"), "--version"]).returncode == 0
    (base / "etc/longhaul/longhaul.toml").write_text("# mine\n")
    assert dpkg("--remove", "longhaul").returncode == 0
    assert not (base / "usr/bin/longhaul").exists()
    assert (base / "etc/longhaul/longhaul.toml").read_text() == "# mine\n"
    assert dpkg("--purge", "longhaul").returncode == 0
    assert not (base / "etc/longhaul/longhaul.toml").exists()


def test_package_has_what_the_unit_and_people_need(package):
    _, root = package
    unit = (root / "usr/lib/systemd/system/longhaul.service").read_text()
    for path in re.search(r"^ExecStart=(\S+) serve --config (\S+)$", unit, re.M).groups():
        assert (root / path.lstrip("/")).exists(), path
    pages = {path.name for path in (root / "usr/share/man/man1").iterdir()}
    assert {"longhaul.1.gz", "longhaul-serve.1.gz", "longhaul-task-list.1.gz"} <= pages
    for script in ("bash-completion/completions/longhaul", "zsh/vendor-completions/_longhaul"):
        assert "LONGHAUL_COMPLETE" in (root / "usr/share" / script).read_text()
    for path in root.rglob("*"):
        mode = path.stat().st_mode
        assert mode & 0o022 == 0 and mode & 0o044 == 0o044, f"{path} has the mode {mode:o}"
    named = re.search(r"^Documentation=man:(\S+)\((\d)\)", unit, re.M)
    assert f"{named[1]}.{named[2]}.gz" in pages


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_scripts_of_the_package_are_sound(script):
    subprocess.run(["dash", "-n", str(DEPLOY / "debian" / script)], check=True)


def test_configuration_of_the_package_is_read_by_the_server(tmp_path, longhaul, clean):
    text = (DEPLOY / "debian" / "longhaul.toml").read_text()
    # As it is, and with what it proposes in comments.
    proposed = re.sub(r"^listen = .*$", "", text, flags=re.M)
    proposed = re.sub(r"^# (listen|cert|key|\[)", r"\1", proposed, flags=re.M)
    for name, content in [("as-it-is", text), ("proposed", proposed)]:
        config = tmp_path / f"{name}.toml"
        config.write_text(content)
        line = [longhaul, "serve", "--config", str(config), "--data-dir", str(tmp_path / name)]
        # An address that cannot be bound, or a certificate that is missing, ends the start after the file was read.
        line += ["--listen", "unix:/no/s" if name == "as-it-is" else "127.0.0.1:0"]
        done = subprocess.run(line, env=clean, capture_output=True, text=True, timeout=60)
        wanted = "/no/s" if name == "as-it-is" else "longhaul.tls-"
        assert done.returncode == 1 and wanted in done.stderr, done.stderr
