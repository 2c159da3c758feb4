"""What the tests of the sidecar hold in their hands: sources, a store, a clock."""

from collections.abc import Callable

from quotad.catalog import Source, parse
from quotad.errors import Conflict
from quotad.records import CatalogRecord
from quotad.sidecar import Sidecar
from quotad.store.catalogs import Outcome, Published

EMPTY = "plans: {}\n"
FEATURES = "version: 1\nfeatures:\n  api-calls: {type: metered}\n"


def plan(limit: int) -> str:
    return (
        f"{FEATURES}"
        f"plans:\n  pro:\n    entitlements:\n      api-calls: {{limit: {limit}, per: month}}\n"
    )


BROKEN = "version: 1\nfeatures: [\n"
WRONG = plan(1) + "  free:\n    limit: 5\n    entitlements:\n      api-cals: {limit: 1}\n"


def digest_of(text: str) -> str:
    return parse([Source(name="plans.yaml", text=text)]).digest


class FakeSource:
    """A source that holds what the test gives it."""

    def __init__(self, text: str | None = None, name: str = "plans.yaml") -> None:
        self.name = name
        self._new = text
        self._error: Exception | None = None

    def give(self, text: str) -> None:
        self._new, self._error = text, None

    def fail(self, error: Exception | None) -> None:
        self._error = error

    def poll(self) -> list[Source] | None:
        if self._error is not None:
            raise self._error
        text, self._new = self._new, None
        return None if text is None else [Source(name=self.name, text=text)]


class FakeCatalogs:
    """Published catalogs in a list, with the contract of the real store."""

    def __init__(self) -> None:
        self.records: list[CatalogRecord] = []
        self._sources: dict[str, str] = {}
        """Source digests by digest."""
        self.error: Exception | None = None
        self.files = "", b""
        self.calls = 0
        self.in_between: Callable[[], object] | None = None
        """Done once, after the next look and before the publish that follows it."""

    def version(self) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return len(self.records)

    def mend(self) -> bool:
        return False

    def current(self) -> CatalogRecord | None:
        return self.records[-1] if self.version() else None

    def publish(
        self,
        document: bytes,
        digest: str,
        *,
        source_digest: str = "",
        published_by: str = "",
        actor: str = "",
        comment: str = "",
        expected_version: int | None = None,
        only_new: bool = False,
        anew: bool = False,
        call: str = "",
    ) -> Published:
        overtake, self.in_between = self.in_between, None
        if overtake is not None:
            overtake()
        version = self.version()
        if version and self.records[-1].digest == digest and not anew:
            return Published(Outcome.UNCHANGED, version, version)
        if expected_version is not None and expected_version != version:
            raise Conflict(f"catalog version {version} is in force, not {expected_version}")
        source = source_digest or digest
        known = max(
            (r.version for r in self.records if self._sources.get(r.digest) == source), default=0
        )
        if only_new and known and not anew:
            return Published(Outcome.IN_HISTORY, version, known)
        self.records.append(CatalogRecord(version + 1, digest, document, 0, published_by))
        self._sources[digest] = source
        return Published(Outcome.PUBLISHED, version + 1, version + 1)

    def keep_files(self, source_digest: str, data: bytes) -> None:
        self.files = source_digest, data

    def put(self, text: str) -> None:
        """Publish as somebody else."""
        catalog = parse([Source(name="plans.yaml", text=text)])
        self.publish(catalog.document, catalog.digest, published_by="somebody")

    @property
    def digests(self) -> list[str]:
        return [record.digest for record in self.records]


class Seconds:
    """A monotonic clock that stands still."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


Make = Callable[..., Sidecar]


def maker(catalogs: FakeCatalogs, seconds: Seconds) -> Make:
    """Return a function that makes sidecars of one store."""

    def make(*sources: FakeSource, publish_at_start: bool = False) -> Sidecar:
        return Sidecar(
            sources,
            catalogs,
            publish_at_start=publish_at_start,
            published_by="test",
            now=seconds,
            spread=lambda: 1.0,
        )

    return make
