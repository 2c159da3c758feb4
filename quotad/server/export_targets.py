"""Targets of exports, made of the settings."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quotad.archive import ArchiveDirectory
from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.errors import ConfigError, StoreError
from quotad.export import ArchiveTarget, ExportTarget, FilesTarget, Later
from quotad.export.buckets import Buckets
from quotad.export.catalog_meters import CatalogMeters
from quotad.nearest import nearest
from quotad.store import Catalogs, Customers, KeySpace, Store

if TYPE_CHECKING:
    from quotad.export.stripe_account import StripeAccount


def check_targets(config: Config) -> None:
    """Refuse what is no target, before anything is started.

    Raises:
        ConfigError: one is not there, or is there twice.
    """
    names = [text.partition(":")[0] for text in config.export_to]
    for name in names:
        if name not in _NAMES:
            near = nearest(name, _NAMES)
            hint = f"there are {', '.join(_NAMES)}" if near is None else f"did you mean {near!r}?"
            raise ConfigError(f"export_to: there is no target {name!r}, {hint}")
        if names.count(name) > 1:
            raise ConfigError(f"export_to: {name!r} is there twice")


class ExportSource(msgspec.Struct, frozen=True):
    """What targets read beside the ledger."""

    config: Config
    store: Store
    keys: KeySpace

    @property
    def catalogs(self) -> Catalogs:
        """The published ones."""
        return Catalogs(self.store, self.keys, SyncedClock(), self.config.publish_wait_ms)

    def stripe_id(self, customer_id: str) -> str:
        """The id of a customer at Stripe; empty: it has none.

        Raises:
            Later: it cannot be read now.
        """
        try:
            stored = Customers(self.store, self.keys).get(customer_id)
        except StoreError as error:
            raise Later(str(error), definite=True) from error
        return "" if stored.record is None else stored.record.external_ids.get("stripe", "")


def targets_of(source: ExportSource) -> Sequence[ExportTarget]:
    """Make the targets of `export_to`, without receivers of webhooks, which come and go, and the
    archive.

    Raises:
        ConfigError: one is not there, or its settings are wrong.
    """
    check_targets(source.config)
    found: list[ExportTarget] = []
    for text in source.config.export_to:
        name, _, rest = text.partition(":")
        if name == WEBHOOKS:
            continue
        found.append(_MAKERS[name](rest, source))
    if source.config.ledger_archive:
        directory = _made("ledger_archive", source.config.ledger_archive)
        found.append(ArchiveTarget(ArchiveDirectory(directory)))
    return found


def stripe_account(config: Config, setting: str) -> "StripeAccount":
    """Make what calls Stripe.

    Args:
        config: the settings.
        setting: which of them needs it.

    Raises:
        ConfigError: what it needs is missing.
    """
    if find_spec("stripe") is None:
        raise ConfigError(f"{setting}: needs `pip install 'quotad[stripe]'`")
    if not config.stripe_api_key:
        raise ConfigError(f"stripe_api_key: missing, and {setting} needs it")
    base = config.stripe_api_url.rstrip("/")
    if base and not base.startswith(("https://", "http://")):
        raise ConfigError("stripe_api_url: is not such as https://api.stripe.com")
    from quotad.export.stripe_account import StripeAccount

    return StripeAccount(config.stripe_api_key, base)


def _files(directory: str, _: ExportSource) -> ExportTarget:
    if not directory:
        raise ConfigError("export_to: 'files' needs a directory, as 'files:/var/lib/quotad/ledger'")
    return FilesTarget(_made("export_to", directory))


def _made(setting: str, directory: str) -> Path:
    """Make a directory of a setting, where it is not there yet."""
    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        is_other = isinstance(error, FileExistsError)
        why = "is not a directory" if is_other else f"cannot be made: {error.strerror or error}"
        raise ConfigError(f"{setting}: {directory!r} {why}") from error
    return path


def _stripe(rest: str, source: ExportSource) -> ExportTarget:
    config = source.config
    if rest:
        raise ConfigError(f"export_to: 'stripe' has nothing behind it, got {rest!r}")
    account = stripe_account(config, "export_to")
    from quotad.export.stripe_target import StripeTarget

    return StripeTarget(
        account,
        Buckets(BUCKETS_MS[config.stripe_bucket], config.prefix),
        CatalogMeters(source.catalogs).look,
        source.stripe_id,
        source.store.time_ms,
        config.stripe_without_id == "skip",
    )


BUCKETS_MS = {"10 seconds": 10_000, "5 minutes": 300_000, "hour": 3_600_000, "day": 86_400_000}

_MAKERS: Mapping[str, Callable[[str, ExportSource], ExportTarget]] = {
    "files": _files,
    "stripe": _stripe,
}

WEBHOOKS = "webhooks"

_NAMES = (*_MAKERS, WEBHOOKS)
