"""Who we are to the server: an API key or token, or a session that renews itself."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import Future
from typing import Any

from ..errors import ApiError, LonghaulError, Unintelligible
from .plan import Answer, Join, Plan, Request, send


class Authority:
    """Puts the credential to requests. Without any, requests go as they are, and the server says what is missing."""

    def __init__(self, *, token: str | None = None, user: str | None = None, password: str | None = None) -> None:
        if token is not None and user is not None:
            raise ValueError("give an API key or a user, not both")
        if (user is None) != (password is None):
            raise ValueError("a user needs a password, and a password a user")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise ValueError("an API key or token is of visible characters of ASCII, without spaces around it")
        self._user = user
        self._password = password
        self._access = token
        self._refresh: str | None = None
        self._lock = threading.Lock()
        self._login: Future[LonghaulError | None] | None = None
        """The login or renewal that is under way, for which all others wait."""

    def credentials(self) -> dict[str, str | None]:
        """What was given, for a process that makes a session of its own."""
        given = None if self._user is not None else self._access
        return {"api_key": given, "user": self._user, "password": self._password}

    def send(self, request: Request) -> Plan[Answer]:
        """Sends a request as ourselves. A session that is over is renewed, and the request sent once more."""
        if self._user is None:
            return (yield from send(request if self._access is None else request.bearing(self._access)))
        used = self._access or (yield from self._other_than(None))
        answer = yield from send(request.bearing(used))
        # The 401 of somebody else, a proxy say, tells nothing about the session.
        if answer.status != 401 or answer.fault() is None:
            return answer
        return (yield from send(request.bearing((yield from self._other_than(used)))))

    def logout(self) -> Plan[None]:
        """Ends the session on the server. What was given, an API key, stays."""
        if self._refresh is None:
            return
        request = Request.of_json("DELETE", "/v1/tokens/refresh-token", self._refresh)
        self._access = self._refresh = None
        answer = yield from send(request)
        if answer.status != 404:
            answer.checked()

    def _other_than(self, used: str | None) -> Plan[str]:
        """An access token that is not `used`. However many ask at once, one of them gets it from the server."""
        while True:
            with self._lock:
                if self._access is not None and self._access != used:
                    return self._access
                under_way, mine = self._login, Future[LonghaulError | None]()
                if under_way is None:
                    # From here on nobody can cancel it: those who wait may be, and it is not theirs.
                    mine.set_running_or_notify_cancel()
                    self._login = mine
            if under_way is None:
                return (yield from self._as_first(mine))
            yield Join(under_way)
            error = under_way.result()
            if error is not None:
                # One of its own for each, as they gather tracebacks.
                raise copy.copy(error) from error.__cause__

    def _as_first(self, mine: Future[LonghaulError | None]) -> Plan[str]:
        failure: LonghaulError | None = None
        try:
            return (yield from self._renewed())
        except LonghaulError as error:
            failure = error
            raise
        finally:
            # Also where this plan is given up: then the next of those who wait is the first.
            with self._lock:
                self._login = None
            mine.set_result(failure)

    def _renewed(self) -> Plan[str]:
        """By the refresh token; where that ended, too, by logging in again."""
        if self._refresh is not None:
            request = Request.of_json("PATCH", "/v1/tokens/access-token/refresh", self._refresh)
            try:
                answer = (yield from send(request)).checked()
                self._access = _text(answer, answer.json())
                return self._access
            except ApiError as error:
                if error.status not in (400, 401, 404):
                    raise
        body = {"username": self._user, "password": self._password}
        answer = (yield from send(Request.of_json("POST", "/v1/tokens", body))).checked()
        tokens = answer.object()
        refresh = tokens.get("refreshToken")
        access = _text(answer, tokens.get("accessToken"))
        self._refresh = _text(answer, refresh.get("id") if isinstance(refresh, dict) else None)
        self._access = access
        return access


def _text(answer: Answer, value: Any) -> str:
    # What a header cannot carry is no token, either.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise Unintelligible(f"the answer {answer.status} to a login has no token")
    return value
