"""Workflows that the tests run."""

from __future__ import annotations

from typing import Any


def workflow(name: str, *sub_tasks: dict[str, Any], **more: Any) -> dict[str, object]:
    """A workflow that takes any input."""
    return {
        "name": name,
        "type": "TEST_RUN",
        "title": f"Test {name}",
        "input": {"type": "object"},
        "subTasks": list(sub_tasks),
        **more,
    }


def simulate(name: str = "Work", **action: Any) -> dict[str, Any]:
    return {"name": name, "description": f"Simulate {name}", "action": {"simulate": action}}


def work(
    queue: str, name: str = "Work", *, input: Any = "{{ input }}", priority: int = 0, **more: Any
) -> dict[str, Any]:
    """A sub-task for workers."""
    action = {"queue": queue, "input": input, "priority": priority}
    return {"name": name, "description": f"Do {name}", "action": {"worker": action}, **more}
