"""The command line's own parser, for command lines of the documentation that are not run."""

import shlex
from typing import Any

import typer

from quotad.cli.app import app


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line starts with, and the words behind it."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


def needs_another(command: Any) -> bool:
    """Whether it is a group that does nothing by itself."""
    return hasattr(command, "commands") and not command.invoke_without_command


def options(command: Any) -> set[str]:
    """The options of a command."""
    return {name for param in command.params for name in param.opts if name.startswith("-")}


def parse(line: str) -> dict[str, Any]:
    """Parse a whole line, without running it; gives the values. Fails as the command would."""
    word, *words = shlex.split(line)
    assert "quotad" == word
    command, rest = find(words)
    assert not needs_another(command), f"no such command: {line}"
    values: dict[str, Any] = command.make_context(command.name, rest).params
    return values


def check_words(text: str) -> None:
    """Check that command and options of a line exist; its arguments may be placeholders."""
    words = text.replace("[", " ").replace("]", " ").replace("=", " ").split()
    command, rest = find(words[1:])
    unknown = needs_another(command) and rest and not rest[0].startswith("-")
    assert not unknown, f"{text}: no command {rest[0]!r}"
    given = {word for word in rest if word.startswith("--")}
    assert given <= options(command) | {"--help"}, f"{text}: no {given - options(command)}"
