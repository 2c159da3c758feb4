"""Exports of the ledger: how far each is, and what it has to send; bindings of lua/*_export.lua.

An export has parts, each with a record of its own: a hash with the position in the streams that
the part reads, and with the items that are to be sent, so that one script writes both together. On
one server a part reads all streams, as the entries of a customer are in any of them; on a cluster
there is a part for each. One process at a time has a part, and what another writes is refused.
"""

import msgspec

from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.store.ledger import BESIDE

ALL = "all"
"""The part that reads the streams of all shards."""

LEASE_MS = 30_000
"""How long a process has a part without a write; then another may go on with it."""

OTHERS = -1

POSITIONS, PROGRESS, ASKED = "at", "progress", "asked"
ITEM, NOTE = "o", "n"
"""What the fields of items start with, before their number, and those of a target's notes."""


class ExportPart(msgspec.Struct, frozen=True):
    """Which record."""

    target: str
    name: str
    """`ALL`, or the number of the shard."""


class ExportRecords:
    """The records of one store. All methods raise StoreUnavailable."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._claim = scripts.load("claim_export")
        self._write = scripts.load("write_export")
        self._change = scripts.load("change_export")

    @property
    def whole(self) -> bool:
        """Whether the store is one server, with one clock."""
        return self._store.whole

    def now_ms(self) -> int:
        """Unix time, by the store's clock."""
        return self._store.time_ms()

    @property
    def parts(self) -> dict[str, list[int]]:
        """By the name of each part, the shards whose streams it reads."""
        shards = range(len(self._keys.shard_ledgers))
        if self._store.whole:
            return {ALL: list(shards)}
        return {str(shard): [shard] for shard in shards}

    @property
    def every_part(self) -> dict[str, list[int]]:
        """The same of exports that read what is of no shard as well."""
        parts = self.parts
        if self._store.whole:
            return {ALL: [*parts[ALL], *BESIDE]}
        return parts | {name: [stream] for stream, name in BESIDE.items()}

    def begin(self, target: str, since_ms: int) -> int:
        """Note that there is an export, unless it is known, and return since when it reads.

        Args:
            target: its name.
            since_ms: it reads what is after that (Unix ms); 0: all that there is.
        """
        commands = [
            ("HSETNX", self._keys.exports, target, since_ms),
            ("HGET", self._keys.exports, target),
        ]
        return int(self._store.execute_many(commands)[-1])

    def targets(self) -> list[str]:
        """The exports that there are."""
        (found,) = self._store.execute_many([("HKEYS", self._keys.exports)], or_none=True)
        return sorted(name.decode() for name in found or ())

    def forget(self, target: str) -> None:
        """Remove an export and all that it has to send."""
        names = [self._name(ExportPart(target, name)) for name in self.every_part]
        self._store.execute_many([("HDEL", self._keys.exports, target)])
        self._store.unlink(names)

    def claim(self, part: ExportPart, owner: str) -> bool:
        """Take a part; returns whether it is the owner's now."""
        return bool(self._store.run(self._claim, [self._name(part)], [owner, LEASE_MS]))

    def read(self, part: ExportPart) -> dict[str, bytes]:
        """The fields of a record; none where it is not there."""
        raw = self._store.execute("HGETALL", self._name(part))
        return {name.decode(): value for name, value in zip(raw[::2], raw[1::2], strict=True)}

    def fields(self, field: str) -> dict[ExportPart, bytes]:
        """One field of all records that have it."""
        wanted = [ExportPart(target, name) for target in self.targets() for name in self.every_part]
        commands = [("HGET", self._name(part), field) for part in wanted]
        found = self._store.execute_many(commands, or_none=True) if commands else []
        return {part: raw for part, raw in zip(wanted, found, strict=True) if raw is not None}

    def write(
        self,
        part: ExportPart,
        owner: str,
        written: dict[str, bytes],
        removed: list[str],
        let_go: bool = False,
    ) -> int:
        """Write and remove fields together, and keep the part.

        Args:
            part: which.
            owner: who has it.
            written: by name.
            removed: names.
            let_go: give the part up.

        Returns:
            How often `change` was called for it; `OTHERS`: another process has it, and nothing
            is written.
        """
        words: list[str | bytes | int] = [owner, 0 if let_go else LEASE_MS, len(written)]
        for name, value in written.items():
            words += (name, value)
        return int(self._store.run(self._write, [self._name(part)], [*words, *removed]))

    def change(self, part: ExportPart, field: str, before: bytes, after: bytes) -> bool:
        """Change a field, whoever has the part; returns whether it had the value before.

        Args:
            part: which.
            field: which.
            before: the value that it has to have.
            after: empty: it is removed.
        """
        return bool(self._store.run(self._change, [self._name(part)], [field, before, after]))

    def _name(self, part: ExportPart) -> str:
        return self._keys.export(part.target, part.name)
