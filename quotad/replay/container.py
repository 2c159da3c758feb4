"""Log lines as container runtimes keep them: the line of the program inside one of their own.

{"log": "the line\\n", "stream": "stdout", "time": "2026-05-17T10:05:03Z"}    Docker's json-file
2026-05-17T10:05:03Z stdout F the line    CRI, which Kubernetes keeps below /var/log/containers

Both cut long lines into pieces, which are put together again here.
"""

import re
from collections.abc import Callable
from enum import Enum

import msgspec

from quotad.replay.access_log import LineError, NoRecordError, Record
from quotad.replay.files import LINE_BYTES_MAX

TIME = "container_time"
"""The field with the time at which the runtime read the line."""


class Wrapping(Enum):
    """What wraps the lines."""

    DOCKER = "docker"
    CRI = "cri"


class Unwrapper:
    """Reads lines out of what a container runtime has made of them.

    Args:
        wrapping: what made it.
        parse: reads the line inside.
    """

    def __init__(self, wrapping: Wrapping, parse: Callable[[bytes], Record]) -> None:
        self._take_apart = _of_docker if wrapping is Wrapping.DOCKER else _of_cri
        self._parse = parse
        self._pieces: dict[bytes, bytes] = {}

    def parse(self, line: bytes) -> Record:
        """Read a line.

        Raises:
            NoRecordError: it is the beginning of a longer one.
            LineError: it is not of the runtime, or what is inside cannot be read.
        """
        time, stream, text, whole = self._take_apart(line)
        text = self._pieces.pop(stream, b"") + text
        if len(text) >= LINE_BYTES_MAX:
            raise LineError("too long")
        if not whole:
            if stream not in _STREAMS:
                raise LineError(f"no such stream: {stream[:40]!r}")
            self._pieces[stream] = text
            raise NoRecordError("the beginning of a longer line")
        record = dict(self._parse(text))
        record.setdefault(TIME, time)
        return record


_STREAMS = (b"stdout", b"stderr")
_Inside = tuple[str, bytes, bytes, bool]
"""Time, stream, text, and whether the text ends here."""


class _Docker(msgspec.Struct):
    log: str
    stream: str = "stdout"
    time: str = ""


_decode_docker = msgspec.json.Decoder(_Docker).decode
_CRI = re.compile(rb"(\d{4}-\S+) (stdout|stderr) ([FP])(?:\:\S*)? ")


def _of_docker(line: bytes) -> _Inside:
    try:
        found = _decode_docker(line)
        text = found.log.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise LineError("not a line of Docker's json-file driver") from None
    whole = text.endswith(b"\n")
    return found.time, found.stream.encode(), text.rstrip(b"\r\n"), whole


def _of_cri(line: bytes) -> _Inside:
    match = _CRI.match(line)
    if match is None:
        raise LineError("not a line of a CRI runtime: time, stream, F or P, text")
    time, stream, tag = match.groups()
    return time.decode(errors="replace"), stream, line[match.end() :], tag == b"F"
