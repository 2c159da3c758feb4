"""Moving the customers of a store from shards with numbers into fewer ones with names.

Shard after shard, each as a whole: it is copied, closed, copied where it has changed meanwhile, and
opened where it is from then on; what was copied is deleted a while later. `quotad:meta` has how far
that is, so that it may be interrupted at any point and gone on with. Servers go on deciding: see
`moves`.
"""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from quotad.backoff import pause_s
from quotad.errors import ConfigError, Conflict, StoreUnavailable
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.fleet import ServerList
from quotad.store.keys import SHARDS_DEFAULT, KeySpace
from quotad.store.mending import NO_HEAD, read_head
from quotad.store.meta import look_at_layout
from quotad.store.noted_keys import NotedKeys
from quotad.store.reshard_copy import ShardCopy, holder_of
from quotad.store.shard_map import (
    CLOSED,
    FIELDS,
    MOVED,
    MOVING,
    NUMBERED,
    STEP_MARK,
    ShardMap,
)
from quotad.store.shard_tags import ShardTags

_log = logging.getLogger("quotad.store")

KNOWN_S = 2.5
"""How long it takes servers to hear that shards are about to move: those read whatever no script
looks at where it is."""

LEFT_S = 5.0
"""How long what has moved stays in its old place, for those who have not heard of it."""

_UNLINKED = 1_000

_MARKED_MS = 30 * 86_400_000
"""How long after the last shard has moved the marks stay, for processes that were stopped."""

_TRIES_MAX = 30
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.05, 2.0
"""How often, and how soon, it is tried again while a server does not answer: about a minute."""

_KEYS_TOGETHER = 500_000
"""About how many keys are looked for together: on one server that goes through all there are."""

_ROUNDS_MAX, _FEW = 10, 200
"""How often what has changed meanwhile is copied, and from how few keys on the shard is closed."""


class Resharding(msgspec.Struct, frozen=True):
    """What is to be done, or how far it is."""

    former: int
    """Shards with numbers."""
    shards: int
    """That they are moved into."""
    moved: int
    """How many have moved."""


class MovedShard(msgspec.Struct, frozen=True):
    """A shard that has just moved."""

    shard: int
    keys: int
    copied: int
    """How many of them were copied while it was closed."""
    closed_s: float
    """How long it took nothing (s)."""


