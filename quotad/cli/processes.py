"""`quotad dev`, `quotad serve`, `quotad sidecar`: the processes. All they do is in the server room.

A flag that is not given is left to the environment (`QUOTAD_*`), then to the default.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

from quotad.cli import failures, require

if TYPE_CHECKING:
    from quotad.config import Config

_HOST_PORT = "HOST:PORT"

Listen = Annotated[str | None, typer.Option(metavar=_HOST_PORT, help="Address of the gRPC server.")]
Http = Annotated[str | None, typer.Option(metavar=_HOST_PORT, help="Address of the HTTP server.")]
Ops = Annotated[
    str | None, typer.Option(metavar=_HOST_PORT, help="Address of health and metrics pages.")
]
DashboardOption = Annotated[
    str | None, typer.Option(metavar=_HOST_PORT, help="Address of the dashboard.")
]
CorsOrigins = Annotated[
    list[str] | None,
    typer.Option(metavar="ORIGIN", help="Of pages that may read answers; may be repeated."),
]
AuthorizeHeaders = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=HEADER", help="What gateways ask by; may be repeated."),
]
RedisUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="The store: redis://, rediss:// or unix://.")
]
PrefixOption = Annotated[str | None, typer.Option(help="Prefix of every key in the store.")]
Shards = Annotated[int | None, typer.Option(help="Hash tags, chosen when a store is first used.")]
PublishWait = Annotated[int | None, typer.Option(help="Longest wait of a publish for servers.")]
StoreTimeout = Annotated[int | None, typer.Option(help="Longest wait for the store.")]
LedgerArchive = Annotated[
    str | None, typer.Option(metavar="DIR", help="Files of the ledger by day.")
]
ExportTo = Annotated[
    list[str] | None,
    typer.Option(metavar="TARGET", help="files:DIRECTORY, stripe or webhooks; may be repeated."),
]
ExportFrom = Annotated[
    str | None, typer.Option(help="now or oldest: what a new target gets of the ledger.")
]
StripeKey = Annotated[str | None, typer.Option(metavar="KEY", help="Better QUOTAD_STRIPE_API_KEY.")]
StripeUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where Stripe's API is.")]
StripeWithoutId = Annotated[
    str | None, typer.Option(help="park or skip: usage of customers without an id at Stripe.")
]
StripeBucket = Annotated[
    str | None, typer.Option(help="Over which time usage is summed up: hour, day, ...")
]
WebhookNetworks = Annotated[
    list[str] | None,
    typer.Option(metavar="NETWORK", help="Webhooks may go there, too; may be repeated."),
]
WebhookThresholds = Annotated[
    list[int] | None,
    typer.Option(metavar="PERCENT", help="Of a limit, at which an event is sent; repeated."),
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
CatalogOwnerOption = Annotated[
    str | None, typer.Option(help="auto, files, dashboard or both: who publishes the catalog.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, command in (("dev", _dev), ("serve", _serve), ("sidecar", _sidecar)):
        app.command(name)(showing_defaults(command))


def showing_defaults(command: "Callable[..., None]") -> "Callable[..., None]":
    """Let the help of a command show the value of a setting without a flag, and the shell complete
    those that are words.

    The flags themselves have no default: one that is not given leaves it to the environment.
    """
    from quotad.config import Config

    defaults, types = Config(), get_type_hints(Config)
    for name, annotation in get_type_hints(command, include_extras=True).items():
        default = getattr(defaults, name, None)
        for each in getattr(annotation, "__metadata__", ()):
            if isinstance(each, OptionInfo) and default not in (None, (), ""):
                each.show_default = (
                    " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
                )
            if isinstance(each, OptionInfo) and get_origin(types.get(name)) is Literal:
                each.autocompletion = _words(get_args(types[name]))
    return command


def _words(words: "Sequence[str]") -> "Callable[[], Sequence[str]]":
    return lambda: words


@contextmanager
def settings(flags: dict[str, Any]) -> "Iterator[Config]":
    """The settings; wrong ones end the command with one line and exit code 2."""
    from quotad.config import load
    from quotad.errors import ConfigError
    from quotad.server.logs import setup_logging

    try:
        config = load(flags)
        setup_logging(config.log_level)
        yield config
    except ConfigError as error:
        failures.fail(str(error))


def _dev(
    catalog: Annotated[
        str | None, typer.Option(metavar="PATH", help="Plan file or directory to watch.")
    ] = None,
    listen: Listen = None,
    http: Http = None,
    ops: Ops = None,
    dashboard: DashboardOption = None,
    cors_origins: CorsOrigins = None,
    authorize_headers: AuthorizeHeaders = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where Valkey keeps its data.")
    ] = None,
    cluster: Annotated[
        int | None, typer.Option(metavar="NODES", help="Nodes of a cluster, not one Valkey.")
    ] = None,
    front: Annotated[str | None, typer.Option(help="auto, fast, native or grpcio.")] = None,
    stripe_double: Annotated[
        bool | None,
        typer.Option("--stripe-double", help="Start a stand-in for Stripe, and export to it."),
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Run everything on this machine: a private Valkey, a server and a sidecar."""
    require("server", "dev")
    with settings(locals()) as config:
        from quotad.server.dev import run_dev

        run_dev(config, _greet)


