"""The engine: batches of decisions, synchronous and deterministic given its clock and store.

Owns the order of checks, the cache of customer views and the compiled catalog in force. Does not
know gRPC; the service room translates for it.
"""

from quotad.engine.engine import Engine
from quotad.engine.lending import Lent
from quotad.engine.shared import EngineSettings, Granted, Shared
from quotad.engine.snapshots import Snapshots
from quotad.engine.views import ViewCache

__all__ = [
    "Engine",
    "EngineSettings",
    "Granted",
    "Lent",
    "Shared",
    "Snapshots",
    "ViewCache",
]
