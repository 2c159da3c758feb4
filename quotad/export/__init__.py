"""Exports: from the streams of the ledger to targets, each entry at least once, under stable ids.

Owns how far an export is read, what it has to send and what is parked. What a target makes of
entries, and how it sends that, is the target's, see `target`. Any number of processes may export:
each part of an export is one's at a time, and what it writes into the store is fenced.
"""

from quotad.export.archiving import ArchiveTarget
from quotad.export.exporter import Exporter
from quotad.export.files import FilesTarget
from quotad.export.outcomes import Later, Partly, SetAside
from quotad.export.receivers import Receivers
from quotad.export.target import ExportTarget, Folding
from quotad.export.webhooks import WebhookParts, WebhookTarget

__all__ = [
    "ArchiveTarget",
    "ExportTarget",
    "Exporter",
    "FilesTarget",
    "Folding",
    "Later",
    "Partly",
    "Receivers",
    "SetAside",
    "WebhookParts",
    "WebhookTarget",
]
