"""The `quotad` command: reads arguments, calls the rooms that do the work, shows the outcome.

Owns words, tables and exit codes (0 allowed or done, 1 denied, 2 error). Decides nothing. Modules
import what a command needs inside that command, so that `quotad consume` does not load Redis,
YAML or a server.
"""


def main() -> None:
    """Run the command line; the console script `quotad`."""
    from quotad.cli.app import app

    app(prog_name="quotad")
