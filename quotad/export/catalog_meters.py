"""Which features feed which meters, by the catalog in force."""

from collections.abc import Mapping

from quotad.catalog import Catalog
from quotad.errors import NotReady
from quotad.export.buckets import MeterOf
from quotad.store import Catalogs


class CatalogMeters:
    """Reads the catalog anew where another is in force; of one thread.

    Args:
        catalogs: of the store.
    """

    def __init__(self, catalogs: Catalogs) -> None:
        self._catalogs = catalogs
        self._version = 0
        self._digest = ""
        self._meters: Mapping[str, MeterOf] = {}

    def look(self) -> Mapping[str, MeterOf]:
        """The meters of features, by feature.

        Raises:
            StoreError: the catalog cannot be read, or there is none yet.
        """
        version, digest = self._catalogs.head()
        if (version, digest) == (self._version, self._digest):
            return self._meters
        record = self._catalogs.current()
        if record is None:
            raise NotReady("no catalog was published yet")
        features = Catalog.from_document(record.document).definitions.features
        self._meters = {
            feature_id: MeterOf(feature.stripe_meter, feature.decimals)
            for feature_id, feature in features.items()
            if feature.stripe_meter
        }
        self._version, self._digest = record.version, record.digest
        return self._meters
