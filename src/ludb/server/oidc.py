"""OpenID Connect: sending somebody to the identity provider, and hearing who they are. Code flow with PKCE, state and nonce.

An id token counts only if the provider's own keys signed it, for this client, for this very login, and not long ago.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ludb.server.oidc_settings import OidcRefused, OidcSettings, Passage, is_safe

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by the provider's own keys; none that a client's secret could make, and none that is none."""
PATIENCE, FRESH, AGAIN = 10.0, 3600.0, 5.0
"""Seconds that the provider may take; for which what it says of itself is believed; before one that did not answer is asked
again what it says of itself.
"""


class Provider:
    """One identity provider, from outside. Nothing is asked of it before somebody logs in."""

    def __init__(self, settings: OidcSettings, now: Callable[[], float]) -> None:
        """`now` is in Unix seconds: what id tokens are judged by."""
        self.settings, self._now = settings, now
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None
        self._missed = float("-inf")

    def address(self, passage: Passage, back: str) -> str:
        """Where to send somebody, who is then sent `back` with a code."""
        with self._session(back) as session:
            url, _ = session.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=passage.state, nonce=passage.nonce,
                code_verifier=passage.verifier,
            )  # fmt: skip
        return str(url)

    def claims(self, code: str, passage: Passage, back: str) -> dict[str, Any]:
        """What the provider says of whoever brought this code; `OidcRefused` if it does not stand up to every check."""
        try:
            with self._session(back) as session:
                given = session.fetch_token(
                    self._endpoint("token_endpoint"), code=code, code_verifier=passage.verifier, timeout=PATIENCE
                )
                told = self._checked(given.get("id_token"), passage.nonce)
                place = self._document().get("userinfo_endpoint")
                if place and given.get("access_token"):
                    more = session.get(place, timeout=PATIENCE).json()
                    if more.get("sub") == told["sub"]:
                        told = {**more, **told}
        except requests.RequestException as error:
            raise OidcRefused("away", f"the provider did not answer ({type(error).__name__})") from None
        except AuthlibBaseError as error:
            raise OidcRefused("denied", f"the provider gave no token: {str(error.error)[:60]}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise OidcRefused("token", "the provider's answer cannot be read") from None
        return told

    def leave(self, back: str) -> str | None:
        """Where to send somebody who logs out, so that the provider ends its session too; None if it offers no such place."""
        place = self._document().get("end_session_endpoint")
        if not isinstance(place, str) or not is_safe(place):
            return None
        joint = "&" if "?" in place else "?"
        return f"{place}{joint}{urlencode({'client_id': self.settings.client_id, 'post_logout_redirect_uri': back})}"

    def _checked(self, text: object, nonce: str) -> dict[str, Any]:
        if not isinstance(text, str):
            raise OidcRefused("token", "the provider gave no id token")
        try:
            token = self._opened(text)
            checks = jwt.JWTClaimsRegistry(
                now=int(self._now()), leeway=self.settings.clock_skew,
                iss={"essential": True, "value": self._document()["issuer"]},
                aud={"essential": True, "value": self.settings.client_id},
                sub={"essential": True}, exp={"essential": True}, iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )  # fmt: skip
            checks.validate(token.claims)
        except JoseError as error:
            raise OidcRefused("token", f"the id token does not count: {error.error}"[:200]) from None
        party = token.claims.get("azp", self.settings.client_id)
        if party != self.settings.client_id:
            raise OidcRefused("token", "the id token was made for another client")
        return dict(token.claims)

    def _opened(self, text: str) -> jwt.Token:
        """The token, if one of the provider's keys signed it; keys are fetched anew once, since they change."""
        known = self._keys
        if known is not None:
            try:
                return jwt.decode(text, known, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                pass
        self._keys = KeySet.import_key_set(self._get(self._endpoint("jwks_uri")))  # type: ignore[arg-type]
        return jwt.decode(text, self._keys, algorithms=ALGORITHMS)

    def _document(self) -> dict[str, Any]:
        """What the provider says of itself."""
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > FRESH:
                if time.monotonic() - self._missed < AGAIN:  # whoever waited at the lock need not find out anew
                    raise OidcRefused("away", "the provider did not answer a moment ago")
                place = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                try:
                    found = self._get(place)
                except OidcRefused:
                    self._missed = time.monotonic()
                    raise
                if str(found.get("issuer", "")).rstrip("/") != self.settings.issuer.rstrip("/"):
                    raise OidcRefused("token", "the provider calls itself by another name than the settings do")
                self._known = (time.monotonic(), dict(found))
            return self._known[1]

    def _endpoint(self, name: str) -> str:
        place = self._document().get(name)
        if not isinstance(place, str) or not is_safe(place):
            raise OidcRefused("away", f"the provider names no safe {name}")
        return place

    def _get(self, place: str) -> Mapping[str, Any]:
        try:
            answer = requests.get(place, timeout=PATIENCE)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise OidcRefused("away", f"the provider did not answer ({type(error).__name__})") from None
        return found if isinstance(found, dict) else {}

    def _session(self, back: str) -> OAuth2Session:
        own = self.settings
        secret = own.client_secret.get_secret_value() if own.client_secret else None
        return OAuth2Session(
            own.client_id, secret, token_endpoint_auth_method=f"client_secret_{own.secret_as}" if secret else "none",
            scope=" ".join(own.scopes), redirect_uri=back, code_challenge_method="S256",
        )  # fmt: skip
