"""Journals: what was let through while the store was gone, on disk until the store has counted it.

Owns the files of a directory: their format, who writes which, and what becomes of those that are
damaged. Does not know what a policy allows, nor how entries are settled in the store.
"""

from quotad.journal.directory import JournalDirectory
from quotad.journal.entries import JournalCounter, JournalEntry
from quotad.journal.writer import Journal, JournalError, JournalFull

__all__ = [
    "Journal",
    "JournalCounter",
    "JournalDirectory",
    "JournalEntry",
    "JournalError",
    "JournalFull",
]
