"""What a server last knew of its store, on disk: for a start while the store is gone.

It is what a server that had gone on running would have in memory: the catalog in force and the
tokens. So features are answered by their policies, see `quotad.engine.fallback`, and nothing else
is: as soon as the store is there it decides, and its script refuses what was planned on a catalog
that is not in force any more.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path
from zlib import crc32

import msgspec

from quotad.engine import Snapshots
from quotad.errors import NotReady
from quotad.files import whole_file
from quotad.records import CatalogRecord
from quotad.server.fallback_parts import FallbackParts
from quotad.store import KeySpace
from quotad.tokens.record import TokenRecord

FOLDER = "known"
"""Below the directory of journals."""

_MAGIC = b"QUOTADK1"
_CHECK_BYTES = 4

_log = logging.getLogger("quotad.server")


class LastKnown(msgspec.Struct, frozen=True):
    """What is kept. New fields go to the end and have defaults."""

    store_id: str
    shards: int
    layout: int
    catalog: CatalogRecord
    tokens: tuple[TokenRecord, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LastKnown).decode


class LastKnownFile:
    """The file for one store.

    Args:
        directory: of journals.
        store: its address and the prefix: another one has another file.
    """

    def __init__(self, directory: Path, store: str) -> None:
        self.path = directory / FOLDER / hashlib.sha256(store.encode()).hexdigest()[:16]

    def write(self, known: LastKnown) -> None:
        """Keep it, in the place of what was kept before; for its owner alone to read.

        Raises:
            OSError: it cannot be.
        """
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        payload = _encode(known)
        if not self.path.exists():
            self.path.touch(mode=0o600)
        with whole_file(self.path) as file:
            file.write(_MAGIC + crc32(payload).to_bytes(_CHECK_BYTES) + payload)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> LastKnown | None:
        """Return what is kept; None: nothing that can be read."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.error("%s cannot be read: %s", self.path, error.strerror)
            return None
        payload = data[len(_MAGIC) + _CHECK_BYTES :]
        check = crc32(payload).to_bytes(_CHECK_BYTES)
        if not data:  # before it was first written
            return None
        if data[: len(_MAGIC) + _CHECK_BYTES] != _MAGIC + check:
            _log.error("%s is damaged, and is not used", self.path)
            return None
        try:
            return _decode(payload)
        except msgspec.DecodeError as error:
            _log.error("%s is not used: %s", self.path, error)
            return None


class Recollection:
    """Keeps what is known of the store, and takes it over at a start without one; of one thread at
    a time each.

    Args:
        file: where; None: without a journal nothing is answered, and nothing kept.
        keys: of the store.
        snapshots: the catalog in force.
        without_store: who answers.
        tokens: those that are known; None: not yet.
        take_tokens: takes those that were known.
    """

    def __init__(
        self,
        file: LastKnownFile | None,
        keys: KeySpace,
        snapshots: Snapshots,
        without_store: FallbackParts,
        tokens: Callable[[], Collection[TokenRecord] | None],
        take_tokens: Callable[[Collection[TokenRecord]], None],
    ) -> None:
        self._file = file
        self._keys = keys
        self._snapshots = snapshots
        self._without_store = without_store
        self._tokens = tokens
        self._take_tokens = take_tokens
        self._kept: tuple[str, object] | None = None
        """Tag of the catalog and the tokens that were kept last."""
        self._recalled = False

    def keep(self) -> None:
        """Keep what is in force, where it has changed and some calls are answered by policies."""
        held, tokens = self._snapshots.held, self._tokens()
        store_id = self._without_store.store_id
        if self._file is None or held is None or tokens is None or not store_id:
            return
        if self._kept is not None and self._kept[0] == held.tag and self._kept[1] is tokens:
            return
        self._kept = (held.tag, tokens)
        try:
            if not self._without_store.answers:
                self._file.path.unlink(missing_ok=True)
                return
            record = msgspec.structs.replace(held.record, document=held.document())
            self._file.write(
                LastKnown(store_id, self._keys.shards, self._keys.layout, record, tuple(tokens))
            )
        except OSError as error:
            _log.error("%s cannot be written: %s", self._file.path, error.strerror)

    def recall(self) -> None:
        """Take over what was kept, once, where nothing is known since this process was started."""
        if self._file is None or self._recalled or self._snapshots.loaded:
            return
        self._recalled = True
        if self._without_store.store_id:  # it was there, and has no catalog
            return
        known = self._file.read()
        if known is None:
            return
        self._keys.lay_out(known.shards, known.layout)
        try:
            self._snapshots.recall(known.catalog)
        except NotReady as error:
            _log.error("%s is not used: %s", self._file.path, error)
            return
        self._without_store.recall(known.store_id)
        self._take_tokens(known.tokens)
        _log.warning(
            "the store is not there; until it is, calls are answered by on_store_failure of"
            " catalog version %d, which was in force when it was last seen",
            known.catalog.version,
        )
