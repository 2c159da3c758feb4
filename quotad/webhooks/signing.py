"""Signatures of webhooks, as of https://www.standardwebhooks.com: HMAC-SHA256, a shared secret.

What is signed is `<id>.<timestamp>.<body>`; a receiver checks it with any library of that standard.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable

SECRET_START = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret, as both sides keep it."""
    return SECRET_START + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(
    message_id: str, at_s: int, body: bytes, with_secrets: Iterable[str]
) -> dict[str, str]:
    """The headers that a message is verified by.

    Args:
        message_id: the same whenever the message is sent; without full stops.
        at_s: when it is sent this time (Unix time).
        body: as it is sent.
        with_secrets: each signs it; several while a secret is replaced.
    """
    signed = f"{message_id}.{at_s}.".encode() + body
    signatures = [
        "v1," + b64encode(hmac.digest(_key(each), signed, hashlib.sha256)).decode()
        for each in with_secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(SECRET_START))
