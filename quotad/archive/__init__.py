"""The archive of the ledger: files of its entries by day, beside what the store still has.

Owns the format of files, and where they are: in a directory. Does not know how entries come out of
the store, nor which of them are wanted.
"""

from quotad.archive.blocks import (
    Block,
    BlockHead,
    DamagedBlock,
    read_block,
    read_lines,
    write_block,
)
from quotad.archive.directory import ArchiveDirectory, ArchiveStore, ForeignBytes
from quotad.archive.walking import WalkedFile, block_heads

__all__ = [
    "ArchiveDirectory",
    "ArchiveStore",
    "Block",
    "BlockHead",
    "DamagedBlock",
    "ForeignBytes",
    "WalkedFile",
    "block_heads",
    "read_block",
    "read_lines",
    "write_block",
]