def _serve(
    redis_url: RedisUrl = None,
    listen: Listen = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the address.")] = None,
    http: Http = None,
    http_workers: Annotated[int | None, typer.Option(help="Processes that serve HTTP.")] = None,
    http_tls_cert: Annotated[
        str | None, typer.Option(metavar="PATH", help="Certificate of HTTP, in PEM.")
    ] = None,
    http_tls_key: Annotated[
        str | None, typer.Option(metavar="PATH", help="Its key, in PEM.")
    ] = None,
    http_tls_client_ca: Annotated[
        str | None, typer.Option(metavar="PATH", help="Whose certificates HTTP clients show.")
    ] = None,
    ops: Ops = None,
    dashboard: DashboardOption = None,
    proxy_user_header: Annotated[
        str | None, typer.Option(metavar="NAME", help="Header of who a trusted proxy signed in.")
    ] = None,
    proxy_groups_header: Annotated[
        str | None, typer.Option(metavar="NAME", help="Header of that person's groups.")
    ] = None,
    trusted_proxies: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Of such proxies; repeated.")
    ] = None,
    oidc_issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="Identity provider that people sign in at.")
    ] = None,
    oidc_client_id: Annotated[
        str | None, typer.Option(metavar="ID", help="How it knows the dashboard.")
    ] = None,
    oidc_client_secret: Annotated[
        str | None, typer.Option(metavar="SECRET", help="Better QUOTAD_OIDC_CLIENT_SECRET.")
    ] = None,
    oidc_name_claim: Annotated[
        str | None, typer.Option(metavar="CLAIM", help="What people are named by.")
    ] = None,
    oidc_groups_claim: Annotated[
        str | None, typer.Option(metavar="CLAIM", help="What lists their groups.")
    ] = None,
    dashboard_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where browsers reach the dashboard.")
    ] = None,
    person_roles: Annotated[
        list[str] | None, typer.Option(metavar="WHO=ROLE", help="Of people; may be repeated.")
    ] = None,
    cors_origins: CorsOrigins = None,
    authorize_headers: AuthorizeHeaders = None,
    insecure: Annotated[
        bool | None,
        typer.Option("--insecure", help="Let other machines call without a token."),
    ] = None,
    front: Annotated[str | None, typer.Option(help="auto, fast, native or grpcio.")] = None,
    io_threads: Annotated[int | None, typer.Option(help="Move bytes; per worker.")] = None,
    max_connections: Annotated[
        int | None, typer.Option(help="Most connections of clients; per worker.")
    ] = None,
    max_concurrent_streams: Annotated[
        int | None, typer.Option(help="Most calls that one connection has open.")
    ] = None,
    max_listeners: Annotated[
        int | None, typer.Option(help="Most streams of changes; per worker.")
    ] = None,
    max_listeners_per_caller: Annotated[
        int | None, typer.Option(help="Most streams of changes of one caller; per worker.")
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="PATH", help="Certificate, in PEM; serves TLS.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="PATH", help="Its key, in PEM.")] = None,
    tls_client_ca: Annotated[
        str | None, typer.Option(metavar="PATH", help="Whose certificates clients must show.")
    ] = None,
    max_connections_per_peer: Annotated[
        int | None, typer.Option(help="Most connections of one address; per worker.")
    ] = None,
    max_message_bytes: Annotated[
        int | None, typer.Option(help="Largest request of the quota service.")
    ] = None,
    max_header_bytes: Annotated[
        int | None, typer.Option(help="Largest list of headers of a call.")
    ] = None,
    max_held_mb: Annotated[
        int | None, typer.Option(help="Most memory of requests and answers on their way.")
    ] = None,
    max_resets_per_second: Annotated[
        int | None, typer.Option(help="Most calls that a connection may reset.")
    ] = None,
    client_timeout_ms: Annotated[
        int | None, typer.Option(help="How long a client is waited for.")
    ] = None,
    idle_timeout_ms: Annotated[
        int | None, typer.Option(help="How long a connection is kept without calls.")
    ] = None,
    keepalive_ms: Annotated[
        int | None, typer.Option(help="How long a client may be silent before it is pinged.")
    ] = None,
    max_connection_age_ms: Annotated[
        int | None, typer.Option(help="How old a connection becomes.")
    ] = None,
    decision_threads: Annotated[int | None, typer.Option(help="Decide; per worker.")] = None,
    batch_max: Annotated[int | None, typer.Option(help="Most calls decided together.")] = None,
    store_timeout_ms: StoreTimeout = None,
    on_store_failure: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="deny, allow or 'local: 10 %' without the store."),
    ] = None,
    journal: Annotated[
        str | None, typer.Option(metavar="DIR", help="For what is let through without the store.")
    ] = None,
    journal_max_mb: Annotated[int | None, typer.Option(help="Most that it may hold.")] = None,
    fallback_workers: Annotated[
        int | None, typer.Option(help="Workers of all servers, which share what is let through.")
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="false|true|all", help="What goes into the ledger, if no feature says."
        ),
    ] = None,
    ledger_records_max: Annotated[
        int | None, typer.Option(help="Most records of the ledger in the store.")
    ] = None,
    ledger_kept_ms: Annotated[
        int | None, typer.Option(help="How long the store keeps them.")
    ] = None,
    ledger_archive: LedgerArchive = None,
    export_to: ExportTo = None,
    export_from: ExportFrom = None,
    webhook_networks: WebhookNetworks = None,
    webhook_thresholds: WebhookThresholds = None,
    stripe_api_key: StripeKey = None,
    stripe_api_url: StripeUrl = None,
    stripe_webhook_secret: Annotated[
        str | None, typer.Option(metavar="SECRET", help="Better QUOTAD_STRIPE_WEBHOOK_SECRET.")
    ] = None,
    stripe_bucket: StripeBucket = None,
    stripe_without_id: StripeWithoutId = None,
    allow_evicting_store: Annotated[
        bool | None,
        typer.Option("--allow-evicting-store", help="Serve on a store that gives quota away."),
    ] = None,
    store_clock_step_ms: Annotated[
        int | None, typer.Option(help="Steps of the store's clock that are reported.")
    ] = None,
    publish_wait_ms: PublishWait = None,
    idempotency_ttl_ms: Annotated[int | None, typer.Option(help="How long keys count.")] = None,
    lease_ttl_ms: Annotated[int | None, typer.Option(help="Longest term of a lease.")] = None,
    usage_retention_ms: Annotated[
        int | None, typer.Option(help="How long usage of an ended period is kept.")
    ] = None,
    unprovisioned_retention_ms: Annotated[
        int | None,
        typer.Option(help="How long lifetime usage of an unknown customer is kept unused."),
    ] = None,
    customer_cache_max: Annotated[
        int | None, typer.Option(help="Most customers a worker remembers.")
    ] = None,
    worker_memory_max_mb: Annotated[
        int | None, typer.Option(help="Most memory of a worker.")
    ] = None,
    worker_hang_ms: Annotated[
        int | None, typer.Option(help="A worker without progress for so long is replaced.")
    ] = None,
    prefix: PrefixOption = None,
    shards: Shards = None,
    drain_timeout_ms: Annotated[
        int | None, typer.Option(help="Longest time for calls under way at a stop.")
    ] = None,
    catalog_timeout_ms: Annotated[
        int | None, typer.Option(help="Longest time for checking one catalog.")
    ] = None,
    catalog_memory_mb: Annotated[
        int | None, typer.Option(help="Most memory for checking one catalog.")
    ] = None,
    catalog_owner: CatalogOwnerOption = None,
    environments: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PREFIX[=URL]", help="On the same store; may be repeated."),
    ] = None,
    four_eyes: Annotated[
        bool | None,
        typer.Option("--four-eyes", help="Dashboard: another person publishes than who edits."),
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Run the server on a store of your own."""
    require("server")
    with settings(locals()) as config:
        from quotad.server.serve import run_serve

        run_serve(config)


def _sidecar(
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH_OR_URL", help="File, directory or URL; may be repeated."),
    ] = None,
    redis_url: RedisUrl = None,
    source_interval_ms: Annotated[
        int | None, typer.Option(help="How often a URL is asked.")
    ] = None,
    source_settle_ms: Annotated[
        int | None, typer.Option(help="How long a file written in place must not have changed.")
    ] = None,
    source_removal_delay_ms: Annotated[
        int | None, typer.Option(help="How long what is missing in the files is waited for.")
    ] = None,
    catalog_owner: CatalogOwnerOption = None,
    prefix: PrefixOption = None,
    shards: Shards = None,
    store_timeout_ms: StoreTimeout = None,
    publish_wait_ms: PublishWait = None,
    log_level: LogLevel = None,
) -> None:
    """Keep the published catalog in step with plan files or URLs."""
    with settings(locals()) as config:
        from quotad.server.sidecar import run_sidecar

        run_sidecar(config)


def _greet(config: "Config") -> None:
    """Some calls to paste."""
    from quotad.catalog import parse, read_sources
    from quotad.errors import CatalogError
    from quotad.model import FeatureType

    address, catalog = config.listen, config.catalog
    try:
        features = parse(read_sources(Path(catalog))).definitions.features
        metered = [f for f, d in features.items() if d.type is FeatureType.METERED]
        feature = (metered or list(features) or ["api-calls"])[0]
    except CatalogError:  # broken since; the sidecar has logged it
        feature = "api-calls"
    here = Path(sys.executable).parent
    quotad = "quotad" if shutil.which("quotad") else _short(here / "quotad")
    python = _short(Path(sys.executable))
    server = "" if address == "127.0.0.1:50051" else f" --server {address}"
    client = "" if address == "127.0.0.1:50051" else f'"{address}"'
    http = f"{'https' if config.http_tls_cert else 'http'}://{config.http}"
    bills = f"\nWhat a stand-in for Stripe bills is on {config.stripe_api_url}/."
    bills = bills if config.stripe_double else ""
    with suppress(BrokenPipeError):  # a closed output ends no server
        typer.echo(
            f"""
quotad is ready on {address}; it watches {catalog} and keeps its data in {config.data}.
HTTP is served on {http}, the API documented on {http}/docs.
The dashboard is on http://{config.dashboard}, for a browser.
Metrics are on http://{config.ops}/metrics, and whether it is ready on /readyz there.{bills}
Edit a plan file and the next call obeys it. Try, from another terminal:

  {quotad} consume acme {feature}{server}

  {python} -c 'from quotad.client import Client
with Client({client}) as quotad:
    print(quotad.consume("acme", "{feature}"))'

  curl {http}/v1/consume -d \\
    '{{"customer_id": "acme", "feature_id": "{feature}"}}'

  grpcurl -plaintext -d '{{"customer_id": "acme", "feature_id": "{feature}"}}' \\
    {address} quotad.v1.QuotaService/CheckAndConsume

Ctrl-C stops it.
"""
        )


def _short(path: Path) -> str:
    """Relative to here, where it is below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
