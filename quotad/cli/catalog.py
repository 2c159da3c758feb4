"""`quotad catalog`: plan files, checked here and published to a server."""

import getpass
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from quotad.cli import failures, output
from quotad.cli.options import SERVER_DEFAULT, CommentOption, Json, ServerOption
from quotad.history import LOCAL
from quotad.plural import plural

if TYPE_CHECKING:
    from quotad.catalog import Catalog
    from quotad.client.admin import CatalogChange, CatalogFile, CatalogVersion, Publication

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="Plan files, or directories of them: one catalog."),
]

ApplyToOption = Annotated[
    Literal["all", "new"] | None,
    typer.Option(
        help="Whom changed plans are for: everybody on them, or new subscriptions only, while"
        " those who have one keep what it was. Without it: as the plans say, else all."
    ),
]

_KEPT = re.compile(r"(plans\..+)\.earlier")
"""The path of a change of which revisions are kept of a plan."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Plan files and their published versions.")
    group.command()(check)
    group.command()(diff)
    group.command()(publish)
    group.command()(history)
    group.command()(rollback)
    group.command()(show)
    app.add_typer(group, name="catalog")


def check(paths: Paths, as_json: Json = False) -> None:
    """Check plan files without a server; every problem is shown."""
    from quotad.catalog import advice

    catalog, _ = _read(paths, as_json)
    definitions = catalog.definitions
    notes = advice(definitions)
    if as_json:
        output.print_json(
            {
                "notes": notes,
                "features": list(definitions.features),
                "groups": list(definitions.groups),
                "plans": list(definitions.plans),
                "addons": list(definitions.addons),
                "meters": list(definitions.meters),
                "experiments": list(definitions.experiments),
                "digest": catalog.digest,
            }
        )
        return
    counts = [plural(len(definitions.features), "feature"), plural(len(definitions.plans), "plan")]
    if definitions.groups:
        counts.append(plural(len(definitions.groups), "group"))
    if definitions.addons:
        counts.append(plural(len(definitions.addons), "add-on"))
    if definitions.meters:
        counts.append(plural(len(definitions.meters), "meter"))
    if definitions.experiments:
        counts.append(plural(len(definitions.experiments), "experiment"))
    output.print_headline("ok", "green", f"{', '.join(counts)} (digest {catalog.digest[:12]})")
    for note in notes:
        output.print_line(f"  note: {note}", "yellow")


def diff(
    paths: Paths,
    apply_to: ApplyToOption = None,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Show what publishing these files would change, down to the revisions of plans."""
    _, files = _read(paths, as_json)
    with failures.admin(server, as_json) as admin:
        found = admin.diff(files, apply_to=apply_to)
    if as_json:
        output.print_json(found)
        return
    against = f"version {found.version.version}" if found.version.version else "an empty catalog"
    if not found.changes:
        output.print_line(f"no changes against {against}")
        return
    count = plural(found.changes_count, "change")
    output.print_line(f"{count} against {against}")
    _print_changes(found.changes, found.changes_count)


