"""Server-sent events: the messages in the bytes of a stream, however these are cut."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Unintelligible

MOST = 64 * 1024 * 1024
"""The most bytes of one message. The server's own are far smaller."""


@dataclass(frozen=True)
class Message:
    """A message. `id`: its own, and not that of an earlier one."""

    kind: str
    id: str | None
    data: str


class Messages:
    """A reader of one stream. A message that its stream ends in is never given."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        """The parts of a line whose end has not come yet."""
        self._held = 0
        self._first = True
        self._kind = ""
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[Message]:
        """The messages that end in `data`. Raises `Unintelligible` for one that is too long."""
        self._held += len(data)
        if self._held > MOST:
            raise Unintelligible(f"an event is longer than {MOST} bytes")
        self._line.append(data)
        # A line feed may follow a carriage return at the end, and belongs to it.
        if b"\n" not in data and b"\r" not in data and not self._line[0].endswith(b"\r"):
            return []
        whole = b"".join(self._line)
        lines = whole.splitlines(keepends=True)
        self._line = [] if lines[-1].endswith(b"\n") else [lines.pop()]
        return [message for line in lines if (message := self._read(line.rstrip(b"\r\n"))) is not None]

    def _read(self, line: bytes) -> Message | None:
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            message = Message(self._kind or "message", self._id, "\n".join(self._data))
            given, self._held = bool(self._data), sum(map(len, self._line))
            self._kind, self._id, self._data = "", None, []
            return message if given else None
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None
