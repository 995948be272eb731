"""Credentials: an API key or token, or a session that renews itself."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import Future
from typing import Any

from ..errors import ApiError, LonghaulError, Unintelligible
from .plan import Answer, Join, Plan, Request, send


class Authority:
    """Adds the credential to requests. Without one, requests are sent as they are, and the server refuses them."""

    def __init__(self, *, token: str | None = None, user: str | None = None, password: str | None = None) -> None:
        if token is not None and user is not None:
            raise ValueError("give an API key or a user, not both")
        if (user is None) != (password is None):
            raise ValueError("a user needs a password, and a password a user")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise ValueError("an API key or token is of visible characters of ASCII, without spaces around it")
        for name, text in (("user", user), ("password", password)):
            if text is not None and text.encode(errors="replace").decode() != text:
                raise ValueError(f"the {name} is not UTF-8 text")
        self._user = user
        self._password = password
        self._access = token
        self._refresh: str | None = None
        self._lock = threading.Lock()
        self._login: Future[LonghaulError | None] | None = None
        """The login or renewal in progress, for which all others wait."""

    def credentials(self) -> dict[str, str | None]:
        """The given credentials, for a process that opens a session of its own."""
        given = None if self._user is not None else self._access
        return {"api_key": given, "user": self._user, "password": self._password}

    def send(self, request: Request) -> Plan[Answer]:
        """Sends a request with the credential. An expired session is renewed, and the request sent once more."""
        if self._user is None:
            return (yield from send(request if self._access is None else request.bearing(self._access)))
        used = self._access or (yield from self._other_than(None))
        answer = yield from send(request.bearing(used))
        # A 401 that is not the server's own, from a proxy for instance, says nothing about the session.
        if answer.status != 401 or answer.fault() is None:
            return answer
        return (yield from send(request.bearing((yield from self._other_than(used)))))

    def logout(self) -> Plan[None]:
        """Ends the session on the server. An API key stays valid."""
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
                    # A running future cannot be cancelled: a cancelled waiter does not take the others along.
                    mine.set_running_or_notify_cancel()
                    self._login = mine
            if under_way is None:
                return (yield from self._as_first(mine))
            yield Join(under_way)
            error = under_way.result()
            if error is not None:
                # A copy for each waiter, as raising adds to the traceback.
                raise copy.copy(error) from error.__cause__

    def _as_first(self, mine: Future[LonghaulError | None]) -> Plan[str]:
        failure: LonghaulError | None = None
        try:
            return (yield from self._renewed())
        except LonghaulError as error:
            failure = error
            raise
        finally:
            # Also where this plan is closed half-way: one of the waiters then takes over.
            with self._lock:
                self._login = None
            mine.set_result(failure)

    def _renewed(self) -> Plan[str]:
        """Renews the session by its refresh token, or logs in again where that has expired, too."""
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
    # A text that a header cannot carry is not a token.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise Unintelligible(f"the answer {answer.status} to a login has no token")
    return value
