"""What Stripe is sent has the names that Stripe's API has by its own description."""

import shutil
import subprocess
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from quotad.export.buckets import MeterEvent
from quotad.export.outcomes import SetAside
from quotad.export.stripe_account import StripeAccount
from tests.processes import ROOT


def stripe_mock() -> str:
    built = ROOT / ".venv" / "clients" / "stripe-mock"
    found = str(built) if built.exists() else shutil.which("stripe-mock")
    if found is None:
        pytest.skip("NO STRIPE-MOCK: what Stripe is sent is not checked (make stripe-mock)")
    return found


def test_stripes_own_mock_takes_what_is_sent(tmp_path: Path) -> None:
    """It knows Stripe's API by its description, and refuses parameters that are not in that."""
    command = [stripe_mock(), "-http-port", "0"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            deadline, port = time.monotonic() + 60, ""
            while not port and time.monotonic() < deadline:
                words = (tmp_path / "log").read_text().split("Listening for HTTP at address: ")
                port = words[1].split()[0].rpartition(":")[2] if len(words) > 1 else ""
            url = f"http://127.0.0.1:{port}"
            account = StripeAccount("sk_test_123", url)
            event = MeterEvent("api_calls", "a", "id-1", 5, 1_700_000_000)
            known = StripeAccount("sk_test_123", url)
            known._meters, known._listed_s = {"api_calls": "mtr_1"}, time.monotonic()
            request = urllib.request.Request(f"{url}/v1/billing/meters")
            request.add_header("Authorization", "Bearer sk_test_123")
            with urllib.request.urlopen(request) as answer:
                assert 200 == answer.status
            for call in (
                lambda: account.send(event, "cus_1", Decimal(5)),
                lambda: account.cancel("api_calls", "id-1"),
                lambda: account.has_meter("api_calls"),
                lambda: known.total(event, "cus_1"),
            ):
                try:
                    call()
                except SetAside as error:
                    pytest.fail(f"a parameter is refused: {error}")
        finally:
            process.kill()
