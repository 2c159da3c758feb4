"""What decisions have denied for want of room, until it is written to the store.

Noted on the branch of denials alone, so that an allowed call pays nothing for it.
"""

import threading
from collections.abc import Sequence

from quotad.decision import Decision, Mode
from quotad.engine.rounds import Planned, Round
from quotad.recent import Recent
from quotad.store import Settlement
from quotad.store.charges import PLAIN_ARGS
from quotad.store.demand import DemandStore, Denied, denied_by
from quotad.store.keys import counted_by
from quotad.store.nearby import Nearby, NearbyStore

COUNTERS_MAX = 10_000
"""Most counters noted between two flushes; what others denied meanwhile is not counted."""

KEYS_MAX = 10_000
"""Most idempotency keys remembered, so that what is asked again and again counts once."""

NORMAL = int(Mode.NORMAL)
ASKING = (NORMAL, int(Mode.BEST_EFFORT))
"""Calls that ask for something: others look, or record what has happened."""


ONE_PLAIN_LIMIT = (1, PLAIN_ARGS)
"""The first words of the counters of a charge that has one limit, without details."""


class Demand:
    """Collects what is denied; shared by the decision threads of a worker.

    Args:
        store: where it is counted; None: nowhere.
        nearby: the lists of customers near a limit, which customers that are denied join.
    """

    def __init__(self, store: DemandStore | None = None, nearby: NearbyStore | None = None) -> None:
        self._store = store
        self._nearby = nearby
        self._lock = threading.Lock()
        self._noted: dict[str, Denied] = {}
        self._asked: Recent[tuple[str, str], bool] = Recent(KEYS_MAX)

    def note(self, round_: Round, denied: Sequence[tuple[int, Planned, Settlement]]) -> None:
        """Note what charges of a batch were denied, in all or in part."""
        if self._store is None:
            return
        requests = round_.requests
        with self._lock:
            noted = self._noted
            for place, one, settlement in denied:
                request = requests[place]
                if request.mode == NORMAL and not request.idempotency_key and one.given is None:
                    counters = one.counters
                    if counters.words[:2] == ONE_PLAIN_LIMIT:  # nearly always, without detours
                        known = noted.get(one.keys.usage + counters.suffixes[0])
                        if known is not None:
                            known.amount += one.quantity  # type: ignore[operator]
                            continue
                if request.mode in ASKING:
                    self._note(round_, place, one, settlement)

    def flush(self, now_ms: int) -> None:
        """Write what was noted to the store.

        Raises:
            StoreUnavailable: it refused or timed out; what was noted is lost.
        """
        with self._lock:
            noted, self._noted = list(self._noted.values()), {}
        if noted and self._store is not None:
            self._store.add(noted)
            if self._nearby is not None:
                self._nearby.note({_customer(one): None for one in noted}, now_ms)

    def _note(self, round_: Round, place: int, one: Planned, settlement: Settlement) -> None:
        key = round_.requests[place].idempotency_key
        answer = round_.answers[place]
        granted = answer.granted if isinstance(answer, Decision) else 0
        for denied in denied_by(one, settlement, granted):
            name = denied.usage_key
            if key:
                if self._asked.get((name, key)):
                    continue
                self._asked.put((name, key), True)
            before = self._noted.get(name)
            if before is not None:
                denied.amount += before.amount
            elif len(self._noted) >= COUNTERS_MAX:
                continue
            self._noted[name] = denied


def _customer(one: Denied) -> Nearby:
    resource_id, feature_id = counted_by(one.usage_key)
    return Nearby(feature_id, one.keys.customer_id, resource_id)
