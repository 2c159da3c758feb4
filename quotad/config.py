"""The settings of every quotad process: one struct, from defaults, environment and flags.

Every field is also an environment variable (`store_timeout_ms` is `QUOTAD_STORE_TIMEOUT_MS`) and a
flag (`--store-timeout-ms`). Rooms receive the values they need, never the whole `Config`. This is
the only module that looks at the environment.
"""

import os
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from quotad.errors import ConfigError
from quotad.fallback import SPELLINGS
from quotad.nearest import nearest

ENV_PREFIX = "QUOTAD_"

_CLIENT_VARIABLES = {
    "QUOTAD_SERVER",
    "QUOTAD_TOKEN",
    "QUOTAD_TLS_CA",
    "QUOTAD_TLS_CLIENT_CERT",
    "QUOTAD_TLS_CLIENT_KEY",
}
"""Read by the command line's client commands, not by the processes."""

_KUBERNETES = re.compile(
    r"QUOTAD_(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=.*"
    r"|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*|PORT=(tcp|udp|sctp)://.*)"
)
"""NAME=VALUE as in every pod of a namespace that has a Service named `quotad` or `quotad-...`."""

_LISTS = {
    "source",
    "cors_origins",
    "authorize_headers",
    "trusted_proxies",
    "person_roles",
    "environments",
    "export_to",
    "webhook_networks",
    "webhook_thresholds",
}
"""Settings that are several texts."""

_HIDDEN = {"redis_url", "source", "oidc_client_secret", "stripe_api_key", "stripe_webhook_secret"}
"""Settings that are a secret, or may hold a password."""

