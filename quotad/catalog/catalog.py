"""The catalog as one value: definitions, their canonical document and its digest."""

import hashlib
from collections.abc import Sequence

import msgspec

from quotad.catalog.bounds import TOO_LARGE, fit
from quotad.catalog.definitions import Definitions
from quotad.catalog.document import write_document
from quotad.catalog.parse import parse_definitions
from quotad.catalog.sources import Source
from quotad.errors import CatalogError


class Catalog:
    """The checked definitions of a whole catalog; made by `parse` or `from_document` only."""

    __slots__ = ("definitions", "digest", "document")

    def __init__(self, definitions: Definitions, document: bytes = b"") -> None:
        """Prepare.

        Args:
            definitions: its content.
            document: what they were read from; empty: to be written.
        """
        self.definitions = definitions
        self.document = document or write_document(definitions)
        """Canonical JSON: the same for the same content, whatever format it was written in."""
        self.digest = hashlib.sha256(self.document).hexdigest()
        """SHA-256 of the document, in hexadecimal."""

    @classmethod
    def from_document(cls, document: bytes) -> "Catalog":
        """Return the catalog that `document` was written from.

        Raises:
            CatalogError: it is not the document of a valid catalog.
        """
        try:
            text = document.decode()
        except UnicodeDecodeError as error:
            raise CatalogError(["catalog.json: not UTF-8"]) from error
        # The document is itself a catalog file, so it is read and checked like any other. Only
        # it may hold revisions of plans. It stays what it is, also if another release wrote it:
        # its digest is what the store names it by.
        source = Source(name="catalog.json", text=text)
        return cls(parse_definitions([source], published=True), document)

    @property
    def source_digest(self) -> str:
        """The digest of the files that it was published from: without carried revisions."""
        plans = self.definitions.plans.values()
        if not self.definitions.gone and all(
            plan.revision == 1 and not plan.earlier for plan in plans
        ):
            return self.digest
        written = write_document(_as_in_files(self.definitions))
        return hashlib.sha256(written).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalog) and other.document == self.document

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        features, plans = len(self.definitions.features), len(self.definitions.plans)
        return f"<Catalog {self.digest[:12]}: {features} features, {plans} plans>"


def _as_in_files(definitions: Definitions) -> Definitions:
    plans = {
        name: msgspec.structs.replace(plan, revision=1, earlier={})
        for name, plan in definitions.plans.items()
    }
    return msgspec.structs.replace(definitions, plans=plans, gone={})


def parse(sources: Sequence[Source]) -> Catalog:
    """Check catalog files and merge them into one catalog.

    Raises:
        CatalogError: with every problem of every file, each with file and path.
    """
    if not fit(source.text for source in sources):
        raise CatalogError([f"the catalog is {TOO_LARGE}"])
    return Catalog(parse_definitions(sources))
