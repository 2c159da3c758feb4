"""The ledger of a stretch of time as a log to be tried: what the store has, and its archive."""

import gzip
import time
from collections.abc import Callable
from pathlib import Path

from quotad.archive.blocks import line_of
from quotad.errors import InvalidRequest
from quotad.operations.ledger import LedgerOperations
from quotad.operations.trials import LOG_BYTES_MAX
from quotad.store.events import EventId

_UNREADABLE = b'{"gap": "unreadable"}\n'


def write_ledger(
    ledger: LedgerOperations, path: Path, since_ms: int, is_stopped: Callable[[], bool]
) -> None:
    """Write the entries from a time on as a log, in the order of time, gzipped.

    What cannot be read is a line that is no entry, so that a trial skips and counts it.

    Args:
        ledger: where they are read.
        path: of the log.
        since_ms: from when on (Unix ms).
        is_stopped: whether to end.

    Raises:
        InvalidRequest: there are none, or more than a log may have; or it was stopped.
        StoreUnavailable: the store refused or timed out, or a file cannot be read.
    """
    shards, never = range(ledger.streams.shards), EventId(0, 0)
    newest = ledger.streams.cut(shards)
    ends = {shard: newest.get(shard, never) for shard in shards}
    size = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        for record, entries in ledger.walk({}, ends, archived_since_ms=since_ms):
            time.sleep(0)  # so that pages and decisions do not wait for it
            if is_stopped():
                raise InvalidRequest("it was stopped")
            if entries is None:
                if record.at_ms >= since_ms:
                    size += file.write(_UNREADABLE)
                continue
            for entry in entries:
                if entry.at_ms >= since_ms:
                    size += file.write(line_of(entry))
            if size > LOG_BYTES_MAX:
                mb = LOG_BYTES_MAX // 1024**2
                raise InvalidRequest(f"the ledger has more than {mb} MB of that; try fewer days")
    if not size:
        raise InvalidRequest("the ledger has nothing of these days")
