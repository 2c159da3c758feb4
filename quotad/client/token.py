"""The token that calls show to a server."""

from functools import partial
from typing import Any, TypeVar

S = TypeVar("S")


def with_token(stub: S, token: str) -> S:
    """Return a stub whose calls show a token; empty: they show none.

    Raises:
        ValueError: it is no token.
    """
    if token:
        if not token.startswith("qd_") or not token.isascii() or " " in token:
            raise ValueError("token: must be as `quotad tokens create` has printed it, qd_...")
        metadata = (("authorization", f"Bearer {token}"),)
        calls: dict[str, Any] = vars(stub)
        for name, call in calls.items():
            setattr(stub, name, partial(call, metadata=metadata))
    return stub
