"""The package as it is installed and published."""

from __future__ import annotations

import re
from importlib.metadata import files, metadata

from proxy import proxied
from serving import HERE
from test_bad_networks import response

import longhaul
from longhaul import Client

README = (HERE.parent / "README.md").read_text(encoding="utf-8")
HOME = "https://github.com/longhaul/longhaul"


def test_the_metadata_say_what_an_index_shows() -> None:
    said = metadata("longhaul")
    assert said["Version"] == longhaul.__version__
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.10"
    assert said["Description-Content-Type"] == "text/markdown"
    links = dict(link.split(", ") for link in said.get_all("Project-URL") or [])
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= links.keys()
    assert all(link.startswith(HOME) for link in links.values())
    names = {path.name for path in files("longhaul") or []}
    assert {"LICENSE", "py.typed"} <= names


def test_links_of_the_readme_lead_somewhere_from_an_index_too() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lower()).strip().replace(" ", "-") for line in README.splitlines() if "# " in line
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert target.startswith(f"{HOME}/blob/main/"), target
            file = target.removeprefix(f"{HOME}/blob/main/").split("#")[0]
            assert (HERE.parent.parent.parent / file).is_file(), target


def test_requests_name_the_version() -> None:
    with proxied("http://127.0.0.1:1") as proxy, Client(proxy.url, api_key="k") as client:
        proxy.script = lambda call: response(200, b'{"name": "anna"}')
        client.whoami()
        assert f"User-Agent: longhaul-python/{longhaul.__version__}\r\n".encode() in proxy.calls[0].whole
