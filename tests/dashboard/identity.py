"""A small identity provider of our own, on this machine."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "quotad", "s3cret & more"


class IdentityProvider:
    """Whoever comes is `claims`; tests change them, and what is signed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.claims: dict[str, Any] = {}
        self.refusal = ""
        self.speaks_http = True
        self.key = self.signer = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.algorithm = "RS256"
        self._codes: dict[str, dict[str, str]] = {}

    def be(self, **claims: Any) -> None:
        """Who comes next."""
        self.refusal, self.signer, self.algorithm = "", self.key, "RS256"
        self.speaks_http = True
        self.claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "u1",
            "email": "maria@acme.example",
            "email_verified": True,
            "exp": int(time.time()) + 60,
        } | claims

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=1",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }

    def authorized(self, asked: dict[str, str]) -> str:
        """Where the browser goes back to."""
        assert (CLIENT, "code", "S256") == (
            asked["client_id"],
            asked["response_type"],
            asked["code_challenge_method"],
        )
        if self.refusal:
            sent = {"error": "access_denied", "error_description": self.refusal}
        else:
            code = secrets.token_urlsafe(8)
            self._codes[code] = asked
            sent = {"code": code}
        return f"{asked['redirect_uri']}?{urlencode(sent | {'state': asked['state']})}"

    def token(self, sent: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The token for a code; None: it is refused."""
        asked = self._codes.pop(sent["code"], None)
        challenge = hashlib.sha256(sent["code_verifier"].encode()).digest()
        shown = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        known = base64.b64encode(f"{CLIENT}:s3cret%20%26%20more".encode()).decode()
        if asked is None or shown != asked["code_challenge"] or authorization != f"Basic {known}":
            return None
        claims = {"nonce": asked["nonce"]} | self.claims
        header = {"alg": self.algorithm, "kid": self.signer.kid}
        key = self.signer
        return {"id_token": jwt.encode(header, claims, key), "token_type": "Bearer"}


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path == "/.well-known/openid-configuration":
                self._json(provider.metadata())
            elif path == "/keys":
                self._json(KeySet([provider.key]).as_dict(private=False))
            else:
                asked = {name: values[0] for name, values in query.items()}
                self.send_response(302)
                self.send_header("location", provider.authorized(asked))
                self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            sent = {name: values[0] for name, values in parse_qs(body).items()}
            found = provider.token(sent, self.headers.get("authorization", ""))
            if not provider.speaks_http:
                self.wfile.write(b"hello\r\n")
            elif found is None:
                self._json({"error": "invalid_grant"}, 400)
            else:
                self._json(found)

        def _json(self, found: Any, status: int = 200) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Have one on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    provider = IdentityProvider(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(provider)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
