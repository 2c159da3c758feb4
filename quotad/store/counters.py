"""Settling charges: the binding of lua/check_and_consume.lua, the one hot script.

A charge is planned by the engine and names everything the script needs; this module only spells
it out and reads the answer.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

from quotad.errors import ScriptContractError, ShardMoved, StoreError, is_unsent
from quotad.store import scripts
from quotad.store.charges import (
    CHECK,
    CONSUME,
    NO_COUNTERS,
    PLAIN_ARGS,
    TAKE_LEFT,
    Charge,
    ChargeStatus,
    CounterSet,
    PutsInLedger,
    Settlement,
)
from quotad.store.keys import CustomerKeys, escape, ledger_key
from quotad.store.link import ScriptWords
from quotad.store.packed import Packed, packed
from quotad.store.refusals import MOVING
from quotad.store.router import Link
from quotad.store.shard_calls import ShardCalls, read_pairs
from quotad.store.shard_map import MOVED, is_marked

KEYS_MAX = 4000
"""Most keys of one script call; Lua's unpack refuses about 8,000."""

UNSETTLED = Settlement(ChargeStatus.UNSETTLED)
UNSENT = Settlement(ChargeStatus.UNSENT)
ELSEWHERE = Settlement(ChargeStatus.STALE_CATALOG, memo=MOVED.encode())

DETAILED, PLAIN, SINGLE = -1, 0, 1
"""What charges of a script call have, and so what its reply looks like: detailed limits, some of
them; plain limits, any number; as many plain limits each as this number is, and no key."""

_NO_KEY = (CONSUME, CHECK, TAKE_LEFT)

KEPT_MIN = 4
"""Fewer charges are spelled word by word, which takes less for each call of the script."""

_names = attrgetter("names")

Speller = Callable[
    [tuple[str, int], Sequence[Charge], int, PutsInLedger | None],
    tuple[Sequence[Any], int, int],
]
"""As `spell`."""


