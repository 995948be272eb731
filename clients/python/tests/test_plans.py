"""Plans without a server: when something is asked again, and as whom."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import pytest

from longhaul import NotFound, ServerError, TooManyRequests, Unauthorized, Unintelligible, Unreachable, Untrusted
from longhaul._http.authority import Authority
from longhaul._http.persist import LATEST, LONGEST, pauses, persist
from longhaul._http.plan import Answer, Pause, Plan, Request, duration
from longhaul._http.reach import Reach

T = TypeVar("T")
GET = Request("GET", "/v1/tasks", repeatable=True)
PATCH = Request("PATCH", "/v1/tasks/1")


def answer(status: int, body: str | None = None, **headers: str) -> Answer:
    if body is None:
        body = "{}" if status < 400 else '{"errorCode": "NO", "message": "no"}'
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode())


def carry_out(plan: Plan[T], *outcomes: Answer | Unreachable) -> tuple[T, list[Request], list[float]]:
    """Carries a plan out with the outcomes of its requests; what was asked, and how long the pauses were."""
    requests: list[Request] = []
    paused: list[float] = []
    left = iter(outcomes)
    outcome: Any = None
    while True:
        try:
            step = plan.throw(outcome) if isinstance(outcome, Unreachable) else plan.send(outcome)
        except StopIteration as end:
            assert next(left, None) is None, "it asked less often than expected"
            return end.value, requests, paused
        if isinstance(step, Pause):
            paused.append(step.seconds)
            outcome = None
        else:
            assert isinstance(step, Request)
            requests.append(step)
            outcome = next(left)


def bearers(requests: list[Request]) -> list[str | None]:
    return [request.headers.get("Authorization") for request in requests]


KEY = Authority(token="lhk_1")


def itself(answer: Answer) -> Answer:
    return answer


def test_silence_is_asked_again_with_the_same_request() -> None:
    silence = Unreachable("nobody")
    end, requests, paused = carry_out(persist(KEY, GET, itself, patience=None), silence, silence, answer(200))
    assert end.status == 200
    assert len(set(map(id, requests))) == 3
    assert requests[0] == requests[1] == requests[2]
    assert len(paused) == 2


def test_what_is_not_repeatable_is_not_sent_again() -> None:
    with pytest.raises(Unreachable):
        carry_out(persist(KEY, PATCH, itself, patience=None), Unreachable("nobody"))
    with pytest.raises(ServerError):
        carry_out(persist(KEY, PATCH, itself, patience=None), answer(503))


def test_too_much_at_once_is_asked_again_when_the_server_says() -> None:
    busy = answer(429, retry_after="3")
    end, _, paused = carry_out(persist(KEY, PATCH, itself, patience=30), busy, busy, answer(200))
    assert end.status == 200
    assert paused == [3.0, 3.0]


def test_a_server_that_fails_is_asked_again_after_what_it_says_or_a_growing_pause() -> None:
    outcomes = [answer(503, retry_after="5"), *(answer(502) for _ in range(9)), answer(200)]
    _, _, paused = carry_out(persist(KEY, GET, itself, patience=None), *outcomes)
    assert paused[0] == 5.0
    assert all(0 < pause <= LONGEST for pause in paused)
    assert paused[-1] >= LONGEST / 2


def test_a_caller_may_have_to_be_back_sooner_than_the_server_asks_for() -> None:
    busy = answer(429, retry_after="600")
    _, _, paused = carry_out(persist(KEY, GET, itself, patience=None, latest=5), busy, busy, answer(200))
    assert paused == [5.0, 5.0]


@pytest.mark.parametrize("asked", ["nan", "inf", "-1", "1e400", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "86400000"])
def test_no_retry_after_is_slept_for_ever(asked: str) -> None:
    _, _, paused = carry_out(persist(KEY, GET, itself, patience=None), answer(503, retry_after=asked), answer(200))
    assert 0 <= paused[0] <= LATEST


def test_a_certificate_that_is_not_trusted_is_waited_out_only_behind_an_answer() -> None:
    untrusted, reach = Untrusted("self-signed"), Reach("https://longhaul")
    with pytest.raises(Untrusted):
        carry_out(persist(KEY, GET, itself, patience=None, reach=reach), untrusted)
    carry_out(persist(KEY, GET, itself, patience=None, reach=reach), answer(200))
    end, _, paused = carry_out(persist(KEY, GET, itself, patience=None, reach=reach), untrusted, answer(200))
    assert end.status == 200
    assert len(paused) == 1


def test_patience_ends() -> None:
    with pytest.raises(ServerError):
        carry_out(persist(KEY, GET, itself, patience=1), *(answer(503) for _ in range(20)))
    with pytest.raises(Unreachable):
        carry_out(persist(KEY, GET, itself, patience=1), *(Unreachable("nobody") for _ in range(20)))
    with pytest.raises(TooManyRequests) as refused:
        carry_out(persist(KEY, GET, itself, patience=30), answer(429, retry_after="900"))
    assert refused.value.retry_after == 900


def test_pauses_grow_to_ten_seconds_and_differ() -> None:
    first, second = (list(itertools.islice(pauses(), 12)) for _ in range(2))
    assert first != second
    assert all(0.1 <= pause <= 0.2 for pause in (first[0], second[0]))
    assert all(5 <= pause <= 10 for pause in first[-3:] + second[-3:])


def test_a_refusal_is_not_asked_again() -> None:
    with pytest.raises(NotFound, match="no such task"):
        carry_out(
            persist(KEY, GET, itself, patience=None),
            answer(404, '{"errorCode": "TASK_NOT_FOUND", "message": "no such task"}'),
        )


LOGIN = answer(201, '{"accessToken": "a1", "refreshToken": {"id": "r1"}}')


def test_a_session_begins_with_a_login_and_is_kept() -> None:
    authority = Authority(user="anna", password="secret")
    _, requests, _ = carry_out(authority.send(GET), LOGIN, answer(200))
    assert [request.path for request in requests] == ["/v1/tokens", "/v1/tasks"]
    assert requests[0].body == b'{"username":"anna","password":"secret"}'
    assert bearers(requests) == [None, "Bearer a1"]
    _, requests, _ = carry_out(authority.send(GET), answer(200))
    assert bearers(requests) == ["Bearer a1"]


def test_a_token_that_is_over_is_renewed_and_the_request_sent_again() -> None:
    authority = Authority(user="anna", password="secret")
    carry_out(authority.send(GET), LOGIN, answer(200))
    end, requests, _ = carry_out(authority.send(PATCH), answer(401), answer(200, '"a2"'), answer(200))
    assert end.status == 200
    assert [request.path for request in requests] == [
        "/v1/tasks/1",
        "/v1/tokens/access-token/refresh",
        "/v1/tasks/1",
    ]
    assert requests[1].body == b'"r1"'
    assert bearers(requests) == ["Bearer a1", None, "Bearer a2"]


def test_a_session_that_is_over_is_logged_in_again() -> None:
    authority = Authority(user="anna", password="secret")
    carry_out(authority.send(GET), LOGIN, answer(200))
    again = answer(201, '{"accessToken": "a3", "refreshToken": {"id": "r3"}}')
    _, requests, _ = carry_out(authority.send(GET), answer(401), answer(404), again, answer(200))
    assert bearers(requests)[-1] == "Bearer a3"


def test_a_token_that_another_thread_renewed_is_taken() -> None:
    authority = Authority(user="anna", password="secret")
    carry_out(authority.send(GET), LOGIN, answer(200))
    slow = authority.send(GET)
    first = next(slow)
    carry_out(authority.send(GET), answer(401), answer(200, '"a2"'), answer(200))
    assert isinstance(first, Request)
    assert bearers([first]) == ["Bearer a1"]
    second = slow.send(answer(401))
    assert isinstance(second, Request)
    assert bearers([second]) == ["Bearer a2"]


def test_a_key_is_not_renewed() -> None:
    end, requests, _ = carry_out(KEY.send(GET), answer(401))
    assert end.status == 401
    assert bearers(requests) == ["Bearer lhk_1"]
    with pytest.raises(Unauthorized):
        end.checked()


def test_an_error_that_is_no_error_of_the_api_is_quoted() -> None:
    error = answer(502, "<html>Bad Gateway</html>").refusal()
    assert (error.status, error.message, error.code) == (502, "<html>Bad Gateway</html>", None)
    assert answer(502, "").refusal().message == "the server answered 502"
    with pytest.raises(Unintelligible):
        answer(200, "<html>").json()


@pytest.mark.parametrize(("seconds", "text"), [(30, "30000ms"), (0.25, "250ms"), (0, "0ms"), (-1, "0ms")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
