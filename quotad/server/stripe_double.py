"""A stand-in for Stripe beside `quotad dev`, and the settings that export to it."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import msgspec

from quotad.clock import SyncedClock
from quotad.config import Config, split_listen
from quotad.errors import ConfigError, StoreError
from quotad.export.catalog_meters import CatalogMeters
from quotad.export.stripe_double import StripeDouble, serving
from quotad.server.address import from_port
from quotad.store import Catalogs, KeySpace, Store

KEY = "sk_test_double"

ADDRESS = "127.0.0.1:12111"
"""Where it is, or on the next free port."""


@contextmanager
def stripe_double(config: Config) -> Iterator[Config]:
    """Serve a double that has the meters of the catalog; gives the settings that use it.

    Raises:
        ConfigError: Stripe itself is among the settings.
    """
    if config.stripe_api_key or config.stripe_api_url:
        raise ConfigError("stripe_double: stripe_api_key or stripe_api_url is set as well")
    with closing(Store(config.redis_url, config.store_timeout_ms)) as store:
        meters = CatalogMeters(Catalogs(store, KeySpace(config.prefix), SyncedClock()))

        def names() -> Collection[str]:
            try:
                return [meter.name for meter in meters.look().values()]
            except StoreError:
                return ()

        with _served(StripeDouble(names)) as url:
            bucket = "10 seconds" if config.stripe_bucket == "hour" else config.stripe_bucket
            targets = [each for each in config.export_to if each != "stripe"]
            yield msgspec.structs.replace(
                config,
                export_to=(*targets, "stripe"),
                stripe_api_key=KEY,
                stripe_api_url=url,
                stripe_bucket=bucket,
            )


@contextmanager
def _served(double: StripeDouble) -> Iterator[str]:
    with ExitStack() as stack:
        for address in from_port(ADDRESS):
            _, port = split_listen(address)
            with suppress(OSError):
                url = stack.enter_context(serving(double, port))
                break
        else:
            raise ConfigError("stripe_double: there is no free port")
        yield url
