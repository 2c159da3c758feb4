"""What a `--source` may be."""

import pytest

from quotad.errors import ConfigError
from quotad.sidecar import FileSource, HttpSource, parse_source


@pytest.mark.parametrize("text", ["plans", "./plans.yaml", "/etc/quotad", "a:b/plans.yaml"])
def test_a_path_is_a_file_source_also_when_nothing_is_there(text: str) -> None:
    assert isinstance(parse_source(text), FileSource)


@pytest.mark.parametrize("text", ["http://host/plans.yaml", "HTTPS://host:8443/plans.yaml"])
def test_an_http_url_is_an_http_source(text: str) -> None:
    assert isinstance(parse_source(text), HttpSource)


@pytest.mark.parametrize("text", ["ftp://host/plans.yaml", "file:///plans.yaml", "s3://plans"])
def test_another_scheme_is_a_wrong_setting(text: str) -> None:
    scheme = text.partition(":")[0]
    with pytest.raises(ConfigError, match=f"unsupported scheme '{scheme}'"):
        parse_source(text)


@pytest.mark.parametrize("text", ["", " ", "plans\0"])
def test_nothing_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigError, match="a source is a path or"):
        parse_source(text)
