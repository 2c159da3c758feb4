"""Setting usage: the difference to what a counter has is counted.

So what others count meanwhile stays counted, as if it had been set before them.
"""

import os
from collections.abc import Sequence

from quotad.decision import ConsumeRequest, Decision, Mode
from quotad.engine.held import READS_MAX, HeldReader
from quotad.engine.joint import new_part
from quotad.engine.memos import fingerprint, kept_counters
from quotad.engine.meters import LimitTerms
from quotad.engine.reservations import Decide
from quotad.engine.rounds import Planned
from quotad.engine.settlements import SettleRequest, TakenHold, named
from quotad.engine.shared import Shared
from quotad.errors import InvalidRequest, QuotadError, StoreUnavailable
from quotad.held import HeldItem, Setting
from quotad.model import MeterKind
from quotad.store import join

OWN_KEY_MS = 60_000
"""How long a key is remembered that stands for the one that a call does not have."""

LIFETIME = "lifetime"
"""The window of a limit that never resets, where one is to be named."""


class UsageSetter:
    """Sets usage; of one thread."""

    def __init__(self, shared: Shared, reader: HeldReader, decide: Decide) -> None:
        self._clock = shared.clock
        self._snapshots = shared.snapshots
        self._reader = reader
        self._decide = decide

    def set(self, setting: Setting) -> Decision:
        """Set what was used of one limit in its current period; what is held comes on top.

        Returns:
            `granted` is the difference to before. A denial: the customer has no such counter.

        Raises:
            InvalidRequest: nothing can be set there.
            IdempotencyMismatch: the key was used for something else.
            StoreUnavailable: it may be set all the same; repeat it under the same key.
        """
        feature = self._snapshots.to_plan_on().features.get(setting.feature_id)
        if feature is not None and feature.kind is MeterKind.CONCURRENCY:
            raise InvalidRequest(
                f"feature_id: {setting.feature_id!r} is counted by its slots; release them"
            )
        look = ConsumeRequest(
            setting.customer_id,
            setting.feature_id,
            mode=int(Mode.CHECK_ONLY),
            every_limit=True,
            resource_id=setting.resource_id,
        )
        key = setting.idempotency_key or os.urandom(16).hex()
        for _ in range(READS_MAX):
            held = self._reader.read(setting.customer_id)
            looked = self._one(look)
            if not looked.limits:
                if looked.allowed:
                    raise InvalidRequest(
                        f"feature_id: nothing is counted of {setting.feature_id!r}, as it is not"
                        " metered"
                    )
                return looked
            planned = self._reader.planned(look)
            if (
                planned is None
                or len(planned.terms) != len(looked.limits)
                or held is not self._reader.read(setting.customer_id, held)
            ):
                continue
            place = _place(setting, planned.terms)
            status = looked.limits[place]
            details = planned.terms[place].details
            if details is not None and details.opens and status.resets_at_ms is None:
                raise InvalidRequest(
                    f"per: the window of {setting.feature_id!r} opens at first use and is not open"
                )
            counter = planned.keys.usage + planned.counters.suffixes[place]
            on_top = held.of(counter)
            change = setting.used + on_top - status.used
            closes_ms = status.resets_at_ms or 0
            how = place, change, closes_ms
            answer = self._one(_request(setting, key, planned, how, self._clock.now_ms()))
            answer = named(answer, (HeldItem(setting.feature_id, 0),))
            return held.apart_one(answer, counter)
        raise StoreUnavailable("what is held of the customer keeps changing; try again")

    def _one(self, request: ConsumeRequest) -> Decision:
        (answer,) = self._decide([request])
        if isinstance(answer, QuotadError):
            raise answer
        return answer


def _request(
    setting: Setting, key: str, planned: Planned, change: tuple[int, int, int], now_ms: int
) -> SettleRequest:
    """The charge of a difference.

    Args:
        setting: what is set.
        key: to charge it under.
        planned: what a call is charged to now.
        change: of which of its limits, by how much, and when its window closes.
        now_ms: Unix time.
    """
    place, difference, closes_ms = change
    term = planned.terms[place]
    opens = term.details is not None and term.details.opens
    counters, _ = join([(setting.resource_id, planned.counters)])
    taken = TakenHold(
        0,
        (new_part((term,), (0,)),),
        (HeldItem(setting.feature_id, 0, setting.resource_id),),
        (kept_counters(counters)[place],),
        [closes_ms if opens else 0],
    )
    ttl_ms = setting.idempotency_ttl_ms if setting.idempotency_key else OWN_KEY_MS
    item = ConsumeRequest(
        setting.customer_id,
        setting.feature_id,
        difference,
        int(Mode.SETTLE),
        key,
        ttl_ms,
        resource_id=setting.resource_id,
        occurred_ms=now_ms,
    )
    asked = ConsumeRequest(
        "",
        setting.feature_id,
        setting.used,
        int(Mode.SETTLE),
        resource_id=setting.resource_id,
        requested_values=("set", setting.per),
    )
    return SettleRequest(
        setting.customer_id,
        "",
        0,
        int(Mode.SETTLE),
        key,
        ttl_ms,
        items=(item,),
        taken=taken,
        fingerprint=fingerprint(asked),
    )


def _place(setting: Setting, terms: Sequence[LimitTerms]) -> int:
    """Which of a feature's limits is set.

    Raises:
        InvalidRequest: none, or it is not clear which.
    """
    pools = [term.details.pool_id if term.details is not None else "" for term in terms]
    own = {place: term.per or LIFETIME for place, term in enumerate(terms) if not pools[place]}
    if not own:
        raise InvalidRequest(
            f"feature_id: {setting.feature_id!r} is counted in its pool alone; set that of"
            f" {pools[0]!r}"
        )
    wanted = [place for place, per in own.items() if setting.per in ("", per)]
    if len(wanted) == 1:
        return wanted[0]
    has = ", ".join(sorted(set(own.values())))
    if not wanted:
        raise InvalidRequest(f"per: {setting.feature_id!r} has no limit per {setting.per!r}: {has}")
    if not setting.per:
        raise InvalidRequest(f"per: {setting.feature_id!r} has several limits; name one: {has}")
    raise InvalidRequest(f"per: {setting.feature_id!r} has several limits per {setting.per!r}")
