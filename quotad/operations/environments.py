"""Catalogs of other environments on the same store: looked at, never written."""

from collections.abc import Callable

import msgspec

from quotad.catalog import Source
from quotad.catalog.prepare import Prepared, Request
from quotad.environments import Environment
from quotad.errors import NotFound
from quotad.operations.catalogs import CatalogOperations, Version
from quotad.operations.drafts import files_of


class ForeignCatalog(msgspec.Struct, frozen=True):
    """What is in force in another environment, beside what is in force here."""

    environment: Environment
    version: Version
    files: tuple[Source, ...]
    prepared: Prepared
    """What publishing it here would change."""


class EnvironmentOperations:
    """The environments of the setting; for all threads.

    Args:
        all_of_them: as the setting lists them.
        prefix: of this one.
        here: catalogs of this one.
        catalogs_of: makes those of a prefix.
    """

    def __init__(
        self,
        all_of_them: tuple[Environment, ...],
        prefix: str,
        here: CatalogOperations,
        catalogs_of: Callable[[str], CatalogOperations],
    ) -> None:
        self.own = next((each for each in all_of_them if each.prefix == prefix), None)
        """This one; None: it is not listed."""
        self.others = tuple(each for each in all_of_them if each.prefix != prefix)
        self._here = here
        self._catalogs = {each.name: catalogs_of(each.prefix) for each in self.others}

    def look(self, name: str) -> ForeignCatalog:
        """Return the catalog of another environment, and what it would change here.

        Raises:
            NotFound: there is no such environment, or nothing was published there.
            CatalogError: it must not replace the one in force here.
            Busy: other catalogs are being read.
        """
        catalogs = self._catalogs.get(name)
        if catalogs is None:
            raise NotFound(f"environment: there is no other one named {name!r} (environments)")
        version = catalogs.get(None)
        files = files_of(catalogs, version.record)
        prepared = self._here.compare(Request(files=files), None).prepared
        environment = next(each for each in self.others if each.name == name)
        return ForeignCatalog(environment, version, files, prepared)
