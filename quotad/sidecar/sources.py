"""From the text of a `--source` to the source itself."""

import os
import re
from pathlib import Path

from quotad.errors import ConfigError
from quotad.sidecar.file_source import SETTLE_S, FileSource
from quotad.sidecar.http_source import HttpSource
from quotad.sidecar.interface import PlanSource

_CREDENTIALS = re.compile(r".*:.*@", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def parse_source(
    text: str,
    *,
    http_interval_s: float = 10.0,
    http_timeout_s: float = 5.0,
    settle_s: float = SETTLE_S,
) -> PlanSource:
    """Make the source that `text` names.

    A path that does not exist is not an error here: Kubernetes may mount it later.

    Args:
        text: a path to a file or directory, or an http(s) URL.
        http_interval_s: time between two requests of an http source.
        http_timeout_s: after which a request of an http source is given up.
        settle_s: how long a file that is written in place must not have changed.

    Raises:
        ConfigError: the text can never be a source.
    """
    if not text.strip() or "\0" in text:
        raise ConfigError("a source is a path or an http(s) URL; got nothing")
    scheme = _SCHEME.match(text)
    if scheme is None:
        # A file's name is shown in messages, and this may be a mistyped URL with its password.
        if _CREDENTIALS.match(text) and not os.path.lexists(text):
            raise ConfigError(
                "source: neither a path that exists nor a URL; expected http(s)://HOST[:PORT]/PATH"
            )
        return FileSource(Path(text), settle_s=settle_s)
    if scheme[1].lower() in ("http", "https"):
        return HttpSource(text, interval_s=http_interval_s, timeout_s=http_timeout_s)
    raise ConfigError(
        f"source: unsupported scheme {scheme[1]!r}; a source is a path or an http(s) URL"
    )
