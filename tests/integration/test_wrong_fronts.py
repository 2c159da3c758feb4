"""A front that cannot serve ends the server with one line and exit code 2."""

from pathlib import Path

import pytest

from quotad.fronts.kinds import is_installed
from tests.processes import ROOT, quotad

TLS = Path(__file__).parents[1] / "fixtures" / "tls"
LISTEN = ("serve", "--listen", "127.0.0.1:0")


def said(stderr: str) -> list[str]:
    """Lines other than those of the log, where a store may be missed first."""
    return [line for line in stderr.splitlines() if " ERROR " not in line]


@pytest.mark.skipif(not is_installed("fast"), reason="the fast front is not installed (make front)")
def test_a_key_that_does_not_fit_its_certificate_ends_the_server() -> None:
    files = ("--tls-cert", str(TLS / "localhost.pem"), "--tls-key", str(TLS / "client.pem"))

    done = quotad(*LISTEN, *files)

    assert (2, ["quotad: tls_key: it does not fit the certificate"]) == (
        done.returncode,
        said(done.stderr),
    )


def test_a_front_of_another_version_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "quotad_front.py").write_text("INTERFACE = 0\n__version__ = '9.1'\n")

    done = quotad(*LISTEN, PYTHONPATH=f"{tmp_path}:{ROOT}")

    assert 2 == done.returncode
    [line] = said(done.stderr)
    assert line.startswith(
        "quotad: front: quotad-front 9.1 is installed, which fits another version"
    )
