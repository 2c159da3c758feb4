"""What a caller may do: looked up by what it shows, in a table that is read again and again."""

import hmac
import time
from collections.abc import Collection, Iterable

from quotad.clock import Clock
from quotad.errors import (
    NotReady,
    PermissionDenied,
    QuotadError,
    TooManyWrong,
    Unauthenticated,
)
from quotad.history import fit
from quotad.recent import Recent
from quotad.tokens.record import TokenRecord, covers, customer_key, digest, split
from quotad.tokens.roles import RIGHTS, Right, TokenRole

WRONG_MAX = 20
"""Wrong tokens from one address within `WRONG_S`; of further ones none is looked at."""
WRONG_S = 10.0
_ADDRESSES_MAX = 10_000
_KNOWN_MAX = 10_000
"""Tokens that are remembered as they were shown."""


class Access:
    """What one token gives.

    Args:
        record: of the token; None: no token is asked for, and everything is allowed.
        proof: of the customer that a client token is shown for.
    """

    __slots__ = ("_proof", "expires_ms", "name", "record", "rights", "scoped", "used")

    def __init__(self, record: TokenRecord | None, proof: str = "") -> None:
        self.record = record
        self._proof = proof
        self.name = "" if record is None else fit(record.name)
        self.expires_ms = None if record is None else record.expires_ms
        self.rights = frozenset(Right) if record is None else RIGHTS[record.role]
        self.scoped = record is not None and bool(
            record.customers or record.features or record.role is TokenRole.CLIENT
        )
        self.used = False
        """Whether it was shown since it was last written down."""

    def check(self, right: Right) -> None:
        """Refuse what the token does not give.

        Raises:
            PermissionDenied: it does not.
        """
        if right not in self.rights:
            assert self.record is not None
            raise PermissionDenied(
                f"the token {self.name!r} has the role {self.record.role}, which does not"
                f" include {right}"
            )

    def check_covers(self, customer_id: str | None, feature_id: str | None = None) -> None:
        """Refuse customers and features that the token does not cover.

        Args:
            customer_id: that a call is about; None: it is about many.
            feature_id: that it is about; empty or None: about all of the customer's.

        Raises:
            PermissionDenied: it does not cover them.
        """
        self.check_customer(customer_id)
        record = self.record
        if record is None or not record.features:
            return
        if not (feature_id and covers(record.features, feature_id)):
            what = repr(feature_id) if feature_id else "all features"
            raise PermissionDenied(f"the token {self.name!r} does not cover {what}")

    def check_customer(self, customer_id: str | None) -> None:
        """Refuse a customer that the token does not cover; None: what is about many.

        Raises:
            PermissionDenied: it does not cover it.
        """
        record = self.record
        if record is None:
            return
        if record.role is TokenRole.CLIENT:
            wanted = customer_key(record.signing_key, customer_id or "")
            if customer_id is None or not hmac.compare_digest(wanted, self._proof):
                raise PermissionDenied("a client token reads the customer whose key it comes with")
        if record.customers and (customer_id is None or not covers(record.customers, customer_id)):
            whose = "all customers" if customer_id is None else repr(customer_id)
            raise PermissionDenied(f"the token {self.name!r} does not cover {whose}")


EVERYTHING = Access(None)
"""Of a server without tokens."""