ListenAddress = Annotated[
    str, Meta(pattern=r"^(unix:.+|.+:\d{1,5})$", description="HOST:PORT or unix:PATH")
]
OptionalPort = Annotated[str, Meta(pattern=r"^(.+:\d{1,5})?$", description="HOST:PORT")]
Prefix = Annotated[
    str,
    Meta(
        pattern=r"^[^:{}\s]{1,64}$",
        description="at most 64 characters without colons, braces and spaces",
    ),
]
FallbackText = Annotated[
    str, Meta(pattern=SPELLINGS, description="deny, allow, or local and a share, as 'local: 10 %'")
]
Percent = Annotated[int, Meta(ge=1, le=1_000)]
Millis = Annotated[int, Meta(ge=1, le=366 * 86_400_000)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings, each with its default."""

    redis_url: str = "redis://127.0.0.1:6379/0"
    """Where the store is: `redis://`, `rediss://` or `unix://`; a cluster:
    `redis+cluster://HOST,HOST`; behind Sentinels: `redis+sentinel://HOST,HOST/SERVICE`."""
    cluster: Annotated[int, Meta(ge=0, le=16)] = 0
    """`quotad dev`: nodes of a private cluster in place of one private Valkey; 0: one Valkey."""
    listen: ListenAddress = "127.0.0.1:50051"
    """Address of the gRPC server: `HOST:PORT`, `[IPV6]:PORT`, or `unix:PATH` for one worker."""
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    """Server processes that share the address."""
    http: OptionalPort = ""
    """Address of the HTTP server; empty: none, and for `quotad dev` 127.0.0.1:8080 or the next free
    port."""
    http_workers: Annotated[int, Meta(ge=1, le=256)] = 1
    """Processes that serve HTTP; they share its address."""
    http_tls_cert: str = ""
    """File in PEM with the certificate of the HTTP server and those between it and its root; empty:
    no TLS. Read again when it changes."""
    http_tls_key: str = ""
    """File in PEM with that certificate's key."""
    http_tls_client_ca: str = ""
    """File in PEM of whose certificates clients over HTTP must show; empty: they need none."""
    ops: OptionalPort = ""
    """Address of `/livez`, `/readyz` and `/metrics`, a port of their own; empty: none, and for
    `quotad dev` 127.0.0.1:9464 or the next free port."""
    dashboard: OptionalPort = ""
    """Address of the dashboard; empty: none, and for `quotad dev` 127.0.0.1:8081 or the next free
    port."""
    proxy_user_header: str = ""
    """Dashboard: header in which a proxy of `trusted_proxies` names the person that it has signed
    in, such as `X-Forwarded-User`; empty: none is trusted."""
    proxy_groups_header: str = ""
    """Dashboard: header in which that proxy lists the person's groups, with commas; empty: none."""
    trusted_proxies: tuple[str, ...] = ()
    """Dashboard: addresses of such proxies, or networks as `10.0.0.0/24`. In the environment:
    separated by spaces."""
    person_roles: tuple[str, ...] = ()
    """Dashboard: roles of people who sign in elsewhere, as `WHO=ROLE`, where WHO is a name,
    `group:NAME` or `*`, and ROLE is `read`, `manage`, `publish` or `admin`. In the environment:
    separated by spaces."""
    oidc_issuer: str = ""
    """Dashboard: URL of the identity provider that people sign in at, by OpenID Connect; empty:
    none. Needs `quotad[oidc]`."""
    oidc_client_id: str = ""
    """Dashboard: how the identity provider knows it."""
    oidc_client_secret: str = ""
    """Dashboard: what it proves that by; empty: by PKCE alone, as a public client."""
    oidc_name_claim: str = "email"
    """Dashboard: claim of an ID token that people are named by; `email` must be verified."""
    oidc_groups_claim: str = "groups"
    """Dashboard: claim that lists a person's groups."""
    dashboard_url: str = ""
    """Where browsers reach the dashboard, such as `https://quota.example.com`; for OpenID
    Connect."""
    cors_origins: tuple[str, ...] = ()
    """Origins of pages that browsers let read answers over HTTP, such as `https://app.example`;
    `*`: any. In the environment: separated by spaces."""
    authorize_headers: tuple[str, ...] = (
        "customer_id=X-Customer-Id",
        "feature_id=X-Feature-Id",
        "quantity=X-Quantity",
    )
    """Headers in which gateways name customer, feature and quantity to `/authorize`, and if wanted
    `resource_id` and `idempotency_key`. In the environment: separated by spaces."""
    insecure: bool = False
    """Let other machines call without a token while there is none; without it such a server does
    not start."""
    front: Literal["auto", "fast", "native", "grpcio"] = "auto"
    """How calls arrive: `fast` (needs `quotad-front`), `native` or `grpcio`; `auto`: the first of
    these that is installed."""
    io_threads: Annotated[int, Meta(ge=1, le=64)] = 1
    """Threads per worker of the native front that move bytes; one carries more calls than a worker
    can decide."""
    max_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """Most connections of clients per worker; further ones are refused, and by the native front
    left to wait."""
    max_concurrent_streams: Annotated[int, Meta(ge=1, le=20_000)] = 256
    """Most calls that one connection may have open; clients hold further ones back, and others are
    refused."""
    max_listeners: Annotated[int, Meta(ge=0, le=1_000_000)] = 2_000
    """Most streams of changes per worker; further ones are refused."""
    max_listeners_per_caller: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Most streams of changes per worker of one token, of a client token and one of its customers,
    and without tokens of one address."""
    tls_cert: str = ""
    """Fast front: file in PEM with the certificate and those between it and its root; empty: no
    TLS. Read again when it changes."""
    tls_key: str = ""
    """Fast front: file in PEM with the certificate's key."""
    tls_client_ca: str = ""
    """Fast front: file in PEM of whose certificates clients must show; empty: they need none."""
    max_connections_per_peer: Annotated[int, Meta(ge=1, le=1_000_000)] = 5_000
    """Fast front: most connections of one address; further ones are refused."""
    max_message_bytes: Annotated[int, Meta(ge=65_536, le=4_194_304)] = 4_194_304
    """Largest request of `QuotaService`, in bytes; other calls may have 4 MiB."""
    max_header_bytes: Annotated[int, Meta(ge=1024, le=1_000_000)] = 16_384
    """Fast front: largest list of headers of a call."""
    max_held_mb: Annotated[int, Meta(ge=32, le=1_000_000)] = 256
    """Fast front: most memory that requests and answers on their way take, in MB, a quarter of it
    for one connection; further calls are refused."""
    max_resets_per_second: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """Fast front: most calls that one connection may reset in a second; its further calls in that
    second are refused."""
    client_timeout_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 20_000
    """Fast front: longest time for a client to greet, to send a request whole, to answer a ping and
    to leave when it is asked to."""
    idle_timeout_ms: Annotated[int, Meta(ge=0, le=366 * 86_400_000)] = 1_800_000
    """Fast front: how long a connection may be without calls before its client is asked to close
    it; 0: for ever."""
    keepalive_ms: Annotated[int, Meta(ge=0, le=366 * 86_400_000)] = 60_000
    """Fast front: how long nothing may be heard of a client before it is pinged; without an answer
    its connection ends. 0: no pings."""
    max_connection_age_ms: Annotated[int, Meta(ge=0, le=366 * 86_400_000)] = 0
    """Fast front: how old a connection becomes before its client is asked to open another, which
    spreads clients over new servers; 0: any age."""
    decision_threads: Annotated[int, Meta(ge=1, le=64)] = 2
    """Threads per worker that decide; two overlap waiting for the store with Python."""
    batch_max: Annotated[int, Meta(ge=1, le=1000)] = 128
    """Most waiting calls that are decided together."""
    store_timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 250
    """Longest time a call may wait for the store."""
    on_store_failure: FallbackText = "deny"
    """What becomes of calls while the store is gone, on features for which the catalog writes
    nothing: `deny`, `allow` or a share of each limit, `local: 10 %`; see
    [docs/fallback.md](docs/fallback.md)."""
    journal: str = ""
    """Directory for what is let through while the store is gone, until it is counted; empty: none,
    and nothing is let through."""
    journal_max_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 64
    """Most that the directory of `journal` may hold, in MB; then nothing more is let through."""
    fallback_workers: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Workers of all servers together, which share what `local` lets through; 0: those of this
    server are all."""
    ledger: Literal["false", "true", "all"] = "false"
    """What goes into the ledger of features whose catalog writes nothing: `true` what is counted,
    `all` denials as well; see [docs/ledger.md](docs/ledger.md)."""
    ledger_records_max: Annotated[int, Meta(ge=1_000, le=1_000_000_000)] = 1_000_000
    """Most records of the ledger that the store keeps, one of each batch of calls; the oldest are
    dropped."""
    ledger_kept_ms: Annotated[int, Meta(ge=60_000, le=366 * 86_400_000)] = 86_400_000
    """How long the store keeps them."""
    ledger_archive: str = ""
    """Directory of files of the ledger by day, which are written and read there; empty: there are
    none. See [docs/ledger.md](docs/ledger.md#the-archive)."""
    export_to: tuple[str, ...] = ()
    """Where the ledger is exported to: `files:DIRECTORY`, `stripe`, `webhooks`; see
    [docs/export.md](docs/export.md). In the environment: separated by spaces."""
    export_from: Literal["now", "oldest"] = "now"
    """What a target gets at first: what comes from then on, or what the ledger has already."""
    webhook_networks: tuple[str, ...] = ()
    """Networks, as `10.0.0.0/8`, that [webhooks](docs/webhooks.md) may be sent to beside the public
    internet, and also by http. In the environment: separated by spaces."""
    webhook_thresholds: tuple[Percent, ...] = (80, 100)
    """Percent of a limit at which webhooks have an event. In the environment: separated by
    spaces."""
    stripe_api_key: str = ""
    """Secret key of the account at Stripe; see [docs/stripe.md](docs/stripe.md)."""
    stripe_api_url: str = ""
    """Where its API is; empty: at Stripe."""
    stripe_webhook_secret: str = ""
    """With which Stripe signs what it sends to `/webhooks/stripe` of the HTTP server, `whsec_...`;
    empty: there is no such path."""
    stripe_bucket: Literal["10 seconds", "5 minutes", "hour", "day"] = "hour"
    """Over which time usage of a customer is summed up before it is sent to Stripe; 10 seconds are
    for trying it out."""
    stripe_without_id: Literal["park", "skip"] = "park"
    """What becomes of usage of customers without an id at Stripe: it is kept until they have one,
    or not sent."""
    stripe_double: bool = False
    """`quotad dev`: start a stand-in for Stripe, and export to it."""
    allow_evicting_store: bool = False
    """Serve although the store evicts keys when its memory is full, which gives quota away."""
    store_clock_step_ms: Annotated[int, Meta(ge=100, le=366 * 86_400_000)] = 2_000
    """Steps of the store's clock beyond this are logged and shown in the status."""
    publish_wait_ms: Annotated[int, Meta(ge=0, le=600_000)] = 4_000
    """Longest time that a publish waits for servers to compile the new catalog."""
    idempotency_ttl_ms: Millis = 86_400_000
    """How long an idempotency key is remembered."""
    lease_ttl_ms: Annotated[int, Meta(ge=100, le=60_000)] = 5_000
    """Longest term of a lease, and so how far local decisions may be behind a changed plan."""
    usage_retention_ms: Annotated[int, Meta(ge=0, le=366 * 86_400_000)] = 60_000
    """How long usage of an ended period is kept, of seconds and minutes at most 5,000; covers
    clocks that disagree."""
    unprovisioned_retention_ms: Annotated[int, Meta(ge=0, le=10 * 366 * 86_400_000)] = (
        365 * 86_400_000
    )
    """How long a lifetime counter or gauge of a customer that was never provisioned is kept after
    its latest use; 0: for ever."""
    customer_cache_max: Annotated[int, Meta(ge=2, le=100_000_000)] = 100_000
    """Most customers that a worker remembers; about 0.6 kB each."""
    worker_memory_max_mb: Annotated[int, Meta(ge=128, le=1_000_000)] = 1536
    """Most memory of a worker, in MB; one that takes more is replaced. Every 100,000
    customers of `customer_cache_max` beyond the first 100,000 add 200."""
    worker_hang_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = 10_000
    """A worker that makes no progress for this time is replaced; four times `store_timeout_ms` are
    added."""
    prefix: Prefix = "quotad"
    """Prefix of every key; environments that share a server need different ones."""
    shards: Annotated[int, Meta(ge=0, le=16_384)] = 0
    """Hash tags that customers are spread over, chosen when a store is first used; 0: as it was,
    and 32 for a new one."""
    drain_timeout_ms: Millis = 5_000
    """Longest time that calls under way may take after a stop signal."""
    catalog_timeout_ms: Annotated[int, Meta(ge=100, le=600_000)] = 60_000
    """Longest time that checking and comparing one catalog may take before it is refused."""
    catalog_memory_mb: Annotated[int, Meta(ge=256, le=1_000_000)] = 2_048
    """Most memory that checking and comparing one catalog may take, in a separate process."""
    catalog_owner: Literal["auto", "files", "dashboard", "both"] = "auto"
    """Where the catalog is published from: `files` (the dashboard offers edits as files),
    `dashboard` or `both`; `auto`: `files` while a sidecar publishes it, else `both`."""
    environments: tuple[str, ...] = ()
    """Dashboard: environments on the same store, as `NAME=PREFIX` or `NAME=PREFIX=URL` of their
    dashboard; this one may be among them. In the environment: separated by spaces."""
    four_eyes: bool = False
    """Dashboard: whoever edits the catalog asks another person to publish it."""
    source: tuple[str, ...] = ()
    """Plan files, directories or URLs that the sidecar watches. In the environment: separated by
    spaces."""
    source_interval_ms: Annotated[int, Meta(ge=100, le=86_400_000)] = 10_000
    """How often the sidecar asks an HTTP source."""
    source_settle_ms: Annotated[int, Meta(ge=0, le=600_000)] = 400
    """How long a plan file that is written in place must not have changed before the sidecar reads
    it."""
    source_removal_delay_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 30_000
    """How long a plan, feature or entitlement that is in force must be missing in the files before
    the sidecar takes it out."""
    catalog: str = "examples/catalog"
    """Plan file or directory of `quotad dev`."""
    data: str = ".quotad"
    """Where `quotad dev` keeps its Valkey's data."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least serious log lines that are shown."""

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # URLs may hold passwords, and what is printed ends up in logs.
        return [
            (name, "***" if name in _HIDDEN else getattr(self, name))
            for name in self.__struct_fields__
        ]


def load(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
    """The settings of this process: defaults, overridden by environment, overridden by flags.

    Args:
        flags: by field name; None: not given.
        environ: the process's own when None.

    Raises:
        ConfigError: a value is wrong, or there is a `QUOTAD_` variable that no setting has.
    """
    environ = os.environ if environ is None else environ
    raw: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, text in environ.items():
        if name in _CLIENT_VARIABLES or _KUBERNETES.fullmatch(f"{name}={text}"):
            continue
        if name.startswith(ENV_PREFIX):
            field = name.removeprefix(ENV_PREFIX).lower()
            raw[field] = text.split() if field in _LISTS else text
            origin[field] = name
    for field, value in flags.items():
        if value is not None and value != []:
            raw[field] = value
            origin[field] = "--" + field.replace("_", "-")
    known = Config.__struct_fields__
    for field in raw.keys() - set(known):
        near = nearest(field, known)
        hint = "" if near is None else f", did you mean {ENV_PREFIX}{near.upper()}?"
        raise ConfigError(f"{origin[field]}: there is no such setting{hint}")
    try:
        return msgspec.convert(raw, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), raw, origin)) from error


def _explain(message: str, raw: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    what, _, path = message.partition(" - at `$.")
    field = re.split(r"[`\[]", path)[0]
    what = what[:1].lower() + what[1:].replace("`", "").removesuffix(", got str")
    wanted = typing.get_type_hints(Config, include_extras=True)[field]
    if typing.get_origin(wanted) is Literal:
        what = f"expected one of {', '.join(typing.get_args(wanted))}"
    for meta in getattr(wanted, "__metadata__", ()):
        if meta.description:
            what = f"expected {meta.description}"
    return f"{origin.get(field, field)}: {what}, got {_shown(raw.get(field))}"


def _shown(value: object) -> str:
    """A value in a message; one that looks like a URL may have strayed from another setting."""
    text = repr(value)
    return "a URL" if "@" in text or "//" in text else text


def unix_path(listen: str) -> Path | None:
    """Path of an address that is a Unix socket; None: it is none."""
    return Path(listen.removeprefix("unix:")) if listen.startswith("unix:") else None


def split_listen(listen: str, setting: str = "listen") -> tuple[str, int]:
    """Host and port of an address.

    Raises:
        ConfigError: the port is not one.
    """
    host, _, port = listen.rpartition(":")
    if int(port) > 65535:
        raise ConfigError(f"{setting}: port {port} is not between 0 and 65535")
    return host.strip("[]"), int(port)


def client_token() -> str:
    """The token that the commands that call a server show, from `QUOTAD_TOKEN`; empty: none."""
    return os.environ.get("QUOTAD_TOKEN", "").strip()


def quiet_grpc() -> None:
    """Keep grpc's own lines about failed handshakes from stderr; call before grpc is loaded."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def child_environ(config: Config) -> dict[str, str]:
    """The environment in which a child process finds exactly these settings."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX)}
    for field in Config.__struct_fields__:
        value = getattr(config, field)
        text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        environ[ENV_PREFIX + field.upper()] = text
    return environ
