"""What a page is asked, by whom, and what it answers with."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import quote, unquote

import msgspec

from quotad.dashboard.decided_day import DecidedDay
from quotad.dashboard.kept import Kept
from quotad.dashboard.top_users import TopUsers
from quotad.engine.insights import Nearness
from quotad.engine.lending import Lent
from quotad.http.bodies import encoded_pairs
from quotad.operations.decisions import DecisionOperations
from quotad.operations.parts import AdminParts
from quotad.operations.plan_files import FILES_BYTES_MAX
from quotad.operations.sessions import SessionOperations
from quotad.operations.trials import TrialFolder, TrialOperations
from quotad.tokens.access import Access
from quotad.tokens.persons import Person
from quotad.tokens.roles import Right

PageHeaders = list[tuple[bytes, bytes]]

FIELDS_MAX = 2_000
"""Most fields of a form."""

TEXT_BYTES_MAX = 4 * FILES_BYTES_MAX
"""Of a form with the text of a draft in it, percent-encoded."""

EDGE = "dashboard"
"""As entries of the ledger name this edge."""

LOCAL = "local"
"""Name of whoever comes while there are no tokens."""


class IdentityProvider(Protocol):
    """What pages need of `quotad.dashboard.oidc.OidcProvider`, which an extra installs."""

    is_secure: bool

    def begin(self, next_path: str) -> tuple[str, str]:
        """Return where to send the browser, and what it keeps."""
        ...

    def end(self, kept: str, state: str, code: str, refusal: str) -> tuple[Person, str]:
        """Return who has signed in, and where they wanted to go."""
        ...


class PageContext(msgspec.Struct, frozen=True):
    """What pages work with; one for all requests of a process."""

    parts: AdminParts
    lent: Lent[DecisionOperations]
    """Decides, for one thread at a time."""
    sessions: SessionOperations
    threads: Executor
    """Every page waits for the store, so each is made in one of these."""
    ranked: Kept[list[Nearness]]
    """Customers near a limit."""
    decided: Kept[DecidedDay]
    """Decisions of the last day."""
    top: TopUsers
    trials: TrialOperations
    """Logs that plans are tried on."""
    cookie: str
    """Name of the one that has a session's secret."""
    provider: IdentityProvider | None
    """Where people can sign in; None: by tokens alone."""
    environment: Mapping[str, str]
    """What the settings page shows of this process."""


class Visitor(msgspec.Struct, frozen=True):
    """Who a request comes from."""

    name: str
    """Stands as the actor of what is written."""
    access: Access
    form_key: str
    """Stands in every form of this visitor's pages."""
    signed_in: bool
    """Whether they are known; else whoever comes is let in."""
    person: str = LOCAL
    """Whose drafts are theirs: not a name, which two may have."""
    may_sign_out: bool = True
    """Whether they have signed in here, and not at a proxy."""

    def may(self, right: str) -> bool:
        """Whether something may be offered."""
        return Right(right) in self.access.rights

    def sees_all(self) -> bool:
        """Whether pages about many customers may be offered."""
        return not self.access.scoped


class FormFields(msgspec.Struct, frozen=True):
    """The fields of a form or of a query, as they were sent."""

    fields: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """Return a field without the spaces around it; the default where it is not there."""
        return next((value.strip() for key, value in self.fields if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return every value of a field that is not empty."""
        return [value.strip() for key, value in self.fields if key == name and value.strip()]

    def raw(self, name: str) -> str:
        """Return a field exactly as it was sent."""
        return next((value for key, value in self.fields if key == name), "")

    def every(self, name: str) -> list[str]:
        """Return every value of a field, exactly as they were sent."""
        return [value for key, value in self.fields if key == name]

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.fields)


def read_form(encoded: bytes) -> FormFields:
    """Read the fields of a form or of a query.

    Raises:
        InvalidRequest: there are too many, or they are not UTF-8.
    """
    return FormFields(tuple(encoded_pairs(encoded, FIELDS_MAX, "form")))


class ArrivedFile(msgspec.Struct, frozen=True):
    """A file that came with a form."""

    folder: TrialFolder
    """Where it is; whoever acts on the form closes it."""
    file_name: str
    """As the browser calls it."""
    size: int
    """In bytes."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request, admitted and read."""

    context: PageContext
    visitor: Visitor
    method: str
    path: str
    """As it was sent, percent-encoded."""
    segments: Mapping[str, str]
    """Those in braces of the page's path."""
    query: FormFields
    form: FormFields
    cookies: Mapping[str, str]
    headers: Mapping[str, str]
    repeated: frozenset[str]
    """Names of headers that came more than once; the first of each is in `headers`."""
    upload: ArrivedFile | None = None
    """The file of a form that has one."""
    peer: str | None
    """Address of the browser, or of what stands before it."""
    around: str = ""
    """Of a request that writes: the path of the page that its form is of; empty: of others."""

    @contextmanager
    def deciding(self) -> Iterator[DecisionOperations]:
        """Have what decides for the visitor for as long as the context lasts."""
        with self.context.lent.lend() as decisions:
            decisions.act_for((self.visitor.name, EDGE))
            yield decisions

    @property
    def is_secure(self) -> bool:
        """Whether the browser came by TLS, to us or to what stands before us."""
        return self.headers.get("origin", "").startswith("https://")

    @property
    def partial(self) -> bool:
        """Whether only a part of a page is asked for, by htmx."""
        return self.headers.get("hx-request") == "true"

    @property
    def theme(self) -> str:
        """`light`, `dark`, or empty: as the browser prefers."""
        theme = self.cookies.get("quotad_theme", "")
        return theme if theme in ("light", "dark") else ""

    @property
    def note(self) -> str:
        """What the request before has done, to be shown once."""
        return unquote(self.cookies.get("quotad_note", ""))

    @property
    def here(self) -> str:
        """Path and query of what can be opened again, for coming back."""
        if self.around not in ("", self.path):
            return self.around
        pairs = "&".join(f"{quote(k)}={quote(v)}" for k, v in self.query.fields)
        return f"{self.path}?{pairs}" if pairs else self.path


class PageAnswer(msgspec.Struct, frozen=True):
    """What leaves for a request."""

    body: bytes = b""
    status: int = 200
    headers: PageHeaders = []
    nonce: str = ""
    """Styles with it are let in, as the text editor writes some; empty: none are."""


PageAct = Callable[[Ask], PageAnswer]


class SitePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page, or one thing that a form does."""

    method: str
    path: str
    """`/customers/{customer_id}`: what is different in braces."""
    act: PageAct
    right: Right | None = Right.READ
    """None: everyone may, also who is not signed in."""
    many: bool = True
    """Whether it is about many customers, where its path names none."""
    keyless: bool = False
    """Whether its form works without the key of a session, as what it does harms nobody."""
    bytes_max: int = 1024 * 1024
    """Largest form."""
    takes_file: bool = False
    """Whether its form has a file, a log to be tried."""


def see_other(path: str, note: str = "") -> PageAnswer:
    """Send the browser to a page of ours, which shows once what was done."""
    headers = [(b"location", path.encode("ascii", "ignore"))]
    if note:
        kept = f"quotad_note={quote(note[:500], safe='')}; Path=/; Max-Age=60"
        headers.append((b"set-cookie", f"{kept}; HttpOnly; SameSite=Lax".encode()))
    return PageAnswer(status=303, headers=headers)


def is_own_path(path: str) -> bool:
    """Whether to go to a path stays on this server."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and "\\" not in path
        and (path.isprintable())
    )
