"""The files that catalogs were published from, kept beside them so that people can edit them."""

import logging
import zlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from quotad.catalog import Source
from quotad.errors import StoreError

FILES_BYTES_MAX = 1024 * 1024
"""Most bytes of all files together that are kept, and that a draft may have."""

_log = logging.getLogger("quotad.operations")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Source, ...]).decode


class FileStore(Protocol):
    """What keeping files needs of `quotad.store.catalogs.Catalogs`."""

    def keep_files(self, source_digest: str, data: bytes) -> None:
        """Keep them by the digest of what they mean."""
        ...


def fits(files: Sequence[Source]) -> bool:
    """Whether files are small enough to be kept and edited."""
    return sum(len(file.text.encode(errors="replace")) for file in files) <= FILES_BYTES_MAX


def keep(store: FileStore, source_digest: str, files: Sequence[Source]) -> None:
    """Keep files that were published; a failure is logged, as the publish is done."""
    if not files or not fits(files):
        return
    try:
        store.keep_files(source_digest, pack(files))
    except StoreError as error:
        _log.warning("the files of the catalog could not be kept for editing: %s", error)


def pack(files: Sequence[Source]) -> bytes:
    """Files as they are stored."""
    return zlib.compress(_encode(tuple(files)))


def unpack(data: bytes | None) -> tuple[Source, ...]:
    """The files that were stored; none, where they cannot be read."""
    if data is None:
        return ()
    unzip = zlib.decompressobj()
    try:
        return _decode(unzip.decompress(data, 4 * FILES_BYTES_MAX))
    except (zlib.error, msgspec.MsgspecError):
        return ()
