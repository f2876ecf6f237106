"""Sign-in for REST sources: dlt's classes, completed by API keys in cookies and tokens renewed when they are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlt.sources.helpers.rest_client.auth import (
    APIKeyAuth,
    AuthConfigBase,
    BearerTokenAuth,
    HttpBasicAuth,
    OAuth2ClientCredentials,
)
from requests import PreparedRequest, Response, Session
from requests.auth import HTTPBasicAuth

from lakewright.errors import RunError
from lakewright.spec.rest import Auth

__all__ = ["auth_of"]

#: A token is renewed this many seconds before it expires, or in the last tenth of a shorter life.
_EARLY = 30


def auth_of(
    spec: Auth, resolve: Callable[[str], str], session: Session, hide: Callable[[str], None]
) -> AuthConfigBase:
    """Return what signs requests as *spec* says; *resolve* gives secrets, *hide* is told of tokens that are obtained."""
    text = {
        name: resolve(value)
        for name in ("username", "password", "token", "key", "client_id", "client_secret", "token_url")
        if (value := getattr(spec, name)) is not None
    }
    if spec.type == "basic":
        return HttpBasicAuth(username=text["username"], password=text.get("password", ""))
    if spec.type == "bearer":
        return BearerTokenAuth(token=text["token"])
    if spec.type == "api_key":
        if spec.in_ == "cookie":
            return _CookieKey(name=spec.name, api_key=text["key"])
        return APIKeyAuth(name=spec.name, api_key=text["key"], location=spec.in_)
    params = {name: resolve(value) for name, value in spec.token_params.items()}
    if spec.scopes:
        params["scope"] = " ".join(spec.scopes)
    auth = _ClientCredentials(
        access_token_url=text["token_url"],
        client_id=text["client_id"],
        client_secret=text["client_secret"],
        access_token_request_data=params,
        session=session,
    )
    auth.by_basic = spec.client_auth == "basic"
    auth.hide = hide
    return auth


class _CookieKey(APIKeyAuth):
    """An API key in a cookie, which dlt leaves out."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        own = "=".join((self.name, str(self.api_key)))
        there = request.headers.get("Cookie")
        request.headers["Cookie"] = f"{there!s}; {own}" if there else own
        return request


class _ClientCredentials(OAuth2ClientCredentials):
    """OAuth2 client credentials (RFC 6749, section 4.4) whose token is renewed early, and once more when it is refused."""

    by_basic = False
    lifetime = 0.0
    hide: Callable[[str], None]

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request = super().__call__(request)
        request.register_hook("response", self._renew)
        return request

    def is_token_expired(self) -> bool:
        early = min(_EARLY, self.lifetime / 10)
        return bool(
            type(self.token_expiry).now(self.token_expiry.tz) >= self.token_expiry.subtract(seconds=early)
        )

    def build_access_token_request(self) -> dict[str, Any]:
        request = super().build_access_token_request()
        if self.by_basic:
            del request["data"]["client_id"], request["data"]["client_secret"]
            request["auth"] = HTTPBasicAuth(self.client_id, self.client_secret)
        return request

    def obtain_token(self) -> None:
        """Ask for a token. Raises LW231 when there is none in the answer."""
        response = self.session.post(self.access_token_url, **self.build_access_token_request())
        try:
            answer = response.json() if response.ok else {}
        except ValueError:
            answer = {}
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise RunError(
                "LW231",
                f"the token address gave no access token: it answered {response.status_code}",
                remedy="correct `token_url`, `client_id`, `client_secret` and `scopes`",
            )
        self.hide(token)
        self.access_token = token
        try:
            self.lifetime = float(answer.get("expires_in") or self.default_token_expiration)
        except (TypeError, ValueError):
            self.lifetime = float(self.default_token_expiration)
        self.token_expiry = type(self.token_expiry).now(self.token_expiry.tz).add(seconds=self.lifetime)

    def _renew(self, response: Response, **options: Any) -> Response:
        """Send a request again, once, with a new token when the API refuses the old one before its time."""
        if response.status_code != 401 or not self.access_token:
            return response
        if response.request.headers.get("Authorization") == "Bearer " + self.access_token:
            self.obtain_token()
        _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        again = response.request.copy()
        again.headers["Authorization"] = f"Bearer {self.access_token}"
        renewed: Response = response.connection.send(again, **options)
        renewed.history.append(response)
        renewed.request = again
        return renewed
