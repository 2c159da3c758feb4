"""The example, for users without a clone too: a wheel carries it as `quotad/examples`."""

import logging
from pathlib import Path

from quotad.clock import SyncedClock
from quotad.engine import Snapshots, ViewCache
from quotad.files import whole_file
from quotad.operations.transfer import TransferOperations
from quotad.store import Catalogs, Customers, KeySpace, Store

EXAMPLE = "examples/catalog"
"""Where a clone has it."""

_log = logging.getLogger("quotad.server")


def write_example(directory: Path) -> Path:
    """Write the example's files, to be edited, unless the directory is there already.

    Returns:
        The directory.

    Raises:
        OSError: they cannot be written.
    """
    if not directory.exists():
        directory.mkdir(parents=True)
        for file in sorted(_folder().iterdir()):
            with whole_file(directory / file.name) as target:
                target.write(file.read_bytes())
    return directory


def write_example_customers(store: Store, keys: KeySpace) -> None:
    """Write the example's customers where there are none yet; the catalog must be in force.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    customers = Customers(store, keys)
    if customers.list_page("", 1).customers:
        return
    clock = SyncedClock()
    snapshots = Snapshots(Catalogs(store, keys, clock))
    transfer = TransferOperations(customers, snapshots, ViewCache(keys, 2), clock)
    rows = (_examples() / "customers.jsonl").read_bytes().splitlines()
    done = transfer.import_rows(rows, actor="quotad dev")
    for problem in done.problems.values():  # the catalog was edited meanwhile
        _log.info("an example customer is left out: %s", problem)


def _folder() -> Path:
    return _examples() / "catalog"


def _examples() -> Path:
    package = Path(__file__).resolve().parent.parent
    installed = package / "examples"
    return installed if installed.is_dir() else package.parent / "examples"