class TokenTable:
    """The tokens of a store as they were last read; for all threads.

    Args:
        clock: for expiries.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, TokenRecord] | None = None
        self._listed: tuple[TokenRecord, ...] | None = None
        self._known: Recent[str | tuple[str, str], Access] = Recent(_KNOWN_MAX)
        self._by_id: dict[str, Access] = {}
        """Of sessions, which show no token."""
        self._wrong: Recent[str, tuple[float, int]] = Recent(_ADDRESSES_MAX)
        self.refused = 0
        """Calls so far that had no token, or a wrong one."""

    @property
    def required(self) -> bool | None:
        """Whether calls must show a token: once there was one; None: not known yet."""
        return None if self._records is None else bool(self._records)

    @property
    def records(self) -> Collection[TokenRecord] | None:
        """Those that were last read, the same object until they are read again; None: not yet."""
        return self._listed

    def replace(self, records: Iterable[TokenRecord]) -> None:
        """Take what was read from the store."""
        self._records = found = {each.token_id: each for each in records}
        self._listed = tuple(found.values())
        self._known = Recent(_KNOWN_MAX)
        self._by_id = {}

    def used(self) -> list[str]:
        """Ids of the tokens shown since the last look."""
        found = []
        known = self._known
        for access in [*known.young.values(), *known.old.values(), *self._by_id.values()]:
            if access.used and access.record is not None:
                access.used = False
                found.append(access.record.token_id)
        return found

    def access(self, shown: str, peer: str | None, proof: str = "") -> Access:
        """Return what a caller may do.

        Args:
            shown: the token, as `Bearer qd_...` or bare; empty: none.
            peer: the caller's address; None: a Unix socket.
            proof: of the customer that a client token is shown for.

        Raises:
            Unauthenticated: there must be a token, and there is none that may be used.
            TooManyWrong: too many wrong ones came from this address.
            NotReady: the tokens were not read yet.
        """
        known = self._known
        access = known.get((shown, proof) if proof else shown)
        if access is None:
            return self._looked_up(shown, peer, proof)
        if access.expires_ms is not None and self._clock.now_ms() >= access.expires_ms:
            return self._looked_up(shown, peer, proof)
        access.used = True
        return access

    def refusal(self, access: Access) -> QuotadError | None:
        """Return why what was given is not given any more; None: it is."""
        records, given = self._records or {}, access.record
        if given is None:
            return Unauthenticated("tokens were made; show one") if records else None
        record = records.get(given.token_id)
        if record is not None and record.is_live(self._clock.now_ms()):
            return None
        return Unauthenticated(f"the token {given.token_id} {_why_not(record)}")

    def access_of(self, token_id: str) -> Access:
        """Return what a token gives that was shown when a session began.

        Raises:
            Unauthenticated: it may not be used any more.
            NotReady: the tokens were not read yet.
        """
        records, known = self._records, self._by_id
        if records is None:
            raise NotReady("the store was not reached yet")
        record = records.get(token_id)
        if record is None or not record.is_live(self._clock.now_ms()):
            raise Unauthenticated(f"the token {token_id} {_why_not(record)}")
        access = known.setdefault(token_id, Access(record))
        access.used = True
        return access

    def _looked_up(self, shown: str, peer: str | None, proof: str) -> Access:
        records = self._records
        if records is None:
            raise NotReady("the store was not reached yet")
        if not records:
            return EVERYTHING
        if "qd_" not in shown:
            self.refused += 1
            raise Unauthenticated("no token; send `authorization: Bearer qd_...`")
        self._check_address(peer)
        parts = split(shown.removeprefix("Bearer ").removeprefix("bearer ").strip())
        record = None if parts is None else records.get(parts[0])
        secret = b"" if parts is None else digest(parts[1])
        if record is None or not hmac.compare_digest(record.secret_hash, secret):
            raise self._is_wrong(peer, "the token is not known")
        if not record.is_live(self._clock.now_ms()):
            raise self._is_wrong(peer, f"the token {record.token_id} {_why_not(record)}")
        access = Access(record, proof)
        access.used = True
        self._known.put((shown, proof) if proof else shown, access)
        return access

    def _is_wrong(self, peer: str | None, why: str) -> Unauthenticated:
        self.refused += 1
        host, now = host_of(peer), time.monotonic()
        since, count = self._wrong.get(host) or (now, 0)
        self._wrong.put(host, (now, 1) if now - since > WRONG_S else (since, count + 1))
        return Unauthenticated(why)

    def _check_address(self, peer: str | None) -> None:
        since, count = self._wrong.get(host_of(peer)) or (0.0, 0)
        if count >= WRONG_MAX and time.monotonic() - since <= WRONG_S:
            self.refused += 1
            raise TooManyWrong("too many wrong tokens from this address; wait a few seconds")


def _why_not(record: TokenRecord | None) -> str:
    """What has become of a token that is not live."""
    return "has expired" if record is not None and record.revoked_ms is None else "was revoked"


def host_of(peer: str | None) -> str:
    """An address without its port."""
    return "" if peer is None else peer.rpartition(":")[0]
