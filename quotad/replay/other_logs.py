"""Logs that are not of a web server's making: AWS load balancers, Envoy, W3C extended logs.

They name the fields that they share with web servers as those do, and have others of their own.
"""

import re

from quotad.replay.access_log import LineError, NoRecordError, Record
from quotad.replay.pattern import Pattern

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
_ALB = (
    "{type} {time} {elb} {client} {target} {request_processing_time} {target_processing_time}"
    " {response_processing_time} {status} {target_status} {received_bytes} {bytes}"
    ' "{request}" "{user_agent}" {ssl_cipher} {ssl_protocol} {_}'
)
# Envoy's own format where its configuration names none:
# https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
_ENVOY = (
    '[{time}] "{request}" {status} {response_flags} {received_bytes} {bytes} {duration}'
    ' {upstream_service_time} "{forwarded_for}" "{user_agent}" "{request_id}" "{authority}"'
    ' "{upstream_host}"'
)


class Alb:
    """Lines of an AWS Application Load Balancer."""

    def __init__(self) -> None:
        self._pattern = Pattern(_ALB, "alb")
        self.fields = ("remote_host", *self._pattern.fields)

    def parse(self, line: bytes) -> Record:
        """Read a line; `remote_host` is the client without its port.

        Raises:
            LineError: it is not one.
        """
        record = self._pattern.parse(line)
        host = record["client"].rpartition(":")[0]
        return {"remote_host": host.strip("[]") or "-", **record}


class Envoy:
    """Lines of Envoy's default format."""

    def __init__(self) -> None:
        self._pattern = Pattern(_ENVOY, "envoy")
        self.fields = ("remote_host", *self._pattern.fields)

    def parse(self, line: bytes) -> Record:
        """Read a line; `remote_host` is the first address that the client was forwarded for.

        Raises:
            LineError: it is not one.
        """
        record = self._pattern.parse(line)
        return {"remote_host": record["forwarded_for"].partition(",")[0].strip(), **record}


_W3C_NAMES = {
    "c-ip": "remote_host",
    "cs-username": "remote_user",
    "cs-method": "method",
    "cs-version": "protocol",
    "cs-protocol-version": "protocol",
    "sc-status": "status",
    "sc-bytes": "bytes",
    "cs(Referer)": "referer",
    "cs(User-Agent)": "user_agent",
}
_CELL = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


class W3c:
    """Lines of a W3C extended log, as IIS and CloudFront write it.

    Directives list the fields of the lines below them: https://www.w3.org/TR/WD-logfile
    """

    fields = None

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()

    def parse(self, line: bytes) -> Record:
        """Read a line; its fields have their own names, and also those of web servers.

        Raises:
            NoRecordError: it is a directive.
            LineError: it does not have the fields that the directive lists.
        """
        text = line.decode(errors="replace")
        if text.startswith("#"):
            directive, _, rest = text.partition(":")
            if directive.lower() == "#fields":
                self._names = tuple(rest.split())
            raise NoRecordError("a directive")
        if not self._names:
            raise LineError("no #Fields directive stands above it")
        cells = _cells(text)
        if len(cells) != len(self._names):
            raise LineError(f"has {len(cells)} fields; #Fields names {len(self._names)}")
        record = dict(zip(self._names, cells, strict=True))
        for name, common in _W3C_NAMES.items():
            if name in record:
                record[common] = record[name]
        if "cs-uri-stem" in record:
            query = record.get("cs-uri-query", "-")
            record["path"] = record["cs-uri-stem"] + (f"?{query}" if query not in ("-", "") else "")
        if "date" in record and "time" in record:
            record["time"] = f"{record['date']}T{record['time']}Z"
        return record


def _cells(text: str) -> list[str]:
    if "\t" in text:
        return text.split("\t")
    if '"' not in text:
        return text.split()
    return [word or quoted.replace('""', '"') for quoted, word in _CELL.findall(text)]
