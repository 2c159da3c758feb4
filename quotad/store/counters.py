"""Settling charges: the binding of lua/check_and_consume.lua, the one hot script.

A charge is planned by the engine and names everything the script needs; this module only spells
it out and reads the answer.
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import chain, islice
from typing import Any

import msgspec

from quotad.errors import ScriptContractError, StoreError
from quotad.store import scripts
from quotad.store.keys import CustomerKeys
from quotad.store.router import Link

KEYS_MAX = 4000
"""Most keys of one script call; Lua's unpack refuses about 8,000."""

CONSUME = "consume"
CHECK = "check"
CONSUME_ONCE = "consume_once"
"""As CONSUME, and what is taken is remembered under an idempotency key."""


class ChargeStatus(IntEnum):
    """What became of a charge; the numbers are those of the script."""

    DENIED = 0
    ALLOWED = 1
    REPLAYED = 2
    STALE_CATALOG = -1
    STALE_CUSTOMER = -2
    MISMATCH = -3
    STALE_CLOCK = -4
    TOO_LATE = -5
    DAMAGED = -6


class Once(msgspec.Struct, frozen=True, gc=False):
    """What makes a charge idempotent."""

    key: str
    fingerprint: str
    """16 characters that differ when the parameters of the call do."""
    memo: bytes
    """What the caller needs to return the decision again."""
    ttl_ms: int


PLAIN_WORDS = 2
"""Words of a limit: cap and expiry (Unix ms; 0: never)."""
WIDE_WORDS = 5
"""The same, and the weight of the quantity, when a window that opens at first use would close (Unix
ms; 0: no such window), and now (Unix ms)."""


class Charge(msgspec.Struct, frozen=True, gc=False):
    """One request as the script sees it."""

    keys: CustomerKeys
    epoch: int
    quantity: int
    verb: str
    suffixes: tuple[str, ...] = ()
    """Endings of the usage keys, one per limit."""
    limit_words: tuple[int, ...] = (0, PLAIN_WORDS)
    """Number of limits, words per limit, and these: see `plain_words`."""
    once: Once | None = None
    """Only with CONSUME_ONCE."""


def plain_words(*limits: tuple[int, int]) -> tuple[int, ...]:
    """Cap and expiry (Unix ms; 0: never) of every limit, as a charge has them."""
    return (len(limits), PLAIN_WORDS, *chain.from_iterable(limits))


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """The script's answer to one charge."""

    status: int
    """A `ChargeStatus`."""
    used: Sequence[int] = ()
    """Usage before the charge, per limit; of ALLOWED, DENIED and what is replayed."""
    memo: bytes = b""
    """Of REPLAYED, what the first charge under the key left; of STALE_CATALOG, the tag of the
    catalog in force, empty: none."""
    closes: Sequence[int] = ()
    """Of wide limits, where `used` is told: when the window that is open after the charge closes
    (Unix ms; 0: closed, or no window that opens at first use)."""