class ChargeScript:
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
        notes: PutsInLedger | None = None,
    ) -> tuple[list[Settlement], StoreError | None]:
        """Settle charges in order, each all or nothing.

        Args:
            catalog: tag of the catalog version they were planned with.
            charges: any number; they travel in as few script calls as the store can take.
            deadline: monotonic time in seconds by which all answers must be there.
            not_after_ms: moment of the store's clock from which on nothing is to be taken, which
                a call still can that waits in the store for its turn; 0: none.
            notes: what puts into the ledger what is to be; None: nothing is put there.

        Returns:
            The settlements, in the order of the charges, and the error that has left some of them
            UNSETTLED or UNSENT.
        """
        if not self._link.whole:
            return self._settle_by_shard((catalog, not_after_ms), charges, deadline, notes)
        settled: list[Settlement] = []
        start = 0
        spell_some = _speller(charges)
        while start < len(charges):
            words, end, shape = spell_some((catalog, not_after_ms), charges, start, notes)
            try:
                reply = self._link.run(self._script, words, deadline)
                read_reply(reply, charges[start:end], settled, shape)
            except StoreError as error:
                left = len(charges) - len(settled)
                return settled + [UNSENT if is_unsent(error) else UNSETTLED] * left, error
            start = end
        return settled, None

    def _settle_by_shard(
        self,
        head: tuple[str, int],
        charges: Sequence[Charge],
        deadline: float,
        notes: PutsInLedger | None,
    ) -> tuple[list[Settlement], StoreError | None]:
        """As `settle`, with a script call per shard, all servers at once."""
        places: dict[str, list[int]] = {}
        for place, charge in enumerate(charges):
            places.setdefault(charge.keys.catalog, []).append(place)
        calls: list[ScriptWords] = []
        parts: list[tuple[list[int], int]] = []
        kept = ShardCalls(head, charges, notes).spell(places, KEYS_MAX) if places else ()
        for call, at in zip(kept, places.values(), strict=True):
            if call is not None:
                calls.append(call)
                parts.append((at, charges[at[0]].counters.words[0]))
                continue
            some, start = [charges[place] for place in at], 0
            while start < len(some):
                words, end, shape = spell(head, some, start, notes, at)
                calls.append(words)
                parts.append((at[start:end], shape))
                start = end
        settled = [UNSETTLED] * len(charges)
        failed: StoreError | None = None
        try:
            replies = self._link.run_many(self._script, calls, deadline)
        except StoreError as error:
            return [UNSENT] * len(charges) if is_unsent(error) else settled, error
        for reply, (at, shape) in zip(replies, parts, strict=True):
            if shape == SINGLE and read_pairs(reply, at, settled):
                continue
            found: list[Settlement] = []
            try:
                if isinstance(reply, StoreError):
                    raise reply
                read_reply(reply, [charges[place] for place in at], found, shape)
            except StoreError as error:
                failed = failed or error
                if is_unsent(error):
                    found = [UNSENT] * len(at)
            for place, settlement in zip(at, found, strict=False):
                settled[place] = settlement
        return settled, failed

    def recall(self, keys: CustomerKeys, key: str, deadline: float) -> bytes | None:
        """What is kept under an idempotency key: fingerprint, usage and memo; None: nothing.

        Raises:
            StoreUnavailable: the store refused or did not answer by the deadline (monotonic s), or
                the shard is in another place.
        """
        kept, tag = self._link.read([keys.decision + escape(key), keys.catalog], deadline)
        if is_marked((tag or b"").decode(errors="replace")):
            raise ShardMoved(MOVING)
        return kept

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def spell(
    head: tuple[str, int],
    charges: Sequence[Charge],
    start: int,
    notes: PutsInLedger | None = None,
    places: Sequence[int] | None = None,
) -> tuple[tuple[Any, ...], int, int]:
    """The words of one script call, with as many charges from `start` on as it can take.

    Args:
        head: tag of the catalog, and `not_after_ms`; as of `settle`.
        charges: all of them.
        start: the first of the call.
        notes: as of `settle`.
        places: of the charges, among all that are settled; None: they are all.

    Returns:
        Number of keys, keys and arguments; where the next call starts; what the charges in between
        have: `SINGLE`, `PLAIN` or `DETAILED`.
    """
    keys = [charges[start].keys.catalog]
    numbers: dict[tuple[str, tuple[int, ...], int], int] = {}
    noting = 0
    charge_words: list[Any] = []
    end = run_from = start
    run_at = 0
    # Charges of one feature and period share their counters: what is the same is not compared.
    counters = NO_COUNTERS
    verb, number, quantity_word = "", 0, ""
    run_quantity: int | tuple[int, ...] = 0
    only: str | None = None  # the suffix, where there is one
    for charge in islice(charges, start, None):
        if len(keys) >= KEYS_MAX:
            break
        customer, once, quantity = charge.keys, charge.once, charge.quantity
        if charge.counters is not counters or quantity != run_quantity or charge.verb != verb:
            if end > run_from:
                charge_words[run_at] = f"{number} {end - run_from}{quantity_word}"
            verb, counters, run_quantity = charge.verb, charge.counters, quantity
            only = counters.suffixes[0] if len(counters.suffixes) == 1 else None
            noted = counters.noting
            number = numbers.setdefault((verb, counters.words, noted), len(numbers) + 1)
            if noted and verb != CHECK:
                noting = noted
            run_from, run_at = end, len(charge_words)
            if quantity == 1:
                quantity_word = " 1"
                charge_words.append("")
            elif isinstance(quantity, int):
                quantity_word = ""
                charge_words += ("", quantity)
            else:
                quantity_word = " each"
                charge_words += ("", *quantity)
        end += 1
        charge_words.append(charge.epoch)
        keys.append(customer.epoch)
        if once is not None:
            keys.append(customer.decision + escape(once.key))
            charge_words += (once.fingerprint, once.memo, once.ttl_ms)
        if only is not None:
            keys.append(customer.usage + only)
            continue
        usage = customer.usage
        for suffix in counters.suffixes:
            keys.append(usage + suffix)
    charge_words[run_at] = f"{number} {end - run_from}{quantity_word}"
    term_words: list[Any] = []
    shape = counters.words[0]
    for verb, words, _ in numbers:
        term_words += (verb, *words)
        if words[1] != PLAIN_ARGS:
            shape = DETAILED
        elif shape > PLAIN and (words[0] != shape or verb not in _NO_KEY):
            shape = PLAIN
    if noting and notes is not None:
        keys.insert(1, ledger_key(charges[start].keys))
        modes = "".join([str(noted) if verb != CHECK else "0" for verb, _, noted in numbers])
        described = notes.describe((places or range(len(charges)))[start:end])
        charge_words += (modes, *notes.kept, described)
        return (len(keys), *keys, *head, -len(numbers), *term_words, *charge_words), end, shape
    return (len(keys), *keys, *head, len(numbers), *term_words, *charge_words), end, shape


def _speller(charges: Sequence[Charge]) -> Speller:
    """What spells a script call of these charges with the least work."""
    if len(charges) >= KEPT_MIN and all(map(_names, charges)):
        return spell_kept
    if len(charges) == 1 and charges[0].names and not charges[0].counters.noting:
        return spell_lone
    return spell


def spell_lone(
    head: tuple[str, int], charges: Sequence[Charge], start: int, _: PutsInLedger | None = None
) -> tuple[tuple[Any, ...], int, int]:
    """As `spell`, of the only one, that has its `names`, and of which nothing is noted."""
    charge = charges[start]
    keys, counters, quantity = charge.keys, charge.counters, charge.quantity
    names = keys.catalog, keys.epoch, keys.usage + counters.suffixes[0]
    if quantity == 1:
        run: tuple[str | int, ...] = ("1 1 1",)
    elif isinstance(quantity, int):
        run = "1 1", quantity
    else:
        return spell(head, charges, start)
    return (3, *names, *head, 1, CONSUME, *counters.words, *run, charge.epoch), 1, SINGLE


