"""Where a call of a servicer of grpcio comes from, also when another front has passed it on."""

import secrets
from typing import Any
from urllib.parse import unquote

import msgspec

ORIGIN_KEY = "quotad-origin"
"""Metadata in which the fast front writes it, if it is asked for (`Details.origin`)."""

ORIGIN_SECRET = secrets.token_hex(16)
"""What the value begins with. A client can send the key, but not this."""


class CallOrigin(msgspec.Struct, frozen=True):
    """As `Call` has it."""

    peer: str | None = None
    client_names: tuple[str, ...] = ()


def origin(context: Any) -> CallOrigin:
    """The client of a call that is not hot.

    Its peer is None where the native front has passed the call on.
    """
    for key, value in context.invocation_metadata():
        if key == ORIGIN_KEY:
            secret, peer, *names = value.split(" ")
            if secrets.compare_digest(secret.encode(), ORIGIN_SECRET.encode()):
                return CallOrigin(peer or None, tuple(names))
    return CallOrigin(peer_of(context.peer()))


def peer_of(text: str) -> str | None:
    """An address as `Call` has it, of what grpcio and pygrpc-native write."""
    text = unquote(text).replace("ipv6:[::ffff:", "ipv4:[")
    if text.startswith("unix:"):
        return None
    return text.replace("[", "").replace("]", "") if text.startswith("ipv4:[") else text