class Counters:
    """Settles charges over one connection; of one thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._script = scripts.load("check_and_consume")

    def settle(
        self,
        catalog: str,
        charges: Sequence[Charge],
        deadline: float,
        not_after_ms: int = 0,
    ) -> tuple[list[Settlement], StoreError | None]:
        """Settle charges in order, each all or nothing.

        Args:
            catalog: tag of the catalog version they were planned with.
            charges: any number; they travel in as few script calls as the store can take.
            deadline: monotonic time in seconds by which all answers must be there.
            not_after_ms: moment of the store's clock from which on nothing is to be taken, which
                a call still can that waits in the store for its turn; 0: none.

        Returns:
            The settlements, and the error that kept the charges behind them from getting one. A
            charge without a settlement may have been settled all the same.
        """
        settled: list[Settlement] = []
        start = 0
        while start < len(charges):
            words, end, wide = _spell((catalog, not_after_ms), charges, start)
            try:
                reply = self._link.run(self._script, words, deadline)
                _read(reply, charges[start:end], settled, wide)
            except StoreError as error:
                return settled, error
            start = end
        return settled, None

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def _spell(
    head: tuple[str, int], charges: Sequence[Charge], start: int
) -> tuple[tuple[Any, ...], int, bool]:
    """The words of one script call, with as many charges from `start` on as it can take.

    Returns:
        Number of keys, keys and arguments; where the next call starts; whether some charge in
        between has wide limits.
    """
    keys = [charges[start].keys.catalog]
    numbers: dict[tuple[str, tuple[int, ...]], int] = {}
    charge_words: list[Any] = []
    end = run_from = start
    run_at = 0
    limit_words: tuple[int, ...] = ()
    verb, number, run_quantity, quantity_word = "", 0, 0, ""
    for charge in islice(charges, start, None):
        if len(keys) >= KEYS_MAX:
            break
        customer, once, quantity = charge.keys, charge.once, charge.quantity
        if charge.limit_words is not limit_words or quantity != run_quantity or charge.verb != verb:
            if end > run_from:
                charge_words[run_at] = f"{number} {end - run_from}{quantity_word}"
            verb, limit_words, run_quantity = charge.verb, charge.limit_words, quantity
            number = numbers.setdefault((verb, limit_words), len(numbers) + 1)
            run_from, run_at = end, len(charge_words)
            quantity_word = " 1" if quantity == 1 else ""
            charge_words += ("",) if quantity == 1 else ("", quantity)
        end += 1
        charge_words.append(charge.epoch)
        keys.append(customer.epoch)
        if once is not None:
            keys.append(customer.decision + once.key)
            charge_words += (once.fingerprint, once.memo, once.ttl_ms)
        usage = customer.usage
        for suffix in charge.suffixes:
            keys.append(usage + suffix)
    charge_words[run_at] = f"{number} {end - run_from}{quantity_word}"
    term_words: list[Any] = []
    wide = False
    for verb, limit_words in numbers:
        term_words += (verb, *limit_words)
        if limit_words[1] != PLAIN_WORDS:
            wide = True
    return (len(keys), *keys, *head, len(numbers), *term_words, *charge_words), end, wide


def _read(
    reply: list[Any], charges: Sequence[Charge], settled: list[Settlement], wide: bool
) -> None:
    at = 0
    try:
        if reply[0] == -1:  # STALE_CATALOG
            settled += [Settlement(ChargeStatus.STALE_CATALOG, memo=reply[1])] * len(charges)
            return
        if reply[0] == -5:  # TOO_LATE
            settled += [Settlement(ChargeStatus.TOO_LATE)] * len(charges)
            return
        for charge in charges:
            status = reply[at]
            at += 1
            if status in (0, 1):  # DENIED, ALLOWED; an enum's member would cost more than the line
                if wide and charge.limit_words[1] != PLAIN_WORDS:
                    end = at + 2 * len(charge.suffixes)
                    used, closes = reply[at:end:2], reply[at + 1 : end : 2]
                    settled.append(Settlement(status, used, closes=closes))
                    at = end
                    continue
                end = at + len(charge.suffixes)
                settled.append(Settlement(status, reply[at:end]))
                at = end
            elif status == ChargeStatus.REPLAYED:
                settled.append(_read_decision(reply[at]))
                at += 1
            else:
                settled.append(Settlement(status))
    except (IndexError, ValueError, TypeError) as error:
        raise ScriptContractError(f"check_and_consume: reply cannot be read: {error}") from error
    if at != len(reply):
        raise ScriptContractError(f"check_and_consume: {len(reply)} values, {at} expected")


def _read_decision(stored: bytes) -> Settlement:
    head, _, memo = stored.partition(b"|")
    texts = head[1:].split(b",")
    try:
        if b"@" in head:
            pairs = [text.split(b"@") for text in texts]
            used = [int(used) for used, _ in pairs]
            closes = [int(closes) for _, closes in pairs]
            return Settlement(ChargeStatus.REPLAYED, used, memo, closes)
        return Settlement(ChargeStatus.REPLAYED, [int(text) for text in texts], memo)
    except ValueError:
        return Settlement(ChargeStatus.DAMAGED)
