"""A process that exports the ledger, of a server:
`python -P -m quotad.server.export_worker PARENT_PID PULSE VALUES`.

All else is as in `quotad.server.worker`.
"""

import sys

from quotad.server.export_server import ExportServer
from quotad.server.worker import main

if __name__ == "__main__":
    sys.exit(main(ExportServer, *map(int, sys.argv[1:])))
