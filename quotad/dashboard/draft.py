"""The visitor's draft: its text, its files, its end."""

import io
import secrets
import zipfile
from difflib import unified_diff

import msgspec

from quotad.catalog import Source
from quotad.dashboard.ask import TEXT_BYTES_MAX, Ask, PageAnswer, SitePage, see_other
from quotad.dashboard.drafting import (
    desk,
    next_of,
    save_files,
    seen_draft,
    sent_draft,
)
from quotad.dashboard.render import render
from quotad.errors import Conflict, InvalidRequest
from quotad.operations.drafts import CatalogDraft
from quotad.tokens.roles import Right


def _text(ask: Ask) -> PageAnswer:
    """The files of the draft as text."""
    return _text_page(ask, None)


def _text_page(ask: Ask, unsaved: tuple[Source, ...] | None) -> PageAnswer:
    found = desk(ask)
    files = found.draft.files if unsaved is None else unsaved
    nonce = secrets.token_urlsafe(16)
    page = render(
        ask,
        "draft_text.html",
        409 if unsaved is not None else 200,
        desk=found,
        files=files,
        unsaved=unsaved is not None,
        problems=() if found.state is None else found.state.problems,
        nonce=nonce,
    )
    return msgspec.structs.replace(page, nonce=nonce)


def _save_text(ask: Ask) -> PageAnswer:
    sent = _sent_files(ask)
    try:
        draft = sent_draft(ask)
        save_files(ask, draft, _with_line_ends(sent, draft))
    except Conflict:
        return _text_page(ask, sent)
    return see_other(next_of(ask, "/draft"), "Saved in your draft.")


def _keep_text(ask: Ask) -> PageAnswer:
    """Save what is being typed, and answer with what is wrong with it."""
    draft = sent_draft(ask)
    save_files(ask, draft, _with_line_ends(_sent_files(ask), draft))
    found = desk(ask)
    assert found.state is not None
    return render(
        ask, "_saved.html", desk=found, files=found.draft.files, problems=found.state.problems
    )


def _sent_files(ask: Ask) -> tuple[Source, ...]:
    names = [value for key, value in ask.form.fields if key == "name"]
    texts = [value for key, value in ask.form.fields if key == "text"]
    if len(names) != len(texts) or not names:
        raise InvalidRequest("text: is missing")
    # Browsers send the ends of lines as CR LF, whatever they were.
    return tuple(
        Source(name, text.replace("\r\n", "\n")) for name, text in zip(names, texts, strict=True)
    )


def _with_line_ends(sent: tuple[Source, ...], draft: CatalogDraft) -> tuple[Source, ...]:
    """The texts with the line ends that the files had."""
    known = {file.name: file.text for file in draft.files}
    return tuple(
        Source(file.name, file.text.replace("\n", "\r\n"))
        if "\r\n" in known.get(file.name, "")
        else file
        for file in sent
    )


def _download(ask: Ask) -> PageAnswer:
    """The files of the draft, to be committed where the catalog comes from."""
    files = desk(ask).draft.files
    if len(files) == 1:
        name, body = files[0].name.rpartition("/")[2], files[0].text.encode()
        kind = b"application/yaml"
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.writestr(file.name.rpartition("/")[2], file.text)
        name, body, kind = "catalog.zip", packed.getvalue(), b"application/zip"
    safe = "".join(char for char in name if char.isascii() and (char.isalnum() or char in ".-_"))
    saved_as = f'attachment; filename="{safe or "catalog.yaml"}"'.encode()
    headers = [(b"content-type", kind), (b"content-disposition", saved_as)]
    return PageAnswer(body, headers=headers)


def _patch(ask: Ask) -> PageAnswer:
    """What the draft changes of its files, for `git apply` where they are kept."""
    draft = desk(ask).draft
    before, after = (
        {file.name: file.text for file in files} for files in (draft.base, draft.files)
    )
    body = "".join(
        file_patch(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
    )
    saved_as = b'attachment; filename="catalog.patch"'
    headers = [(b"content-type", b"text/x-diff; charset=utf-8")]
    return PageAnswer(body.encode(), headers=[*headers, (b"content-disposition", saved_as)])


def file_patch(name: str, before: str, after: str) -> str:
    """The difference of a file as a unified diff; empty: there is none."""
    lines = unified_diff(
        _lines(before),
        _lines(after),
        f"a/{name}" if before else "/dev/null",
        f"b/{name}" if after else "/dev/null",
    )
    ended = (
        each if each.endswith("\n") else f"{each}\n\\ No newline at end of file\n" for each in lines
    )
    return "".join(ended)


def _lines(text: str) -> list[str]:
    """Lines as `git` sees them: others than `splitlines`, which knows more ends."""
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])


def _discard(ask: Ask) -> PageAnswer:
    draft = seen_draft(ask)
    ask.context.parts.drafts.discard(draft)
    return see_other("/plans", "Your draft was discarded.")


PAGES = (
    SitePage(method="GET", path="/draft", act=_text, right=Right.PUBLISH),
    SitePage(
        method="POST",
        path="/draft",
        act=_save_text,
        right=Right.PUBLISH,
        bytes_max=TEXT_BYTES_MAX,
    ),
    SitePage(
        method="POST",
        path="/draft/text",
        act=_keep_text,
        right=Right.PUBLISH,
        bytes_max=TEXT_BYTES_MAX,
    ),
    SitePage(method="GET", path="/draft/files", act=_download, right=Right.PUBLISH),
    SitePage(method="GET", path="/draft/patch", act=_patch, right=Right.PUBLISH),
    SitePage(method="POST", path="/draft/discard", act=_discard, right=Right.PUBLISH),
)
