"""The process that keeps the published catalog in step with plan files and URLs.

Owns the sources (files, directories, http) and when to publish. Does not own the format of a
catalog (`quotad.catalog`) nor how versions are kept (`quotad.store.catalogs`). Built and run by
`quotad sidecar` and `quotad dev`.
"""

from quotad.sidecar.file_source import FileSource
from quotad.sidecar.http_source import HttpSource
from quotad.sidecar.interface import PlanSource, SourceUnavailable
from quotad.sidecar.sidecar import Sidecar, SidecarState
from quotad.sidecar.sources import parse_source

__all__ = [
    "FileSource",
    "HttpSource",
    "PlanSource",
    "Sidecar",
    "SidecarState",
    "SourceUnavailable",
    "parse_source",
]
