"""Puts things into the places that a table leaves for them."""

from __future__ import annotations

import re
from typing import Any

from things import Things

PLACE = re.compile(r"\{([a-z_]+)\}")


class Filling:
    """One row's things: the same name is the same thing all over the row."""

    def __init__(self, things: Things) -> None:
        self.things = things
        self.made: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            return PLACE.sub(lambda place: self._thing(place[1]), value)
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, dict):
            return {name: self(item) for name, item in value.items()}
        return value

    def _thing(self, name: str) -> str:
        if name not in self.made:
            self.made[name] = self.things.make(name)
        return self.made[name]
