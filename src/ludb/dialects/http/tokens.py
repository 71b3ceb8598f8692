"""OAuth2 tokens of one system: fetched once for all calls that wait for one, before they end and when they are refused."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import HTTPAdapter

from ludb.dialects.http.auth import OAuth2, TlsSettings, TokenAway, TokenRefused
from ludb.dialects.http.kept_token import Busy, Held, KeptToken, Unreadable

EARLY = 0.1
"""Share of a token's life before whose end it is renewed, so that none ends on its way."""
EARLIEST = 30.0
"""The same in seconds, at most."""


class Tokens:
    """The access token of one system. Used on one event loop; whoever comes while one is fetched waits for that one.

    Tokens that come of a refresh token are shared with all processes of the state directory (`KeptToken`): a server that
    gives a new refresh token with each use may take a second use of the old one for theft, and revoke them all.

    Messages name the server and what it answered (the error's code), never a secret.
    """

    def __init__(
        self,
        settings: OAuth2,
        tls: TlsSettings | None,
        folder: Path,
        timeout: float,
        state: Path,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is fetched yet. `tls` goes for the authorization server too; its paths start at `folder`."""
        self._settings, self._tls, self._folder, self._timeout, self._clock = settings, tls, folder, timeout, clock
        parts = urlsplit(settings.token_url)
        self._where = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        self._now = now
        self._token, self._ends, self._spoilt = "", 0.0, ""
        configured = settings.refresh_token.get_secret_value() if settings.refresh_token else ""
        self._kept = KeptToken(state, configured, settings.token_url, settings.client_id) if configured else None

    def begin(self) -> None:
        """Calls wait on this event loop from now on."""
        self._turn = asyncio.Lock()

    async def current(self) -> str:
        """A token that is good for now; `TokenAway` or `TokenRefused` where there is none to be had."""
        async with self._turn:
            if not self._token or self._clock() >= self._ends:
                await asyncio.to_thread(self._fetch)
            return self._token

    def spoil(self, token: str) -> None:
        """The API refuses this token: the next call fetches another, unless somebody has done so already."""
        if token == self._token:
            self._token, self._spoilt = "", token

    def _fetch(self) -> None:
        if self._kept is None:
            began = self._clock()
            given = self._answered(self._granted)
            self._token, self._ends = self._token_of(given), began + _life(given)
            return
        try:
            with self._kept.turn(2 * self._timeout):
                self._share(self._kept)
        except Busy:
            raise TokenAway(f"no token from {self._where}: another process has been asking for too long") from None
        except Unreadable:
            raise TokenRefused(
                f"no token from {self._where}: {self._kept.path} is damaged, and with it the newest refresh token is lost; "
                "get a new one"
            ) from None
        except OSError as error:
            place = self._kept.path.parent
            raise TokenAway(f"no token from {self._where}: {place} cannot be written ({error.strerror})") from None

    def _share(self, kept: KeptToken) -> None:
        """Take the token that another process fetched; where there is none that is good, fetch it for all."""
        held = kept.read()
        if not held.access or held.access == self._spoilt or self._now() >= held.ends:
            kept.write(held)  # a disk that takes nothing is noticed before the refresh token is spent
            began = self._now()
            given = self._answered(lambda session: self._refreshed(session, held.refresh))
            newer = given.get("refresh_token")
            refresh = newer if isinstance(newer, str) and newer else held.refresh
            access = given.get("access_token")
            held = Held(refresh, access if isinstance(access, str) else "", began + _life(given))
            kept.write(held)
            self._token_of(given)
        self._token, self._ends = held.access, self._clock() + held.ends - self._now()

    def _answered(self, ask: Callable[[OAuth2Session], dict[str, Any]]) -> dict[str, Any]:
        try:
            with self._session() as session:
                return ask(session)
        except requests.RequestException as error:
            raise TokenAway(f"no token from {self._where}: no answer ({type(error).__name__})") from None
        except AuthlibBaseError as error:
            raise TokenRefused(f"no token from {self._where}: it answered {_code(error.error)}") from None
        except (ValueError, KeyError, TypeError):
            raise TokenAway(f"no token from {self._where}: its answer cannot be read") from None

    def _session(self) -> OAuth2Session:
        own = self._settings
        secret = own.client_secret.get_secret_value() if own.client_secret else None
        how = f"client_secret_{own.send_as}" if secret else "none"
        session = OAuth2Session(
            own.client_id, secret, token_endpoint_auth_method=how, scope=own.scope, default_timeout=self._timeout
        )
        session.trust_env = False  # neither proxies nor passwords of the environment
        if self._tls is not None:
            session.mount("https://", _Adapter(self._tls.context(self._folder, "systems")))
            session.verify = str(self._folder / self._tls.ca) if self._tls.ca else True
        for moment in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(moment, self._heed)
        return session

    def _heed(self, answer: requests.Response) -> requests.Response:
        """Tell a server that is not well from one that refuses us, whatever its body."""
        if answer.status_code in {408, 429} or answer.status_code >= 500:
            raise TokenAway(f"no token from {self._where}: it answered {answer.status_code}")
        if answer.status_code >= 300:
            try:
                said = _code(answer.json().get("error"))
            except (ValueError, AttributeError):
                said = "no reason"
            raise TokenRefused(f"no token from {self._where}: it answered {answer.status_code}, {said}")
        return answer

    def _granted(self, session: OAuth2Session) -> dict[str, Any]:
        own = self._settings
        more = {"audience": own.audience} if own.audience else {}
        return dict(session.fetch_token(own.token_url, grant_type="client_credentials", allow_redirects=False, **more))

    def _refreshed(self, session: OAuth2Session, refresh: str) -> dict[str, Any]:
        session.token = {"refresh_token": refresh}
        url = self._settings.token_url
        return dict(session.refresh_token(url, refresh_token=refresh, allow_redirects=False))

    def _token_of(self, given: dict[str, Any]) -> str:
        token = given.get("access_token")
        if not isinstance(token, str) or not token:
            raise TokenAway(f"no token from {self._where}: its answer holds none")
        return token


def _life(given: dict[str, Any]) -> float:
    """Seconds for which the token is used: an hour where the server does not say."""
    said = given.get("expires_in")
    known = isinstance(said, int | float | str) and str(said).replace(".", "", 1).isdigit()
    seconds = float(said) if known else 3600.0  # type: ignore[arg-type]
    return seconds - min(seconds * EARLY, EARLIEST)


class _Adapter(HTTPAdapter):
    """Connects with certificates of our own, as `requests` alone cannot where the key is locked."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)


def _code(said: object) -> str:
    """An error's code as OAuth2 has them (`invalid_client`); other texts may hold anything, and are not shown."""
    return said if isinstance(said, str) and said.replace("_", "").isalpha() and len(said) < 60 else "an error"
