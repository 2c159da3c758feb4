"""Whether a store keeps what it acknowledges: eviction, append-only file, how it is synced, role.

Counters and customers are keys like any others to the store. One that evicts keys when its memory
is full gives used quota away without a word.
"""

import logging
import threading
from collections.abc import Collection, Mapping

import msgspec

from quotad.errors import StoreRefused
from quotad.plural import plural
from quotad.store.connection import Store

_log = logging.getLogger("quotad.store")

KEEPS = "noeviction"

_NEEDS_REPLICAS = {"min_slaves_good_slaves", "min_replicas_good_replicas"}
"""Fields of a server that refuses writes while it has too few replicas."""

PROBLEMS = (
    "evicts",
    "would_evict",
    "no_aof",
    "no_fsync",
    "no_replicas",
    "replica",
    "full_coverage",
    "uncovered",
    "unchecked",
)
"""What can be wrong with a store, in a word each."""

FSYNC = "appendfsync"

COVERAGE = "cluster-require-full-coverage"

UNSYNCED = (
    "when the store's append-only file reaches the disk could not be checked: it does not answer"
    " CONFIG GET appendfsync, which should be everysec"
)

UNCHECKED = "whether the store evicts keys could not be checked: it does not say in INFO"


class Finding(msgspec.Struct, frozen=True):
    """What a look at the store has shown."""

    warnings: tuple[str, ...]
    evicts: str = ""
    """The policy by which it evicts keys; empty: it does not, or that is not known."""
    problems: frozenset[str] = frozenset()
    """Which of `PROBLEMS` it has."""


class Safety:
    """Looks at one store again and again; any thread may.

    Args:
        store: which one.
        allow_evicting: whether one that evicts keys is good enough.
    """

    def __init__(self, store: Store, allow_evicting: bool) -> None:
        self._store = store
        self._allow_evicting = allow_evicting
        self._accepted = False
        self._lock = threading.Lock()
        self._found: tuple[str, ...] = ()
        self.problems: frozenset[str] = frozenset()
        """The same in words of `PROBLEMS`."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What can lose what is counted, as of the last check; and which servers are away now."""
        return (*self._found, *self._store.away)

    def check(self) -> None:
        """Look, before the store is used.

        A store that begins to evict later is only warned of: the operator who has set it so
        does not expect every server to stop.

        Raises:
            StoreRefused: it evicts keys, and that is not allowed.
            StoreUnavailable: it was not there.
        """
        found = self._look()
        if found.evicts and not (self._allow_evicting or self._accepted):
            self._note(found, but=(eviction(found.evicts),))  # the error has it
            raise StoreRefused(
                f"{eviction(found.evicts, f' at {self._store.address}')},"
                " or set allow_evicting_store",
                "the store is not set up to keep what is counted",
            )
        self._note(found)
        self._accepted = True

    def watch(self) -> None:
        """Look; what is new is logged once.

        Raises:
            StoreUnavailable: it was not there.
        """
        self._note(self._look())

    def _look(self) -> Finding:
        """What is wrong with any of the store's servers."""
        watched = self._store.fails_over
        found = [judge(info, watched) for info in self._store.infos().values()]
        if self._store.uncovered:
            found.append(uncovered(self._store.uncovered))
        warnings = dict.fromkeys(warning for each in found for warning in each.warnings)
        return Finding(
            tuple(warnings),
            next((each.evicts for each in found if each.evicts), ""),
            frozenset().union(*(each.problems for each in found)),
        )

    def _note(self, found: Finding, but: Collection[str] = ()) -> None:
        with self._lock:
            new = [warning for warning in found.warnings if warning not in self._found]
            self._found, self.problems = found.warnings, found.problems
        for warning in new:
            if warning not in but:
                _log.warning("%s", warning)


def eviction(policy: str, at: str = "") -> str:
    """What a policy that evicts keys does, of the store at some address."""
    return (
        f"the store{at} evicts keys when its memory is full (maxmemory-policy {policy}), which"
        f" gives quota away; set it to {KEEPS}"
    )


def uncovered(slots: int) -> Finding:
    """What slots of a cluster without a server mean."""
    warning = (
        f"{plural(slots, 'slot')} of the cluster without a server: their customers are answered"
        " UNAVAILABLE until it has them all again (CLUSTER INFO)"
    )
    return Finding((warning,), problems=frozenset(["uncovered"]))


def judge(info: Mapping[str, str], fails_over: bool = False) -> Finding:
    """What the fields of INFO mean; a managed store may not have all of them.

    Args:
        info: of one server.
        fails_over: whether another server may take its place while it goes on.
    """
    found: dict[str, str] = {}
    evicts = ""
    policy = info.get("maxmemory_policy")
    if policy is None:
        found["unchecked"] = UNCHECKED
    elif policy != KEEPS and info.get("maxmemory") == "0":
        found["would_evict"] = (
            f"the store would evict keys if it had a maxmemory (maxmemory-policy {policy});"
            f" set it to {KEEPS}"
        )
    elif policy != KEEPS:
        evicts = policy
        found["evicts"] = eviction(policy)
    if info.get("aof_enabled") == "0":
        found["no_aof"] = (
            "the store has no append-only file (appendonly no): what is counted is lost when it"
            " ends without saving"
        )
    elif info.get("aof_enabled") == "1" and FSYNC not in info:
        found["unchecked"] = f"{found['unchecked']}; {UNSYNCED}" if found else UNSYNCED
    elif info.get(FSYNC) == "no":
        found["no_fsync"] = (
            "the store leaves it to the kernel when its append-only file reaches the disk"
            " (appendfsync no): a power cut may lose half a minute of what is counted; set it to"
            " everysec"
        )
    if fails_over and "role" in info and not {*info} & _NEEDS_REPLICAS:
        found["no_replicas"] = (
            "the store's primary takes writes without a replica: until it knows that another has"
            " taken its place, all of them are lost; set min-replicas-to-write 1 and"
            " min-replicas-max-lag 1"
        )
    if info.get("cluster_enabled") == "1" and info.get(COVERAGE) == "yes":
        found["full_coverage"] = (
            "a node of the cluster that is lost takes all others with it"
            " (cluster-require-full-coverage yes); set it to no"
        )
    if info.get("role") == "slave":
        found["replica"] = "the store is a replica: what is counted there is lost"
    return Finding(tuple(found.values()), evicts, frozenset(found))
