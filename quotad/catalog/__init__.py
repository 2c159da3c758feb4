"""Plan definitions: read files, check them, compile them, compare them.

Owns the format of catalog files, the canonical document and the compiled `Snapshot`. Does no I/O
but reading files: fetching is the sidecar's, publishing and storing the store's, deciding the
engine's.

    files --read_sources--> Source --parse--> Catalog --compile_snapshot--> Snapshot
                                                 |  ^
                                       .document v  | from_document
                                             canonical JSON
"""

from quotad.catalog.advice import advice
from quotad.catalog.catalog import Catalog, parse
from quotad.catalog.diff import CatalogChange, diff
from quotad.catalog.numbers import WrittenFloat
from quotad.catalog.parse_entitlement import parse_entry_value
from quotad.catalog.revisions import ApplyTo, carry, read_record, restore
from quotad.catalog.snapshot import Snapshot, compile_snapshot
from quotad.catalog.sources import Source, read_sources, told_apart
from quotad.catalog.write_entry import entry_value

__all__ = [
    "ApplyTo",
    "Catalog",
    "CatalogChange",
    "Snapshot",
    "Source",
    "WrittenFloat",
    "advice",
    "carry",
    "compile_snapshot",
    "diff",
    "entry_value",
    "parse",
    "parse_entry_value",
    "read_record",
    "read_sources",
    "restore",
    "told_apart",
]
