"""The worker of the dashboard: threads for its pages and an HTTP server."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from quotad.config import Config, split_listen
from quotad.dashboard.app import DashboardApp
from quotad.dashboard.ask import IdentityProvider, PageContext
from quotad.dashboard.decided_day import decided_day
from quotad.dashboard.doorkeeper import Doorkeeper
from quotad.dashboard.export_words import STAND_IN
from quotad.dashboard.kept import Kept
from quotad.dashboard.proxy import TrustedProxy
from quotad.dashboard.top_users import TopUsers
from quotad.engine.lending import Lent
from quotad.errors import ConfigError
from quotad.operations.sessions import SessionOperations
from quotad.operations.trials import TrialOperations
from quotad.server.listening import ListeningServer
from quotad.tokens.persons import PersonRoles

THREADS = 16
"""Pages that are made at once; fewer than the store has connections for them."""

DECIDING = 2
"""Pages that ask for decisions at once; each has a connection of its own."""

RANKED_MAX = 20_000
"""Customers near a limit, by feature, that pages show: about 10 MB."""


def _provider(config: Config) -> IdentityProvider | None:
    """Make what people sign in at elsewhere; None: there is none.

    Raises:
        ConfigError: a setting is wrong, or what it needs is not installed.
    """
    if not config.oidc_issuer:
        return None
    if find_spec("joserfc") is None:
        raise ConfigError("oidc_issuer: needs `pip install 'quotad[oidc]'`")
    from quotad.dashboard.oidc import OidcProvider, OidcSettings

    return OidcProvider(
        OidcSettings(
            config.oidc_issuer,
            config.oidc_client_id,
            config.oidc_client_secret,
            config.dashboard_url,
            config.oidc_name_claim,
            config.oidc_groups_claim,
        )
    )


def _environment(config: Config) -> dict[str, str]:
    """What the settings say of this environment, for people."""
    facts = {"Prefix": config.prefix, "Listens on": config.dashboard}
    if config.stripe_double:
        facts[STAND_IN] = f"{config.stripe_api_url}/"
    return facts


class DashboardServer(ListeningServer):
    """A worker process's insides that serve the dashboard; usable in-process by tests.

    Args:
        config: the settings.
        reuse_port: share the address with the worker that takes the place of this one.

    Raises:
        ConfigError: the address cannot be bound, or the store's URL is wrong.
    """

    _name = "dashboard"
    _upload_step_bytes = 1024 * 1024  # logs of some hundred MB are uploaded

    def __init__(self, config: Config, reuse_port: bool = False) -> None:
        super().__init__(config, "dashboard")
        parts = self._parts
        made = [parts.decisions(counted=False) for _ in range(DECIDING)]
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="quotad-page")
        roles = PersonRoles(config.person_roles)
        sessions = SessionOperations(parts.sessions(), self.tokens, parts.clock, roles)
        groups, addresses = config.proxy_groups_header, config.trusted_proxies
        proxy = TrustedProxy(config.proxy_user_header, groups, addresses)
        self._closed = bool(config.proxy_user_header or config.oidc_issuer)
        _, port = split_listen(config.dashboard, "dashboard")
        # Browsers do not set cookies of one host's ports apart.
        cookie = f"quotad_session_{port}"
        self.parts = parts.admin("dashboard", self._decisions_by_reason)
        # What takes long is not worked out in those, as pages wait for it.
        beside = ThreadPoolExecutor(2, thread_name_prefix="quotad-kept")
        insights, decided, clock = self.parts.insights, self.parts.decided, parts.clock
        self.provider = _provider(config)
        self.trials = trials = TrialOperations()
        context = PageContext(
            parts=self.parts,
            trials=trials,
            top=TopUsers(self.parts.usage, beside, clock),
            ranked=Kept(lambda: insights.ranked(RANKED_MAX), beside, clock),
            decided=Kept(lambda: decided_day(decided, clock.now_ms()), beside, clock),
            lent=Lent(iter(made).__next__, DECIDING),
            sessions=sessions,
            threads=threads,
            cookie=cookie,
            provider=self.provider,
            environment=_environment(config),
        )
        self._token_watch.look()
        app = DashboardApp(
            context, Doorkeeper(sessions, cookie, config.insecure, proxy, self._closed)
        )

        def end_threads() -> None:
            threads.shutdown(wait=False, cancel_futures=True)
            beside.shutdown(wait=False, cancel_futures=True)
            trials.stop_all()

        self._serve(self._listen(app, end_threads, reuse_port), [], made)

    def _check_reachable(self, required: bool) -> None:
        """As every server; but where people sign in elsewhere, nobody is let in without."""
        super()._check_reachable(required or self._closed)
