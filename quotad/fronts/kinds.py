"""The fronts there are, by the name that the setting `front` has for them."""

from importlib import import_module
from importlib.util import find_spec

from quotad.errors import ConfigError
from quotad.fronts.interface import Front, FrontSettings

AUTO = "auto"
FRONTS = {
    "fast": ("quotad_front", "quotad.fronts.fast", "FastFront"),
    "native": ("pygrpc_native", "quotad.fronts.native", "NativeFront"),
    "grpcio": ("grpc", "quotad.fronts.grpcio", "GrpcioFront"),
}
"""Package that a front needs, its module and class; the fastest comes first."""


def is_installed(name: str) -> bool:
    """Whether the package is there that a front needs."""
    return find_spec(FRONTS[name][0]) is not None


def choose(wanted: str) -> str:
    """The name of the front that serves.

    Args:
        wanted: a name, or `auto` for the fastest that is installed.

    Raises:
        ConfigError: the package of the wanted one is not installed.
    """
    if wanted == AUTO:
        return next(name for name in FRONTS if is_installed(name))
    if not is_installed(wanted):
        package = FRONTS[wanted][0].replace("_", "-")
        raise ConfigError(f"front: {wanted!r} needs the package {package!r}, not installed here")
    return wanted


def make(name: str, settings: FrontSettings) -> Front:
    """A front by its name, with nothing loaded of the others.

    Raises:
        ConfigError: it cannot be loaded, cannot bind, or cannot serve TLS.
    """
    if settings.tls is not None and name != "fast":
        raise ConfigError(f"tls_cert: the {name} front has no TLS; only the fast one has")
    _, module, kind = FRONTS[name]
    try:
        made: Front = getattr(import_module(module), kind)(settings)
    except ImportError as error:
        raise ConfigError(f"front: {name!r} cannot be loaded: {error}") from error
    return made
