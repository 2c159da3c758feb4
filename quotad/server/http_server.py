"""One HTTP worker: threads and an HTTP server for its parts."""

from concurrent.futures import ThreadPoolExecutor

from quotad.config import Config
from quotad.engine.lending import Lent
from quotad.http.app import App, AppSettings
from quotad.http.authorize import header_names
from quotad.http.deciding import Deciding, HttpDecider, HttpSlowLane
from quotad.http.direct import DirectConsume
from quotad.http.identity import token_admit
from quotad.http.operation import Context
from quotad.http.stigg.mount import StiggRoutes
from quotad.http.stripe_webhook import StripeWebhook
from quotad.operations.stripe_billing import StripeBilling
from quotad.server.export_targets import stripe_account
from quotad.server.listening import ListeningServer

CALLS_BESIDE = 4
"""Calls of Stigg's clients that are carried out at once, beside the batches."""

THREADS = 16
"""For what waits for the store and is no decision; fewer than the store has connections for it."""


class HttpServer(ListeningServer):
    """A worker process's insides that serve HTTP; usable in-process by tests.

    Args:
        config: the settings.
        reuse_port: share the address with other workers.

    Raises:
        ConfigError: the address cannot be bound, or the store's URL is wrong.
    """

    _name = "HTTP"

    def __init__(self, config: Config, reuse_port: bool = False) -> None:
        super().__init__(config, "http")
        deciding = Deciding(config.batch_max)
        parts = self._parts.admin("http", self._decisions_by_reason)
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="quotad-http-admin")
        made = [self._parts.decisions() for _ in range(config.decision_threads)]
        beside = [self._parts.decisions() for _ in range(CALLS_BESIDE)]
        context = Context(deciding, parts, Lent(iter(beside).__next__, CALLS_BESIDE), threads)
        self._token_watch.look()
        admit = token_admit(self.tokens, config.insecure)
        calls = StiggRoutes(context, admit, CALLS_BESIDE)
        app_settings = AppSettings(
            admit=admit,
            routes=[*self._stripe_webhook(context), calls],
            authorize=header_names(config.authorize_headers),
            origins=config.cors_origins,
            dashboard=config.dashboard,
        )
        app = App(context, app_settings)

        def end_threads() -> None:
            threads.shutdown(wait=False, cancel_futures=True)
            for _ in made:
                deciding.waiting.put(None)

        direct = DirectConsume(deciding, admit)
        listener = self._listen(app, end_threads, reuse_port, direct)
        slow = self._parts.slow_customers()
        patience_s = self._parts.store.timeout_s
        lane = None if slow is None else HttpSlowLane(config.batch_max, len(made), patience_s, slow)
        deciders = [
            HttpDecider(i, deciding, each, lambda: listener.loop, lane)
            for i, each in enumerate(made)
        ]
        if lane is not None:
            apart = self._parts.decisions()
            beside = [*beside, apart]
            deciders.append(HttpDecider(len(made), lane, apart, lambda: listener.loop))
        self._serve(listener, deciders, [*made, *beside])

    def _stripe_webhook(self, context: Context) -> list[StripeWebhook]:
        """What takes events of Stripe, if it is wanted.

        Raises:
            ConfigError: what it needs is missing.
        """
        config = self._config
        if not config.stripe_webhook_secret:
            return []
        account, parts = stripe_account(config, "stripe_webhook_secret"), context.parts
        billing = StripeBilling(
            parts.customers,
            parts.finding,
            parts.usage.snapshots.newest,
            parts.usage.clock,
            account.subscription,
        )
        self._parts.warn_of(lambda: billing.warnings)
        return [StripeWebhook(billing, config.stripe_webhook_secret, context.threads)]
