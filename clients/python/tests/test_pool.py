"""The threads of functions that are not `async`."""

from __future__ import annotations

import threading

import pytest

from longhaul._worker.pool import Pool


def test_all_that_fits_runs_at_once_however_it_comes() -> None:
    """Work that one thread waits for must never queue behind a busy thread."""
    for _ in range(300):
        pool, together = Pool(4), threading.Barrier(4)
        futures = [pool.submit(lambda together=together: together.wait(10)) for _ in range(4)]  # type: ignore[misc]
        assert sorted(future.result(20) for future in futures) == [0, 1, 2, 3]
        pool.close()


def test_threads_are_used_again_and_no_more_than_allowed() -> None:
    pool = Pool(2)
    names = {pool.submit(lambda: threading.current_thread().name).result(10) for _ in range(50)}
    assert 1 <= len(names) <= 2
    many = [pool.submit(lambda: threading.current_thread().name) for _ in range(50)]
    assert len({future.result(10) for future in many} | names) <= 2
    pool.close()


def test_what_is_raised_is_told() -> None:
    def fail() -> None:
        raise SystemExit(3)

    pool = Pool(1)
    future = pool.submit(fail)
    with pytest.raises(SystemExit):
        future.result(10)
    assert pool.submit(lambda: "still there").result(10) == "still there"
    pool.close()


def test_what_was_submitted_cannot_be_cancelled() -> None:
    pool, go_on = Pool(1), threading.Event()
    first = pool.submit(lambda: go_on.wait(10))
    second = pool.submit(lambda: 2)
    assert not second.cancel()
    go_on.set()
    assert first.result(10)
    assert second.result(10) == 2
    pool.close()
