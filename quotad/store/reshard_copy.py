"""Copying the keys of a numbered shard to where its customers are to be from now on.

What is copied replaces what is there, so that it may be copied any number of times; the shard takes
nothing meanwhile, or what has changed is copied again. Only who has the shard's token copies: a
process that was stopped, and goes on when another has taken over, changes nothing.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from quotad.errors import Conflict, StoreError
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.facets import customer_of
from quotad.store.index import WHOLE_MARKS
from quotad.store.keys import KeySpace, unescape
from quotad.store.link import Command
from quotad.store.shard_commands import read_answers, spelled

_AT_ONCE = 200
"""Keys copied in one round trip; a server is busy with them for about a millisecond."""

_MEMBERS = 2_000
"""Members of a set read or written in one command."""

SETS = ("customers", "index", "seen", "erased", "written")
"""What a shard has one of, to be joined with what others have brought there."""

_CUSTOMER_OF: dict[str, Callable[[bytes], str]] = {
    "customers": bytes.decode,
    "seen": bytes.decode,
    "index": customer_of,
    "written": lambda member: member.partition(b":")[2].decode(),
}
"""Whose the members of a set are, where they can be told."""

_LEFT = ("catalog", "events", "l", "le", "indexed", "indexing")
"""What stays: the mark; what has happened and the ledger, which are read where they are for as long
as they are kept; and what is about the shard itself."""


class ShardCopy:
    """Copies one shard of one store.

    Args:
        store: where it is.
        keys: of the store; shards are being moved.
        shard: the number of the shard.
        token: of the process that moves it.
    """

    def __init__(self, store: Store, keys: KeySpace, shard: int, token: str) -> None:
        self._store = store
        self._keys = keys
        self.shard = shard
        self._token = token
        spread = keys.spread
        self._joins = shard >= spread.shards
        """Whether others have been moved there before."""
        self.start = keys.of_shard(shard)
        """Of every key of the shard."""
        self._to = keys.of_shard(spread.former + shard % spread.shards)
        self._holder = holder_of(keys, spread.former + shard % spread.shards)
        self._run = scripts.load("join_shard")
        self._joined: dict[str, dict[bytes, bytes]] = {}
        """What was joined, by set."""

    def begin(self) -> bool:
        """Take over the place that it is moved to; returns whether another has not finished there,
        so that some of it may be left."""
        before = self._store.execute("SET", self._holder, self._token, "GET")
        return before not in (None, self._token.encode())

    def end(self) -> None:
        """Give the place free."""
        self._change([("UNLINK", self._holder)])

    def copy(self, names: Iterable[str], gently: bool = False) -> int:
        """Copy keys; those that are gone are removed where they are copied to.

        Args:
            names: which.
            gently: rest as long as it works, so that decisions have their turn.

        Returns:
            How many there were.

        Raises:
            Conflict: another process has taken over.
            StoreError: the store refused or timed out; copy them again.
        """
        names = list(names)
        for name in SETS:
            if self.start + name in names:
                self._join(name)
        pairs = [(name, to) for name in names if (to := self._target(name)) is not None]
        copied = 0
        for some in _parts(pairs, _AT_ONCE):
            since = time.monotonic()
            copied += self._copy(some)
            if gently:
                time.sleep(time.monotonic() - since)
        return copied

    def _copy(self, pairs: Sequence[tuple[str, str]]) -> int:
        asked = [(word, name) for name, _ in pairs for word in ("DUMP", "PEXPIRETIME")]
        found = self._store.execute_many(asked)
        commands: list[Command] = []
        gone = 0
        for (_, to), value, ends in zip(pairs, found[::2], found[1::2], strict=True):
            if value is None or ends == _NO_KEY:  # it was removed, or has expired in between
                commands.append(("UNLINK", to))
                gone += 1
            else:
                commands.append(("RESTORE", to, max(ends, 0), value, "REPLACE", "ABSTTL"))
        self._change(commands)
        return len(pairs) - gone

    def remove_but(self, names: Collection[str]) -> None:
        """Remove what an earlier process has copied and is not there any more."""
        right = {self._target(name) for name in names}
        for found in self._store.scan(self._to):
            mine = [name for name in map(bytes.decode, found) if self._is_of_shard(name)]
            self._change([("UNLINK", name) for name in mine if name not in right])
        self._remove_members()

    def _is_of_shard(self, name: str) -> bool:
        """Whether a key, where it is moved to, is of this shard and of no other that is there."""
        kind, _, rest = name.removeprefix(self._to).partition(":")
        whose = rest.partition(":")[0]
        if not rest:
            return False
        if kind == "j":
            return whose == str(self.shard)
        return self._keys.grain(unescape(whose)) == self.shard

    def _join(self, name: str) -> None:
        """Add what one of the shard's sets has to what is there, as far as it has changed since."""
        key, to = self.start + name, self._to + name
        before, now = self._joined.get(name, {}), self._members(key)
        for some in _parts([each for each in now.items() if before.get(each[0]) != each[1]]):
            words = [word for member, score in some for word in (score, member)]
            self._change([("ZADD", to, "GT", *words)])
        for some in _parts([member for member in before if member not in now]):
            self._change([("ZREM", to, *some)])
        self._joined[name] = now
        ends, there = self._store.execute_many([("PEXPIRETIME", key), ("PEXPIRETIME", to)])
        if ends > there > _NO_KEY:
            self._change([("PEXPIREAT", to, ends)])

    def _remove_members(self) -> None:
        """Remove what an earlier process has joined and is not there any more."""
        for name, whose in _CUSTOMER_OF.items():
            right = self._members(self.start + name)
            wrong = [
                member
                for member in self._members(self._to + name)
                if member not in right
                and member not in WHOLE_MARKS
                and self._keys.grain(whose(member)) == self.shard
            ]
            for some in _parts(wrong):
                self._change([("ZREM", self._to + name, *some)])

    def _members(self, key: str) -> dict[bytes, bytes]:
        """Members of a set, and their scores."""
        members: dict[bytes, bytes] = {}
        cursor = b"0"
        while True:
            [answer] = self._store.execute_many(
                [("ZSCAN", key, cursor, "COUNT", _MEMBERS)], or_none=True
            )
            if answer is None:
                return {}  # of another type, as good as lost
            cursor, found = answer
            members.update(zip(found[::2], found[1::2], strict=True))
            if cursor == b"0":
                return members

    def join_mark(self) -> None:
        """Let the index there be as whole as both are.

        Raises:
            Conflict: another process has taken over.
            StoreError: the store refused or timed out; do it again.
        """
        commands = [
            command
            for start in (self.start, self._to)
            for command in (
                ("GET", f"{start}indexed"),
                ("ZMSCORE", f"{start}index", *WHOLE_MARKS),
            )
        ]
        mark, whole, there, _ = self._store.execute_many(commands, or_none=True)
        to = f"{self._to}indexed"
        if mark is None or whole is None or None in whole or (self._joins and there is None):
            self._change([("DEL", to), ("ZREM", f"{self._to}index", *WHOLE_MARKS)])
        else:
            marks = [mark, *([there] if self._joins else [])]
            self._change([("SET", to, min(map(int, marks)))])

    def _target(self, name: str) -> str | None:
        """Where a key is copied to; None: it is none of those that are copied as a whole."""
        rest = name.removeprefix(self.start)
        if rest in SETS or rest in _LEFT:
            return None
        if ":" not in rest:
            raise StoreError(f"{name} is none of the keys that this release moves")
        if rest.startswith("j:"):  # several shards have settled the same journal
            return f"{self._to}j:{self.shard}:{rest[2:]}"
        return self._to + rest

    def _change(self, commands: Sequence[Command]) -> None:
        if not commands:
            return
        names, words = spelled(commands)
        found = self._store.run(self._run, [*names, self._holder], [self._token, *words])
        if not isinstance(found, list):
            raise Conflict("another process moves the shards of this store; let it go on")
        read_answers(found, self._store.address)


def holder_of(keys: KeySpace, place: int) -> str:
    """The key that has the token of who moves a shard to a place."""
    return f"{keys.of_shard(place)}joining"


_NO_KEY = -2
"""What is answered for the end of a key that is not there."""


def _parts(items: Sequence[Any], size: int = _MEMBERS) -> Iterator[Any]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
