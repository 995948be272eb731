"""The worker's process: the signals that stop it, children of its functions, and its end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

log = logging.getLogger("longhaul.worker")

STOPPING = (signal.SIGTERM, signal.SIGINT)
LEFT_BEHIND = 2.0
"""Seconds that threads and processes which functions left behind may keep an ending process."""

_before: dict[signal.Signals, Any] = {}
"""The handlers of the signals before the worker installed its own."""


def imports_main_module() -> bool:
    """True in a child of multiprocessing that is importing its parent's script.

    A script without `if __name__ == "__main__"` would run a second worker there, in place of the child's task.
    """
    process = sys.modules.get("multiprocessing.process")
    return process is not None and getattr(process.current_process(), "_inheriting", False)


@contextlib.contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """Has SIGTERM and SIGINT call `stop`, if this is the main thread. Forked children keep the previous handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner, told = os.getpid(), threading.Event()

    def hear(number: int, _: object) -> None:
        if os.getpid() == owner:
            told.set()
            stop()
        else:
            _restore()
            os.kill(os.getpid(), number)

    for number in STOPPING:
        _before[number] = signal.getsignal(number)
        signal.signal(number, hear)
    try:
        yield
    finally:
        _restore()
        if told.is_set():
            _end_soon()


def _restore() -> None:
    for number, handler in _before.items():
        with contextlib.suppress(ValueError, OSError):
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    _before.clear()


class _Masks(threading.local):
    """The signals a thread had blocked before it forked."""

    old: set[int | signal.Signals] | None = None


_masks = _Masks()


def _hold() -> None:
    # A signal sent to the child in its first moment would be caught by the inherited handler, and dropped.
    if _before:
        _masks.old = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _release() -> None:
    old, _masks.old = _masks.old, None
    if old is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _restore_child() -> None:
    # Not left to the handler: a child that computes in C would never run it.
    _restore()
    _release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_restore_child)


def leave_child(error: BaseException | None) -> NoReturn:
    """Ends a child made with `os.fork` that returned from its function: the rest is its parent's work."""
    code: object = 0
    with contextlib.suppress(BaseException):
        if isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
            if not isinstance(code, int):
                print(code, file=sys.stderr)
        elif error is not None:
            code = 1
            traceback.print_exception(error)
        _flush()
    os._exit(code & 0xFF if isinstance(code, int) else 1)


def reap() -> None:
    """Reaps children that have ended and that no function waited for; they would stay zombies."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None:
        with contextlib.suppress(Exception):
            multiprocessing.active_children()


def _end_soon() -> None:
    """Limits how long threads and processes that functions left behind delay the end of the interpreter.

    Python waits without limit for threads that are not daemons, for those of executors, and for processes.
    """
    ending = threading.Event()

    def watch() -> None:
        ending.wait()
        time.sleep(LEFT_BEHIND)
        log.error("threads or processes that functions left behind go on: the process ends without them")
        multiprocessing = sys.modules.get("multiprocessing")
        with contextlib.suppress(Exception):
            for child in multiprocessing.active_children() if multiprocessing is not None else ():
                child.kill()
        with contextlib.suppress(BaseException):
            _flush()
        os._exit(0)

    threading.Thread(target=watch, name="longhaul-end", daemon=True).start()
    # This runs before any thread is joined; the public `atexit` runs after that.
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        with contextlib.suppress(RuntimeError):
            register(ending.set)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
