"""The task list: every filter, order and page, on three tasks that are known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calling import Caller
from conftest import admin_of, serve
from contract import QUERIES, Query
from things import Things


@pytest.fixture(scope="module")
def lister() -> Iterator[Caller]:
    """A server with nothing but those three."""
    for server in serve():
        yield admin_of(server)


@pytest.fixture(scope="module")
def tasks(lister: Caller) -> dict[str, str]:
    """Their IDs to their names here."""
    things = Things(lister)
    ready = things.start("quick", input={"fqdn": "ready.rainpole.io"})
    return {ready: "ready", things.failed(): "broken", things.cancelled(): "stopped"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.query or "none")
def test_query_finds(query: Query, lister: Caller, tasks: dict[str, str]) -> None:
    page = lister.get(f"/v1/tasks?{query.query}").json
    found = [tasks[task["id"]] for task in page["elements"]]
    assert (found if query.in_order else sorted(found)) == (
        query.finds if query.in_order else sorted(query.finds)
    )


@pytest.mark.parametrize(
    ("query", "metadata"),
    [
        ("", (1, 10, 3, 1)),
        ("?pageSize=2", (1, 2, 3, 2)),
        ("?pageSize=2&pageNumber=2", (2, 2, 3, 2)),
        ("?pageSize=1&limit=2", (1, 1, 2, 2)),
        ("?taskStatus=FAILED", (1, 10, 1, 1)),
        ("?taskType=NOTHING", (1, 10, 0, 0)),
    ],
)
def test_totals_are_exact(query: str, metadata: tuple[int, ...], lister: Caller, tasks: dict) -> None:
    page = lister.get(f"/v1/tasks{query}").json["pageMetadata"]
    assert list(page.items()) == list(
        zip(("pageNumber", "pageSize", "totalElements", "totalPages"), metadata, strict=True)
    )
