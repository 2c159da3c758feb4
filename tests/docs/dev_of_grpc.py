"""`quotad dev` without HTTP and dashboard, for pages that use neither: two processes fewer."""

from contextlib import nullcontext

from quotad.cli import main
from quotad.server import dev


def unreserved(listen: str) -> nullcontext[str]:
    """No address, so that nothing is started for it."""
    return nullcontext("")


for name in ("reserved_http_of_dev", "reserved_dashboard_of_dev"):
    assert hasattr(dev, name)
    setattr(dev, name, unreserved)
main()
