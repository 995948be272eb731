"""Prints and log records of functions, as lines of the logs of their tasks."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from ..context import CURRENT


@contextlib.contextmanager
def captured(*, prints: bool, records: bool) -> Iterator[None]:
    """Captures while a worker runs. Everything also goes where it went before."""
    with contextlib.ExitStack() as stack:
        if prints:
            stack.enter_context(_streams())
        if records:
            stack.enter_context(_handler())
        yield


class Tee:
    """A text stream in front of another one: text that a function writes is also in the log of its task."""

    def __init__(self, behind: Any, stream: str) -> None:
        self._behind = behind
        self._stream = stream

    def write(self, text: str) -> int:
        context = CURRENT.get()
        if context is not None and isinstance(text, str):
            context._write(text, self._stream)
        # A process without a terminal may have no stream.
        return len(text) if self._behind is None else self._behind.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._behind is not None:
            self._behind.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    # Another worker of this process may have begun to capture.
    tees = [it if isinstance(it, Tee) else Tee(it, name) for it, name in zip(before, ("stdout", "stderr"), strict=True)]
    sys.stdout, sys.stderr = tees
    try:
        yield
    finally:
        # Unless somebody put another stream in its place meanwhile.
        if sys.stdout is tees[0]:
            sys.stdout = before[0]
        if sys.stderr is tees[1]:
            sys.stderr = before[1]


class Records(logging.Handler):
    """Log records of functions go to the logs of their tasks, from WARNING on as `stderr`."""

    def __init__(self, fallback: logging.Handler | None) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._fallback = fallback

    def emit(self, record: logging.LogRecord) -> None:
        context = CURRENT.get()
        if context is not None:
            try:
                context.log(self.format(record), stream="stderr" if record.levelno >= logging.WARNING else "stdout")
            except Exception:
                self.handleError(record)
        if self._fallback is not None and record.levelno >= self._fallback.level:
            # The stream may be a tee, which would write the line once more.
            token = CURRENT.set(None)
            try:
                self._fallback.handle(record)
            finally:
                CURRENT.reset(token)


@contextlib.contextmanager
def _handler() -> Iterator[None]:
    root = logging.getLogger()
    if any(isinstance(handler, Records) for handler in root.handlers):
        yield
        return
    # Without configuration Python writes warnings to stderr, but only while there is no handler at all.
    handler = Records(None if root.handlers else logging.lastResort)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
