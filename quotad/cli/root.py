"""How a command line ends when it is not a command's doing: mistyped, or its reader is gone."""

import errno
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import typer
import typer.core
from typer.exceptions import TyperException

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""As of a program that ends by SIGPIPE; 1 would mean that something was denied."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What writing fails with where there is no room."""

TLS_FLAGS = ("--tls-ca", "--tls-client-cert", "--tls-client-key")
"""Options of all commands that need a server; each with a path."""

DAY_S = 86_400

WITHOUT_LOCAL_TIME = ("dev", "serve", "sidecar")
"""Commands that show and read no time of day here."""


class CommandError(TyperException):
    """What is wrong before any command has begun."""


class Root(typer.core.TyperGroup):
    """The command tree; what is mistyped is one line, or one JSON object with --json."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and end the process with its exit code."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            words = given if complete_var else _ordered(self, given)
            code = super().main(words, prog_name, complete_var, False, False, **extra)
            sys.stdout.flush()
        except TyperException as error:
            code = _refuse(error, "--json" in given)
        except typer.Abort:
            code = EXIT_INTERRUPTED
        except BrokenPipeError:
            code = _reader_gone()
        except SystemExit as error:
            if not isinstance(error.__context__, BrokenPipeError):
                raise
            code = _reader_gone()  # typer and rich end with 1 then
        except OSError as error:
            if not _output_fails() and error.errno not in FULL:
                raise
            problem = CommandError(f"the output cannot be written: {error.strerror}")
            code = _refuse(problem, "--json" in given, "INTERNAL")
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else 0)


def _ordered(root: typer.core.TyperGroup, given: Sequence[str]) -> list[str]:
    """The same words, each option where the parser looks for it.

    Raises:
        CommandError: an option lacks its path.
    """
    before: list[str] = []
    rest: list[str] = []
    words = iter(given)
    for word in words:
        if word in TLS_FLAGS:
            path = next(words, "-")
            if path.startswith("-"):
                raise CommandError(f"{word}: needs a path")
            before += [word, path]
        elif word.partition("=")[0] in TLS_FLAGS:
            before.append(word)
        else:
            rest.append(word)
            if word == "--":
                break
    return [*before, *_behind_command(root, [*rest, *words])]


def _behind_command(root: typer.core.TyperGroup, given: Sequence[str]) -> list[str]:
    """The same words with `--json` and `--server` behind the command that takes them."""
    command: Any = root
    names: list[str] = []
    options: list[str] = []
    rest = list(given)
    while rest and isinstance(command, typer.core.TyperGroup):
        if rest[0] == "--json" or rest[0].startswith("--server="):
            options.append(rest.pop(0))
        elif rest[0] == "--server":
            options += rest[:2]
            rest = rest[2:]
        elif rest[0] in command.commands:
            command = command.commands[rest[0]]
            names.append(rest.pop(0))
        else:
            if not hasattr(command, "default"):
                options = []  # no such command, which is refused
            break
    return [*names, *options, *rest]


def check_local_time(command: str | None) -> None:
    """Refuse a TZ without valid times of day, before anything is done.

    Raises:
        CommandError: it is a day or more from UTC.
    """
    if command in WITHOUT_LOCAL_TIME:
        return
    if max(abs(time.timezone), abs(time.altzone)) >= DAY_S:
        raise CommandError("TZ: is a day or more from UTC; name a zone such as Europe/Berlin")


def _refuse(error: TyperException, as_json: bool, word: str = "INVALID_ARGUMENT") -> int:
    error.message = _what_it_must_be(error) or error.message
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    if not message:  # without arguments: the help is shown already
        return EXIT_ERROR
    if message[1:2].islower():
        message = message[:1].lower() + message[1:]
    if as_json:
        problem = {"code": word, "reason": "", "message": message}
        typer.echo(json.dumps({"error": problem}, ensure_ascii=False), err=True)
        return EXIT_ERROR
    context = getattr(error, "ctx", None)
    if context is not None:
        see = f"see '{context.command_path} --help'"
        message = (
            f"{message} S{see[1:]}" if message.endswith("?") else f"{message.rstrip('.')}; {see}"
        )
    typer.echo(f"quotad: {message}", err=True)
    return EXIT_ERROR


def _what_it_must_be(error: TyperException) -> str:
    """Of a word that is no number, or one out of range, what it must be; empty: of anything else.

    Typer leaves the checking to pydantic, whose words are for programmers.
    """
    problems: list[Any] = getattr(error.__cause__, "errors", list)()
    if not problems:
        return ""
    first = problems[0]
    kind, bounds = first["type"], first.get("ctx", {})
    given = first["input"] if isinstance(first["input"], str) else str(first["input"])
    if kind.startswith("int_"):
        return f"must be a whole number, not {given!r:.60}"
    if kind.startswith("float_") or kind == "finite_number":
        return f"must be a number, not {given!r:.60}"
    if kind == "greater_than_equal":
        return f"must be at least {bounds['ge']:,}, not {given}"
    if kind == "less_than_equal":
        return f"must be at most {bounds['le']:,}, not {given}"
    return ""


def _reader_gone() -> int:
    _output_fails()
    return EXIT_BROKEN_PIPE


def _output_fails() -> bool:
    """Whether what was printed cannot be written.

    Nothing of it is left for the end of the process, where it would fail once more.
    """
    fails = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            fails = True
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)
    return fails