class Resharder:
    """Moves the shards of one store.

    Args:
        store: which.
        keys: of the store, laid out as it is.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._servers = ServerList(store, keys)
        self._tags = ShardTags(store, keys)
        self._step = scripts.load("move_step")
        self._token = secrets.token_hex(8)
        self._old: deque[tuple[float, list[str]]] = deque()
        """What has moved, and since when (monotonic s)."""

    def plan(self, wanted: int = 0) -> Resharding:
        """Return what `run` would do.

        Args:
            wanted: into how many shards; 0: as many as a new store has.

        Raises:
            ConfigError: it cannot be done.
            StoreError: the store refused or timed out.
        """
        spread = look_at_layout(self._store, self._keys)
        if spread.moving:
            if wanted not in (0, spread.shards):
                raise ConfigError(
                    f"shards: they are being moved into {spread.shards} already, not {wanted}"
                )
            return Resharding(spread.former, spread.shards, spread.moved)
        if spread.layout != NUMBERED:
            if wanted not in (0, spread.shards):
                raise ConfigError(
                    f"shards: the store has {spread.shards} that are spread evenly already, which"
                    f" cannot be moved into {wanted}"
                )
            return Resharding(spread.former, spread.shards, spread.former)
        shards = wanted or SHARDS_DEFAULT
        if spread.shards % shards:
            fit = [n for n in range(1, spread.shards + 1) if spread.shards % n == 0]
            raise ConfigError(
                f"shards: the {spread.shards} shards of the store cannot be moved into {shards};"
                f" what divides them can: {', '.join(map(str, fit))}"
            )
        return Resharding(spread.shards, shards, 0)

    def run(self, wanted: int, moved: Callable[[MovedShard], None]) -> Resharding:
        """Move all shards that have not moved yet; may be interrupted, and called again.

        Args:
            wanted: as of `plan`.
            moved: called after each.

        Raises:
            ConfigError: it cannot be done, as there is a server that could not follow.
            Conflict: another process moves shards.
            StoreError: the store refused or timed out; call it again.
        """
        plan = self.plan(wanted)
        if plan.moved == plan.former and not self._keys.spread.moving:
            return plan
        self._check_servers()
        if not self._keys.spread.moving:
            self._begin(plan)
        while self._keys.spread.moved < plan.former:
            self._move_on(moved)
        self._end()
        self._delete(0.0)
        return self.plan(wanted)

    def _move_on(self, moved: Callable[[MovedShard], None]) -> None:
        """Move the next shards, and try again where the store is away for a while: one of them may
        be closed."""
        failures, at = 0, self._keys.spread.moved
        while True:
            try:
                look_at_layout(self._store, self._keys)  # a step may have been taken unanswered
                return self._move_next(moved)
            except StoreUnavailable as error:
                failures = failures + 1 if self._keys.spread.moved == at else 0
                at = self._keys.spread.moved
                if failures > _TRIES_MAX:
                    raise
                _log.warning("trying again: %s", error)
                time.sleep(pause_s(failures, _PAUSE_MIN_S, _PAUSE_MAX_S))

    def sweep(self) -> int:
        """Delete what is left in shards with numbers once all have moved; returns how many keys.

        Raises:
            StoreError: the store refused or timed out.
        """
        spread = self._keys.spread
        if spread.moving or not spread.former:
            return 0
        found = 0
        gone = self._keys.catalogs_gone
        kept = self._keys.staying
        self._store.unlink([holder_of(self._keys, shard) for shard in self._keys.places])
        self._store.execute_many([("PEXPIRE", name, _MARKED_MS) for name in gone])
        starts = tuple(self._keys.of_shard(shard) for shard in range(spread.former))
        for names in self._store.scan(self._keys.everything):
            texts = [name.decode(errors="surrogateescape") for name in names]
            left = [name for name in texts if name.startswith(starts) and name not in kept]
            found += self._store.unlink(left)
        return found

    def _check_servers(self) -> None:
        """Refuse to begin while a server would not notice.

        Raises:
            ConfigError: it is of an earlier release.
        """
        found = self._servers.standing()
        if found:
            names = ", ".join(sorted({f"{each.host} (pid {each.pid})" for each in found})[:5])
            raise ConfigError(
                "servers of an earlier release use the store, or did within the last minute, and"
                f" could not follow: {names}; update all servers and sidecars first"
            )

    def _begin(self, plan: Resharding) -> None:
        self._take(ShardMap(plan.shards, MOVING, plan.former, step=1))
        try:
            self._check_servers()  # one of an earlier release refuses to start from here on
        except ConfigError:
            self._take(ShardMap(plan.former, NUMBERED))
            raise
        if not self._store.whole:
            self._advance()
        time.sleep(KNOWN_S)

    def _move_next(self, moved: Callable[[MovedShard], None]) -> None:
        """Move the next shards, as many as are looked for together."""
        spread = self._keys.spread
        shards = range(spread.moved, min(spread.moved + self._together(), spread.former))
        if not shards:
            return  # the last one has moved, and only the answer was lost
        with NotedKeys(self._store, self._keys, shards) as noted:
            for shard in shards:
                done = self._move(shard, noted)
                if done is None:  # what has changed was missed: look for all of it again
                    return
                moved(done)
                self._delete(LEFT_S)

    def _together(self) -> int:
        """How many shards are looked for together: a server of a cluster finds the keys of one."""
        if not self._store.whole:
            return 1
        spread = self._keys.spread
        left = spread.former - spread.moved
        return max(1, left * _KEYS_TOGETHER // max(self._store.count_keys(), 1))

    def _move(self, shard: int, noted: NotedKeys) -> MovedShard | None:
        """Move the next shard; None: look for its keys again."""
        before = self._keys.spread
        if self._store.read([self._keys.shard_catalogs[shard]]) == [MOVED.encode()]:
            return self._open_again(shard)
        copy = ShardCopy(self._store, self._keys, shard, self._token)
        is_begun = copy.begin()
        names: set[str] | None = None
        if not before.closed:
            names = self._copy_first(copy, noted, is_begun)
            if names is None and noted.works:
                return None
        since = time.monotonic()
        self._close(before)
        self._mark(shard, CLOSED)
        changed = None if names is None else noted.take(shard)
        if names is None or changed is None:
            changed = names = noted.look(shard)
            copy.remove_but(names)
        names |= changed
        copied = copy.copy(changed)
        copy.join_mark()
        self._open(shard)
        closed_s = time.monotonic() - since
        copy.end()
        self._old.append((time.monotonic(), sorted(names)))
        return MovedShard(shard, len(names), copied, closed_s)

    def _open_again(self, shard: int) -> MovedShard:
        """Open a shard that has moved before, which a failover has taken back; all of it is there,
        and may have been deleted here."""
        spread, since = self._keys.spread, time.monotonic()
        if not self._store.whole:
            self._advance()
        step = spread.step + 1
        self._take(msgspec.structs.replace(spread, moved=shard + 1, closed=False, step=step), MOVED)
        return MovedShard(shard, 0, 0, time.monotonic() - since)

    def _close(self, before: ShardMap) -> None:
        if not before.closed:
            closed = msgspec.structs.replace(before, closed=True, step=before.step + 1)
            self._take(closed, CLOSED)

    def _copy_first(self, copy: ShardCopy, noted: NotedKeys, is_begun: bool) -> set[str] | None:
        """Copy what there is while the shard takes something; returns the names of its keys, None:
        it is not known what has changed meanwhile."""
        names = noted.names(copy.shard)
        if names is None:
            return None
        if is_begun:
            copy.remove_but(names)
        names, changed = set(names), names
        for _ in range(_ROUNDS_MAX):
            copy.copy(changed, gently=True)
            found = noted.take(copy.shard)
            if found is None:
                return None
            changed = found
            names |= changed
            if len(changed) <= _FEW:
                break
        copy.copy(changed)
        return names

    def _open(self, shard: int) -> None:
        """Let the shard take something in its new place."""
        closed = self._keys.spread
        if self._store.read([self._keys.shard_catalogs[shard]]) != [CLOSED.encode()]:
            raise StoreUnavailable(
                f"the mark of shard {shard} was lost while it was copied, as in a failover; start"
                " it again"
            )
        if not self._store.whole:
            self._mark(shard, MOVED)
            self._advance()  # a publish may not have known of its new place
        after = msgspec.structs.replace(closed, moved=shard + 1, closed=False, step=closed.step + 1)
        self._take(after, MOVED)

    def _end(self) -> None:
        spread = self._keys.spread
        ended = ShardMap(
            spread.shards,
            layout=2,
            former=spread.former,
            moved=spread.former,
            step=spread.step + 1,
            ended_ms=self._store.time_ms(),
        )
        self._take(ended)

    def _take(self, after: ShardMap, mark: str = "") -> None:
        """Put a step in force.

        Raises:
            Conflict: another process has taken one.
        """
        keys, before = self._keys, self._keys.spread
        then = KeySpace(keys.prefix, 1)
        then.follow(after)
        fields = after.fields()
        words: list[Any] = [word for pair in fields.items() for word in pair]
        gone = [name for name in FIELDS if name not in fields]
        step = f"{STEP_MARK}{after.step}" if after.moving else ""
        names = [keys.meta]
        if self._store.whole:
            marked = keys.shard_catalogs[before.moved] if mark else keys.meta
            names += [keys.head, marked, *then.catalogs_in_force]
        head = (before.layout, before.step or "", mark, step, len(words))
        if not self._store.run(self._step, names, [*head, *words, *gone]):
            raise Conflict("another process moves the shards of this store; let it go on")
        look_at_layout(self._store, keys)

    def _mark(self, shard: int, mark: str) -> None:
        if not self._store.whole or mark == CLOSED:
            self._store.execute("SET", self._keys.shard_catalogs[shard], mark)

    def _advance(self) -> None:
        """Put the catalog on the head in force in all shards of a cluster."""
        command = ("HMGET", self._keys.head, "version", "digest")
        head = read_head(self._store.execute(*command))
        if head != NO_HEAD:
            self._tags.advance(*head)

    def _delete(self, left_s: float) -> None:
        """Delete what has moved long enough ago."""
        kept = self._keys.staying
        while self._old and (not left_s or self._old[0][0] + left_s < time.monotonic()):
            since, names = self._old.popleft()
            time.sleep(max(0.0, since + LEFT_S - time.monotonic()))
            left = [name for name in names if name not in kept]
            for at in range(0, len(left), _UNLINKED):
                self._store.unlink(left[at : at + _UNLINKED])
