"""Which keys of some shards have been written since a moment, as their server notices it."""

import time
from collections.abc import Sequence

from quotad.errors import StoreError, StoreUnavailable
from quotad.store.connection import Store
from quotad.store.refusals import ErrorReply, refused

CHANNEL = "__redis__:invalidate"

_EXTRA_S = 1 / 1_000_000
"""More time for each byte of a message."""


class ChangedKeys:
    """Notes every key with one of some starts that is written, removed or expires; of one thread.

    One connection receives the names, for another one that has asked for them (CLIENT TRACKING with
    REDIRECT). Either may be lost, and with it names: `read` raises then.

    Args:
        store: where they are.
        starts: of keys of one server.

    Raises:
        StoreError: the store refused or timed out.
    """

    def __init__(self, store: Store, starts: Sequence[str]) -> None:
        self._timeout_s = max(store.timeout_s, 5.0)
        self._address = store.address
        self._receiver, self._asker = store.link_to(starts[0]), store.link_to(starts[0])
        self._receiver.idle_s = self._asker.idle_s = 1e9  # never opened again by themselves
        try:
            number = self._receiver.execute(("CLIENT", "ID"), self._deadline())
            self._receiver.execute(("SUBSCRIBE", CHANNEL), self._deadline())
            words = [word for start in starts for word in ("PREFIX", start)]
            command = ("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", *words)
            self._asker.execute(command, self._deadline())
        except StoreError:
            self.close()
            raise

    def read(self) -> set[str]:
        """Names of what has changed since the last time, all of it until now.

        Raises:
            StoreUnavailable: some may be missing.
        """
        found: set[str] = set()
        self._receiver.send([("PING",)], self._deadline())
        while True:
            message = self._receiver.message(self._timeout_s, self._timeout_s, _EXTRA_S)
            if isinstance(message, ErrorReply):
                raise refused(message, self._address)
            if message is None or message[0] not in (b"message", b"pong"):
                raise self._missed("was slow")
            if message[0] == b"pong":
                break
            if message[2] is None:
                raise self._missed("was emptied")
            found.update(name.decode() for name in message[2])
        info = self._asker.execute(("CLIENT", "TRACKINGINFO"), self._deadline())
        flags = dict(zip(info[::2], info[1::2], strict=False)).get(b"flags", ())
        if b"bcast" not in flags or b"broken_redirect" in flags:
            raise self._missed("has lost a connection")
        return found

    def close(self) -> None:
        """Stop noting."""
        self._asker.close()
        self._receiver.close()

    def _missed(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"the store at {self._address} {why}; start again")

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s