def publish(
    paths: Paths,
    apply_to: ApplyToOption = None,
    expected_version: Annotated[
        int | None,
        typer.Option(metavar="N", help="Publish only while this version is in force."),
    ] = None,
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Publish plan files as a new version, in force everywhere when the command ends."""
    _, files = _read(paths, as_json)
    with failures.admin(server, as_json) as admin:
        done = admin.publish(
            files,
            expected_version=expected_version,
            published_by=_who(),
            apply_to=apply_to,
            comment=comment,
        )
    _show_publication(done, as_json)


def history(
    limit: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Show at most so many.")
    ] = 50,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """List published versions, newest first."""
    with failures.admin(server, as_json) as admin:
        versions = admin.history(limit)
    if as_json:
        output.print_json({"versions": versions})
        return
    commented = any(each.comment for each in versions)
    rows = [
        [
            output.number(each.version),
            "in force" if each.in_force else "",
            output.moment(each.published_at, ""),
            _by(each),
            each.digest[:12],
            *([" ".join(each.comment.split())] if commented else []),
        ]
        for each in versions
    ]
    columns = [">version", "", "published", "by", "digest"]
    output.print_table([*columns, "comment"] if commented else columns, rows)


def rollback(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Whose content to take.")],
    comment: CommentOption = "",
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Publish an earlier version again, as a new one."""
    with failures.admin(server, as_json) as admin:
        done = admin.rollback(version, published_by=_who(), comment=comment)
    _show_publication(done, as_json)


def show(
    version: Annotated[
        int | None, typer.Option(metavar="N", help="Which version; without it the one in force.")
    ] = None,
    revisions: Annotated[
        bool, typer.Option("--revisions", help="With the earlier revisions of plans that are kept.")
    ] = False,
    server: ServerOption = SERVER_DEFAULT,
    as_json: Json = False,
) -> None:
    """Print a published catalog as JSON, which is also a valid plan file."""
    with failures.admin(server, as_json) as admin:
        found = admin.catalog(version)
    if as_json:
        output.print_json(found)
        return
    # The description goes to stderr, so that the document can be piped into a file.
    state = "in force" if found.version.in_force else "not in force"
    for line in [f"{_describe(found.version)}, {state}", *_kept_revisions(found.document)]:
        output.console(stderr=True).print(line, soft_wrap=True)
    document = found.document if revisions else _without_revisions(found.document)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _kept_revisions(document: Any) -> list[str]:
    """One line for each plan that some customers have as it was."""
    return [
        f"plan {plan_id} is at revision {plan['revision']}; kept for those who have it:"
        f" {_revisions(plan['earlier'])}"
        for plan_id, plan in document["plans"].items()
        if plan.get("earlier")
    ]


def _without_revisions(document: Any) -> Any:
    """The document as a plan file: revisions are made by publishing, never written."""
    plans = {
        plan_id: {key: plan[key] for key in plan if key not in ("revision", "earlier")}
        for plan_id, plan in document["plans"].items()
    }
    extended = {plan["extends"] for plan in plans.values() if "extends" in plan}
    included = {name for plan_id in extended for name in plans[plan_id].get("groups", [])}
    # A published rollout without `inherit` is inherited; one in a file is not.
    for bundle in (
        *(plans[plan_id] for plan_id in extended),
        *(document["groups"][name] for name in included),
    ):
        for entry in bundle.get("entitlements", {}).values():
            if isinstance(entry, dict) and "rollout" in entry:
                entry["rollout"].setdefault("inherit", True)
    return {key: document[key] for key in document if key != "gone"} | {"plans": plans}


def _read(paths: Sequence[Path], as_json: bool) -> "tuple[Catalog, list[CatalogFile]]":
    """Read and check the files here first: all problems are shown, whatever their length."""
    from quotad.catalog import parse, read_sources, told_apart
    from quotad.client.admin import CatalogFile
    from quotad.errors import CatalogError

    try:
        sources = told_apart([(str(path), read_sources(path)) for path in paths])
        catalog = parse(sources)
    except CatalogError as error:
        failures.fail_catalog(error.problems, as_json)
    return catalog, [CatalogFile(source.name, source.text) for source in sources]


def _who() -> str:
    try:
        return f"{getpass.getuser()} (cli)"
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return "cli"


def _show_publication(done: "Publication", as_json: bool) -> None:
    if as_json:
        output.print_json(done)
        return
    if done.outcome == "UNCHANGED":
        already = f"this content was in force already: {_describe(done.version)}"
        output.print_headline("unchanged", "yellow", already)
        return
    version = f"version {done.version.version} (digest {done.version.digest[:12]})"
    output.print_headline("published", "green", version)
    _print_changes(done.changes, done.changes_count)


def _by(version: "CatalogVersion") -> str:
    """Who published a version: the name that it gives itself, and that of its token."""
    token = "" if version.actor in (LOCAL, version.published_by) else version.actor
    return (
        f"{version.published_by} ({token})"
        if token and version.published_by
        else (version.published_by or token)
    )


def _describe(version: "CatalogVersion") -> str:
    when = output.moment(version.published_at, "")
    by = f"by {_by(version)}" if _by(version) else ""
    published = " ".join(["published", when, by]).strip()
    return f"version {version.version}, digest {version.digest[:12]}, {published}"


def _print_changes(changes: "Sequence[CatalogChange]", count: int) -> None:
    """Print the changes that came with an answer, and how many of all did not."""
    for change in changes:
        kept = _KEPT.fullmatch(change.path)
        if kept:
            _print_kept(
                kept[1], json.loads(change.before or "[]"), json.loads(change.after or "[]")
            )
        elif not change.before:
            output.print_line(f"  + {change.path}: {change.after}", "green")
        elif not change.after:
            output.print_line(f"  - {change.path}: {change.before}", "red")
        else:
            output.print_line(f"  ~ {change.path}: {change.before} -> {change.after}", "yellow")
    if count > len(changes):
        output.print_line(f"  ... and {count - len(changes)} more")


def _print_kept(plan: str, before: list[int], after: list[int]) -> None:
    """Print what becomes of the earlier revisions of a plan, and of their subscribers."""
    made = [number for number in after if number not in before]
    ended = [number for number in before if number not in after]
    if made:
        output.print_line(f"  + {plan}: {_revisions(made)} kept for those who have it", "green")
    if ended:
        fate = (
            "ended, those who have it get the next" if after else "ended, everybody has the latest"
        )
        output.print_line(f"  - {plan}: {_revisions(ended)} {fate}", "red")


def _revisions(numbers: Iterable[int | str]) -> str:
    words = [str(number) for number in numbers]
    return f"revision{'s' if len(words) > 1 else ''} {', '.join(words)}"
