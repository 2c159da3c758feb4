from typing import Any

import pytest

from quotad.config import ENV_PREFIX, Config, child_environ, load, split_listen
from quotad.errors import ConfigError


def test_without_anything_there_are_defaults() -> None:
    assert Config() == load({}, {})
    assert Config() == load({}, {"HOME": "/", "PATH": "/bin", "quotad_front": "x"})


def test_flags_go_before_environment_and_environment_before_defaults() -> None:
    environ = {"QUOTAD_FRONT": "grpcio", "QUOTAD_SHARDS": "16", "QUOTAD_LISTEN": "0.0.0.0:1"}

    config = load({"shards": 8, "listen": "127.0.0.1:2", "prefix": None}, environ)

    assert ("grpcio", 8, "127.0.0.1:2", "quotad") == (
        config.front,
        config.shards,
        config.listen,
        config.prefix,
    )


def test_every_setting_can_come_from_the_environment() -> None:
    config = Config(
        redis_url="redis://store:1/2",
        listen="0.0.0.0:1234",
        workers=3,
        front="grpcio",
        store_timeout_ms=99,
        prefix="staging",
        source=("plans", "https://x/y"),
        log_level="debug",
    )

    environ = child_environ(config)

    assert config == load({}, environ)
    assert {ENV_PREFIX + name.upper() for name in Config.__struct_fields__} == {
        name for name in environ if name.startswith(ENV_PREFIX)
    }


def test_a_child_gets_these_settings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTAD_PREFIX", "of the parent")
    monkeypatch.setenv("QUOTAD_SERVER", "of the command line")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")

    environ = child_environ(Config())

    assert Config() == load({}, environ)
    assert ("kept", None) == (environ["SOMETHING_ELSE"], environ.get("QUOTAD_SERVER"))


def test_the_processs_own_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTAD_PREFIX", "mine")

    assert "mine" == load({}).prefix


def test_sources_are_separated_by_spaces_in_the_environment_only() -> None:
    assert ("a", "https://b/c") == load({}, {"QUOTAD_SOURCE": " a  https://b/c "}).source
    assert () == load({}, {"QUOTAD_SOURCE": ""}).source
    assert ("my plans",) == load({"source": ["my plans"]}, {"QUOTAD_SOURCE": "a"}).source
    assert ("a",) == load({"source": []}, {"QUOTAD_SOURCE": "a"}).source


def refused(flags: dict[str, Any], environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as error:
        load(flags, environ)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "QUOTAD_STORE_TIMOUT_MS",
            "QUOTAD_STORE_TIMOUT_MS: there is no such setting,"
            " did you mean QUOTAD_STORE_TIMEOUT_MS?",
        ),
        (
            "QUOTAD_WORKER",
            "QUOTAD_WORKER: there is no such setting, did you mean QUOTAD_WORKERS?",
        ),
        ("QUOTAD_ZZZ", "QUOTAD_ZZZ: there is no such setting"),
    ],
)
def test_a_variable_that_no_setting_has_is_refused(name: str, message: str) -> None:
    assert message == refused({}, {name: "1"})


def test_variables_of_the_client_are_left_alone() -> None:
    assert Config() == load({}, {"QUOTAD_SERVER": "127.0.0.1:1"})


@pytest.mark.parametrize("service", ["QUOTAD", "QUOTAD_REDIS", "QUOTAD_STORE_2", "QUOTAD_SERVER"])
def test_variables_that_kubernetes_sets_for_a_service_are_left_alone(service: str) -> None:
    # Of a Service named `quotad` or `quotad-...`, in every pod of its namespace.
    environ = {
        f"{service}_SERVICE_HOST": "10.0.0.1",
        f"{service}_SERVICE_PORT": "50051",
        f"{service}_SERVICE_PORT_GRPC": "50051",
        f"{service}_PORT": "tcp://10.0.0.1:50051",
        f"{service}_PORT_50051_TCP": "tcp://10.0.0.1:50051",
        f"{service}_PORT_50051_TCP_PROTO": "tcp",
        f"{service}_PORT_50051_TCP_PORT": "50051",
        f"{service}_PORT_50051_TCP_ADDR": "10.0.0.1",
    }

    assert Config() == load({}, environ)


@pytest.mark.parametrize("name", ["QUOTAD_LISTEN_PORT", "QUOTAD_PORT", "QUOTAD_REDIS_HOST"])
def test_a_setting_that_only_looks_like_one_of_kubernetes_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: there is no such setting"):
        load({}, {name: "50051"})


WRONG = [
    ("workers", "0"),
    ("workers", "many"),
    ("workers", "1.5"),
    ("workers", ""),
    ("shards", "16385"),
    ("store_timeout_ms", "9"),
    ("store_timeout_ms", "60001"),
    ("customer_cache_max", "1"),
    ("batch_max", "1001"),
    ("front", "nativ"),
    ("log_level", "INFO"),
    ("listen", "50051"),
    ("listen", "127.0.0.1:"),
    ("listen", "127.0.0.1:http"),
    ("prefix", ""),
    ("prefix", "a:b"),
    ("prefix", "{a}"),
    ("prefix", "a b"),
    ("prefix", "x" * 65),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_reported_with_the_place_it_came_from(field: str, value: str) -> None:
    variable = ENV_PREFIX + field.upper()
    flag = "--" + field.replace("_", "-")

    from_environment = refused({}, {variable: value})
    from_flag = refused({field: value}, {variable: "overridden"})

    assert from_environment.startswith(f"{variable}: expected ")
    assert from_flag.startswith(f"{flag}: expected ")
    for message in (from_environment, from_flag):
        assert message.endswith(f", got {value!r}")
        assert 1 == message.count(", got ")
        assert "\n" not in message


def test_a_choice_is_shown_with_what_there_is_to_choose_from() -> None:
    assert "QUOTAD_FRONT: expected one of auto, fast, native, grpcio, got 'nativ'" == refused(
        {}, {"QUOTAD_FRONT": "nativ"}
    )


@pytest.mark.parametrize(
    ("listen", "parts"),
    [
        ("127.0.0.1:50051", ("127.0.0.1", 50051)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_an_address_is_split_into_host_and_port(listen: str, parts: tuple[str, int]) -> None:
    assert parts == split_listen(listen)


def test_a_port_beyond_the_last_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^listen: port 65536 is not between 0 and 65535$"):
        split_listen("127.0.0.1:65536")
