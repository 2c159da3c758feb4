"""OpenID Connect: people sign in at an identity provider (authorization code with PKCE).

What a browser brings back is believed only with the state that the same browser was sent away with,
and who it is only by a token that the provider's keys have signed, for us, for this attempt.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from quotad.errors import Busy, ConfigError, Unauthenticated
from quotad.history import fit
from quotad.tokens.persons import Person

BACK = "/sign-in/oidc/back"
"""Where the provider sends browsers back to."""

TIMEOUT_S = 10.0
"""Longest time that the provider may take for one answer."""

ANSWER_BYTES_MAX = 1024 * 1024
ASKING_MAX = 4
"""Requests to the provider at once, so that a slow one does not take the threads of all pages."""

KEPT_S = 3600.0
"""How long what the provider says about itself is kept."""
KEYS_S = 30.0
"""Least time between two looks for keys that were not there."""

LEEWAY_S = 60
"""How much its clock may differ from ours."""

_HERE = ("localhost", "127.0.0.1", "::1")

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a key of the provider's alone; never `none`, nor a secret that is shared."""


class OidcSettings(msgspec.Struct, frozen=True):
    """How the provider knows us."""

    issuer: str
    client_id: str
    client_secret: str
    dashboard_url: str
    """Where browsers reach us."""
    name_claim: str
    groups_claim: str

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigError: names the setting.
        """
        if not self.client_id:
            raise ConfigError("oidc_client_id: is missing; the identity provider has it")
        for setting, url in (("oidc_issuer", self.issuer), ("dashboard_url", self.dashboard_url)):
            parts = urlsplit(url)
            if not parts.hostname or parts.scheme not in ("http", "https"):
                raise ConfigError(f"{setting}: must be a URL such as https://example.com")
            if parts.scheme == "http" and parts.hostname not in _HERE:
                raise ConfigError(f"{setting}: must be https, except on this machine")


class OidcAttempt(msgspec.Struct, frozen=True):
    """One way to the provider and back, as the browser keeps it meanwhile."""

    state: str
    nonce: str
    verifier: str
    next_path: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OidcAttempt).decode


class OidcProvider:
    """The identity provider; for all threads."""

    def __init__(self, settings: OidcSettings) -> None:
        settings.check()
        self._settings = settings
        self._redirect = settings.dashboard_url.rstrip("/") + BACK
        self.is_secure = settings.dashboard_url.startswith("https:")
        """Whether browsers come by TLS."""
        self._asking = threading.BoundedSemaphore(ASKING_MAX)
        self._about: tuple[float, Mapping[str, Any]] = (0.0, {})
        self._keys: tuple[float, KeySet | None] = (0.0, None)

    def begin(self, next_path: str) -> tuple[str, str]:
        """Return where to send the browser, and what it keeps in a cookie.

        Raises:
            Unauthenticated: the provider does not answer.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = OidcAttempt(state, nonce, verifier, next_path)
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect,
            "scope": "openid email profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint("authorization_endpoint")
        joined = "&" if "?" in endpoint else "?"
        kept = base64.urlsafe_b64encode(_encode(attempt)).decode().rstrip("=")
        return f"{endpoint}{joined}{urlencode(asked)}", kept

    def end(self, kept: str, state: str, code: str, refusal: str) -> tuple[Person, str]:
        """Return who has signed in, and where they wanted to go.

        Args:
            kept: by the browser, since `begin`.
            state: that it has brought back.
            code: likewise.
            refusal: likewise, why there is none; empty: there is.

        Raises:
            Unauthenticated: it is not the browser that was sent away, or the provider disagrees.
        """
        try:
            attempt = _decode(base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4)))
        except ValueError:
            raise Unauthenticated(
                "signing in took too long, or began elsewhere; try again"
            ) from None
        if not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise Unauthenticated("signing in began in another window; try again")
        if refusal:  # shown only now: a link could have any text there
            raise Unauthenticated(f"the identity provider refused: {refusal[:200]}")
        claims = self._claims(self._exchanged(code, attempt.verifier), attempt.nonce)
        return self._person(claims), attempt.next_path

    def _exchanged(self, code: str, verifier: str) -> str:
        """Return the token of a person for the code that the browser has brought."""
        settings = self._settings
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": settings.client_id,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if settings.client_secret:
            pair = f"{quote(settings.client_id, '')}:{quote(settings.client_secret, '')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = self._fetch(self._endpoint("token_endpoint"), urlencode(sent).encode(), headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Unauthenticated("the identity provider has answered without an ID token")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            try:
                found = jwt.decode(token, self._key_set(), algorithms=ALGORITHMS)
            except InvalidKeyIdError:  # the provider has changed its keys
                found = jwt.decode(token, self._key_set(anew=True), algorithms=ALGORITHMS)
            registry.validate(found.claims)
        except (JoseError, ValueError) as error:
            raise Unauthenticated(f"the identity provider's token is not valid: {error}") from None
        claims: dict[str, Any] = found.claims
        aud, azp = claims["aud"], claims.get("azp")
        if azp not in (None, self._settings.client_id) or (
            isinstance(aud, list) and aud[1:] and not azp
        ):
            raise Unauthenticated("the identity provider's token is for another application")
        return claims

    def _person(self, claims: Mapping[str, Any]) -> Person:
        claim = self._settings.name_claim
        name = claims.get(claim)
        if not isinstance(name, str) or not fit(name.strip()):
            raise Unauthenticated(f"the identity provider gives no {claim!r} (oidc_name_claim)")
        # Anybody can write any address where nobody looks whose it is.
        if claim == "email" and claims.get("email_verified") is not True:
            raise Unauthenticated(
                "the identity provider does not state that the email address is verified;"
                " choose another claim (oidc_name_claim)"
            )
        groups = claims.get(self._settings.groups_claim, ())
        listed = [groups] if isinstance(groups, str) else groups
        return Person(
            f"oidc:{self._settings.issuer}|{claims['sub']}",
            fit(name.strip()),
            tuple(each for each in listed if isinstance(each, str)),
        )

    def _endpoint(self, name: str) -> str:
        at_s, about = self._about
        if not about or time.monotonic() - at_s > KEPT_S:
            issuer = self._settings.issuer
            about = self._fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
            if about.get("issuer") != issuer:
                raise Unauthenticated(
                    f"oidc_issuer: the provider calls itself {str(about.get('issuer'))[:200]!r}"
                )
            self._about = time.monotonic(), about
        url = about.get(name)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise Unauthenticated(f"the identity provider has no {name}")
        return url

    def _key_set(self, anew: bool = False) -> KeySet:
        at_s, keys = self._keys
        age_s = time.monotonic() - at_s
        if keys is None or age_s > (KEYS_S if anew else KEPT_S):
            listed = self._fetch(self._endpoint("jwks_uri")).get("keys")
            keys = KeySet([key for each in listed or () if (key := _key(each)) is not None])
            self._keys = time.monotonic(), keys
        return keys

    def _fetch(
        self, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        if not self._asking.acquire(timeout=1):
            raise Busy("the identity provider is slow; try again in a moment")
        try:
            request = urllib.request.Request(
                url, body, {"accept": "application/json", **(headers or {})}
            )
            with _opener.open(request, timeout=TIMEOUT_S) as answer:
                found = json.loads(answer.read(ANSWER_BYTES_MAX))
        except urllib.error.HTTPError as error:
            with error:
                raise Unauthenticated(f"the identity provider refused: {_refusal(error)}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise Unauthenticated(
                f"the identity provider does not answer as it should: {type(error).__name__}"
            ) from None
        finally:
            self._asking.release()
        if not isinstance(found, dict):
            raise Unauthenticated("the identity provider does not answer as it should")
        return found


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is sent to the provider goes nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _key(fields: Any) -> Any:
    """A key of the provider's; None: of a kind that we do not know."""
    try:
        return JWKRegistry.import_key(fields)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        found = json.loads(error.read(10_000))
        return fit(str(found.get("error_description") or found["error"]))
    except (OSError, HTTPException, ValueError, KeyError, AttributeError):
        return str(error.code)
