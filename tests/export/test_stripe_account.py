"""What is made of settings and answers that are not Stripe's."""

from collections.abc import Mapping
from typing import Any

import pytest
import stripe

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.export import Later
from quotad.export.stripe_account import StripeAccount
from quotad.server.export_targets import stripe_account


class Proxy(stripe.HTTPClient):
    """Answers with a page of its own."""

    name = "proxy"

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        return "<html><h1>Bad gateway</h1></html>", 502, {}


def test_a_page_of_a_proxy_is_tried_again_and_is_no_part_of_the_message() -> None:
    account = StripeAccount("sk_test_123", http=Proxy())

    with pytest.raises(Later, match=r"^an answer \(status 502\) is not Stripe's$"):
        account.has_meter("api_calls")


def test_an_address_of_the_api_that_is_no_url_is_refused_at_the_start() -> None:
    config = Config(stripe_api_key="sk_test_123", stripe_api_url="localhost:12111")

    with pytest.raises(ConfigError, match=r"^stripe_api_url: is not such as https://"):
        stripe_account(config, "export_to")
