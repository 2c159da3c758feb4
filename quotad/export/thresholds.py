"""At which part of a limit there is an event, by the catalog in force."""

from collections.abc import Mapping, Sequence

from quotad.catalog import Catalog
from quotad.store import Catalogs


class FeatureThresholds:
    """Reads the catalog anew where another is in force; of one thread.

    Args:
        catalogs: of the store.
        default: percent, of features that have none of their own.
    """

    def __init__(self, catalogs: Catalogs, default: Sequence[int]) -> None:
        self._catalogs = catalogs
        self._default = default
        self._head = (0, "")
        self._own: Mapping[str, Sequence[int]] = {}

    def look(self) -> None:
        """Read the catalog, if it is another.

        Raises:
            StoreError: it cannot be read.
        """
        version, digest = self._catalogs.head()
        if (version, digest) == self._head:
            return
        record = self._catalogs.current()
        if record is None:
            return
        features = Catalog.from_document(record.document).definitions.features
        self._own = {
            feature_id: feature.thresholds
            for feature_id, feature in features.items()
            if feature.thresholds is not None
        }
        self._head = (record.version, record.digest)

    def of(self, feature_id: str) -> Sequence[int]:
        """Percent of a limit of a feature or a credit pool."""
        return self._own.get(feature_id, self._default)
