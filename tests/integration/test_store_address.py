"""G12: where a store is, as text, and nothing of how to sign in there."""

import string
import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quotad.config import Config, load
from quotad.errors import ConfigError, QuotadError
from quotad.sidecar import parse_source
from quotad.store import Store
from quotad.store.address import EXPECTED, StoreAddress

SECRET = "s3cretw0rd"


@pytest.mark.parametrize(
    ("url", "text", "credentials", "database"),
    [
        ("redis://", "redis://localhost:6379", ("", ""), 0),
        ("redis://store", "redis://store:6379", ("", ""), 0),
        ("redis://store:7000/3", "redis://store:7000/3", ("", ""), 3),
        ("redis://store?db=3", "redis://store:6379/3", ("", ""), 3),
        ("redis://:p%40s@store/", "redis://store:6379", ("", "p@s"), 0),
        ("redis://ann:p%2Fs@10.0.0.1:7/1", "redis://10.0.0.1:7/1", ("ann", "p/s"), 1),
        ("redis://ann:p:s@store", "redis://store:6379", ("ann", "p:s"), 0),
        ("redis://ann:p@s@store", "redis://store:6379", ("ann", "p@s"), 0),
        ("redis://store?username=ann&password=p", "redis://store:6379", ("ann", "p"), 0),
        ("rediss://:p@[::1]:7/0", "rediss://[::1]:7", ("", "p"), 0),
        ("rediss://s?ssl_cert_reqs=none", "rediss://s:6379", ("", ""), 0),
        ("redis+cluster://u:p@a,b:7", "redis+cluster://a:6379,b:7", ("u", "p"), 0),
        ("rediss+cluster://a,[::1]:7/", "rediss+cluster://a:6379,[::1]:7", ("", ""), 0),
        ("redis+sentinel://:p@a,b:7/q", "redis+sentinel://a:26379,b:7/q", ("", "p"), 0),
        ("redis+sentinel://a/q/3", "redis+sentinel://a:26379/q/3", ("", ""), 3),
        ("redis+sentinel://a/q?sentinel_password=p", "redis+sentinel://a:26379/q", ("", ""), 0),
        ("unix:///run/redis.sock", "unix:///run/redis.sock", ("", ""), 0),
        ("unix://:p@/run/a%40b.sock?db=2", "unix:///run/a@b.sock?db=2", ("", "p"), 2),
    ],
)
def test_a_url_is_an_address_and_credentials(
    url: str, text: str, credentials: tuple[str, str], database: int
) -> None:
    address = StoreAddress(url)

    assert (text, credentials, database) == (
        str(address),
        address.credentials(),
        address.database,
    )
    assert f"<StoreAddress {text}>" == repr(address)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}/x@127.0.0.1:1/0",
        f"redis://:{SECRET}#x@127.0.0.1:1/0",
        f"redis://:{SECRET}?x@127.0.0.1:1/0",
        f"redis://:{SECRET}[@127.0.0.1:1/0",
        f"redis://:{SECRET}",
        f"redis//:{SECRET}@127.0.0.1:1/0",
        f"redis:/:{SECRET}@127.0.0.1:1",
        f"redis:///:{SECRET}@127.0.0.1:1",
        f"{SECRET}://127.0.0.1",
        f":{SECRET}@127.0.0.1:1",
        f"redis://u:{SECRET}@127.0.0.1:x/0",
        f"redis://:{SECRET}@[::1",
        f"redis://127.0.0.1:1/{SECRET}",
        f"unix://{SECRET}/nowhere.sock",
        f"unix://u:{SECRET}/x@/nowhere.sock",
        f"unix:///u:{SECRET}@/nowhere.sock",
        f"redis+cluster://:{SECRET}",
        f"redis+cluster://a,,{SECRET}",
        f"redis+cluster://a/{SECRET}",
        f"redis+sentinel://:{SECRET}@a",
        f"redis+sentinel://a/q/{SECRET}",
        "redis+cluster://a/0",
        "redis://store:0",
        "redis://store:65536",
        "redis://store/1.5",
        "redis://store?db=-1",
        "http://store",
        "",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        StoreAddress(url)

    assert EXPECTED == str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"redis://store?{SECRET}=1", "option"),
        (f"redis://store?socket_timeout={SECRET}", "option"),
        (f"redis://store?ssl_ca_certs={SECRET}", "option"),
        (f"redis+cluster://store?db={SECRET}", "option"),
        (f"redis://store?sentinel_password={SECRET}", "option"),
        (f"rediss://store?ssl_cert_reqs={SECRET}", "none, optional, required"),
        (f"rediss://store?ssl_check_hostname={SECRET}", "ssl_check_hostname"),
        (f"rediss://store?ssl_ca_certs=/nowhere/{SECRET}", "No such file"),
    ],
)
def test_a_wrong_option_is_refused_and_not_repeated(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Store(url)

    assert SECRET not in str(caught.value)


ODD = st.text(alphabet="/#?[]@:%&= \\\n'\"" + string.ascii_letters, max_size=6)
SCHEMES = st.sampled_from(
    [
        "redis://",
        "rediss://",
        "unix://",
        "redis//",
        "redis:/",
        "redis+cluster://",
        "redis+sentinel://",
        "redis:///",
        "reddis://",
        "//",
        "",
    ]
)
REST = st.sampled_from(
    [
        "@127.0.0.1:1/0",
        "@[::1]:1",
        "@[::1",
        "@127.0.0.1:x",
        "@/nowhere.sock",
        "@127.0.0.1:1?db=1",
        "@127.0.0.1:1/x",
        "@",
    ]
)


@given(SCHEMES, st.sampled_from(["u", ":", "u:"]), ODD, ODD, REST)
@example("redis://", "127.0.0.1:1", "?password=", "", "")
@example("redis://", "127.0.0.1:1", "?password=", "", "@")
def test_no_part_of_a_password_is_in_any_text_about_the_store(
    scheme: str, user: str, before: str, behind: str, rest: str
) -> None:
    url = f"{scheme}{user}{before}{SECRET}{behind}{rest}"
    texts = [repr(Config(redis_url=url))]
    try:
        store = Store(url, timeout_ms=50)
    except ConfigError as error:
        texts.append("".join(traceback.format_exception(error)))
    else:
        texts.append(store.address)
        try:
            texts.append(repr(store._router.nodes[0].endpoint))
            store.time_ms()
        except QuotadError as error:
            texts.append("".join(traceback.format_exception(error)))
        store.close()

    assert not [text for text in texts if SECRET in text]


@given(st.sampled_from(["http://", "https://", "http//", "http:/", "htp://", ""]), ODD, ODD)
def test_no_part_of_a_password_is_in_any_text_about_a_source(
    scheme: str, before: str, behind: str
) -> None:
    url = f"{scheme}ann:{before}{SECRET}{behind}@host/plans.yaml"
    texts = [repr(Config(source=(url,)))]
    try:
        texts.append(parse_source(url).name)
    except ConfigError as error:
        texts.append(str(error))

    assert not [text for text in texts if SECRET in text]


@pytest.mark.parametrize("name", ["listen", "workers", "log_level", "prefix"])
def test_a_url_in_another_setting_is_not_repeated(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {f"QUOTAD_{name.upper()}": f"redis://:{SECRET}@store/0"})

    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith(f"QUOTAD_{name.upper()}: expected")