def spell_kept(
    head: tuple[str, int], charges: Sequence[Charge], start: int, notes: PutsInLedger | None = None
) -> tuple[Packed, int, int]:
    """As `spell`, of charges that all have their `names`, as nearly all have under load."""
    some = charges[start : start + KEYS_MAX // 2]
    runs: list[tuple[CounterSet, int | tuple[int, ...], int]] = []  # and where each begins
    counters: CounterSet = NO_COUNTERS
    quantity: int | tuple[int, ...] = 0
    for place, charge in enumerate(some):
        if charge.counters is not counters or charge.quantity != quantity:
            counters, quantity = charge.counters, charge.quantity
            runs.append((counters, quantity, place))
    numbers = {(each.words, each.noting): 0 for each, _, _ in runs}
    term_words: list[Any] = []
    shape = most = counters.words[0]  # limits of a charge
    noting = 0
    for number, terms in enumerate(numbers, start=1):
        numbers[terms] = number
        term_words += (CONSUME, *terms[0])
        noting |= terms[1]
        if terms[0][0] != shape:
            shape, most = PLAIN, max(most, terms[0][0])
    if len(some) * (1 + most) > KEYS_MAX:
        return spell_kept(head, charges[: start + KEYS_MAX // (1 + most)], start, notes)
    is_noted = noting and notes is not None
    words = [*head, -len(numbers) if is_noted else len(numbers), *term_words]
    epochs = [charge.epoch_word for charge in some]
    pieces, keys_count, count = [*map(_names, some)], 1, len(some)
    for at, (counters, quantity, begin) in enumerate(runs):
        end = runs[at + 1][2] if at + 1 < len(runs) else len(some)
        number = numbers[counters.words, counters.noting]
        if quantity == 1:
            words.append(f"{number} {end - begin} 1")
        elif isinstance(quantity, int):
            words += (f"{number} {end - begin}", quantity)
        else:
            words += (f"{number} {end - begin} each", *quantity)
        pieces.append(packed(*words))
        pieces += epochs[begin:end]
        keys_count += (end - begin) * (1 + counters.words[0])
        count += len(words)
        words.clear()
    count += keys_count - 1
    end = start + len(some)
    keys = some[0].keys
    if notes is None or not is_noted:
        return Packed((keys_count, keys.catalog), count, pieces), end, shape
    modes = "".join([str(noted) for _, noted in numbers])
    noted_words = modes, *notes.kept, notes.describe(range(start, end))
    pieces.append(packed(*noted_words))
    first = 1 + keys_count, keys.catalog, ledger_key(keys)
    return Packed(first, count + len(noted_words), pieces), end, shape


def read_reply(
    reply: list[Any], charges: Sequence[Charge], settled: list[Settlement], shape: int
) -> None:
    """Read the script's answer.

    Args:
        reply: as it came.
        charges: of the call.
        settled: is added to, a settlement per charge.
        shape: what the charges have, as of `spell`.

    Raises:
        ScriptContractError: it is of another shape.
    """
    at = 0
    try:
        if reply[0] == -1:  # STALE_CATALOG
            settled += [Settlement(ChargeStatus.STALE_CATALOG, memo=reply[1])] * len(charges)
            return
        if reply[0] == -5:  # TOO_LATE
            settled += [Settlement(ChargeStatus.TOO_LATE)] * len(charges)
            return
        # Whatever else becomes of such a charge is answered in one word, so these are of one size.
        if shape == SINGLE and len(reply) == 2 * len(charges):
            statuses = reply[::2]
            if statuses.count(1) + statuses.count(0) == len(charges):
                settled += map(Settlement, statuses, zip(reply[1::2], strict=True))
                return
        elif shape > SINGLE and len(reply) == (1 + shape) * len(charges):
            statuses = reply[:: 1 + shape]
            if statuses.count(1) + statuses.count(0) == len(charges):
                of_limits = [reply[at :: 1 + shape] for at in range(1, 1 + shape)]
                settled += map(Settlement, statuses, zip(*of_limits, strict=True))
                return
        detailed = shape == DETAILED
        for charge in charges:
            status = reply[at]
            at += 1
            if status in (0, 1):  # DENIED, ALLOWED; an enum's member would cost more than the line
                if detailed and charge.counters.words[1] != PLAIN_ARGS:
                    end = at + 2 * len(charge.counters.suffixes)
                    used, closes = reply[at:end:2], reply[at + 1 : end : 2]
                    settled.append(Settlement(status, used, closes=closes))
                    at = end
                    continue
                end = at + len(charge.counters.suffixes)
                settled.append(Settlement(status, reply[at:end]))
                at = end
            elif status == ChargeStatus.REPLAYED:
                settled.append(Settlement(status, memo=reply[at]))
                at += 1
            else:
                settled.append(Settlement(status))
    except (IndexError, ValueError, TypeError) as error:
        raise ScriptContractError(f"check_and_consume: reply cannot be read: {error}") from error
    if at != len(reply):
        raise ScriptContractError(f"check_and_consume: {len(reply)} values, {at} expected")
