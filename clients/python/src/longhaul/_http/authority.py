"""Who we are to the server: an API key or token, or a session that renews itself."""

from __future__ import annotations

from ..errors import ApiError, LonghaulError
from .plan import Answer, Plan, Request, send


class Authority:
    """Puts the credential to requests. Without any, requests go as they are, and the server says what is missing."""

    def __init__(self, *, token: str | None = None, user: str | None = None, password: str | None = None) -> None:
        if token is not None and user is not None:
            raise ValueError("give an API key or a user, not both")
        if (user is None) != (password is None):
            raise ValueError("a user needs a password, and a password a user")
        self._user = user
        self._password = password
        self._access = token
        self._refresh: str | None = None

    def send(self, request: Request) -> Plan[Answer]:
        """Sends a request as ourselves. A session that is over is renewed, and the request sent once more."""
        if self._user is None:
            return (yield from send(request if self._access is None else request.bearing(self._access)))
        used = self._access or (yield from self._login())
        answer = yield from send(request.bearing(used))
        if answer.status != 401:
            return answer
        # Another thread may have renewed it meanwhile.
        renewed = self._access if self._access not in (None, used) else (yield from self._renew())
        return (yield from send(request.bearing(str(renewed))))

    def logout(self) -> Plan[None]:
        """Ends the session on the server. What was given, an API key, stays."""
        if self._refresh is None:
            return
        request = Request.of_json("DELETE", "/v1/tokens/refresh-token", self._refresh)
        self._access = self._refresh = None
        answer = yield from send(request)
        if answer.status != 404:
            answer.checked()

    def _login(self) -> Plan[str]:
        body = {"username": self._user, "password": self._password}
        answer = (yield from send(Request.of_json("POST", "/v1/tokens", body))).checked().json()
        access, self._refresh = str(answer["accessToken"]), str(answer["refreshToken"]["id"])
        self._access = access
        return access

    def _renew(self) -> Plan[str]:
        """By the refresh token; where that ended, too, by logging in again."""
        if self._refresh is None:
            return (yield from self._login())
        request = Request.of_json("PATCH", "/v1/tokens/access-token/refresh", self._refresh)
        try:
            access = (yield from send(request)).checked().json()
            if not isinstance(access, str):
                raise LonghaulError("the new access token is no text")
        except ApiError as error:
            if error.status not in (400, 401, 404):
                raise
            return (yield from self._login())
        self._access = access
        return access
