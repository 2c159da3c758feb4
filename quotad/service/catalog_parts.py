"""Requests that arrive in parts, as files do that are too large for one message."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from quotad.catalog.bounds import BYTES_MAX, TOO_LARGE, bytes_of
from quotad.errors import Busy, CatalogError, InvalidRequest, QuotadError, internal_error
from quotad.fronts.status import abort
from quotad.service.admin_parts import admitted, shortened

UPLOADS_MAX = 4
"""Most requests whose parts are held at a time, each of at most `BYTES_MAX`."""

PARTS_TIMEOUT_S = 60.0
"""Longest time that the parts of one request may take to arrive."""

_log = logging.getLogger("quotad.service")
_under_way: set[object] = set()

Q = TypeVar("Q")
R = TypeVar("R")


def mapped_parts(
    method: Callable[[Any, Q, str], R],
) -> Callable[[Any, AsyncIterator[Q], Any], Awaitable[R]]:
    """Let a method take its request in parts; its errors leave as those of `mapped_write` do.

    All but `files` is the first part's; the files are those of all parts.
    """

    @functools.wraps(method)
    async def call(self: Any, parts: AsyncIterator[Q], context: Any) -> R:
        try:
            actor = admitted(self, method.__name__, None, context)  # before anything is read
            request = await _joined(parts)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, method, self, request, actor)
        except QuotadError as error:
            failed = shortened(error)
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("an admin call failed")
            failed = internal_error()
        await abort(context, failed)
        raise failed  # abort has raised already

    return call


async def _joined(parts: AsyncIterator[Q]) -> Q:
    if len(_under_way) >= UPLOADS_MAX:
        raise Busy("other catalogs are being sent already; try again in a moment")
    mark = object()
    _under_way.add(mark)
    try:
        async with asyncio.timeout(PARTS_TIMEOUT_S):
            request: Q = await _collected(parts)
            return request
    except TimeoutError:
        raise InvalidRequest(
            f"files: the parts did not all arrive within {PARTS_TIMEOUT_S:g} s"
        ) from None
    finally:
        _under_way.discard(mark)


async def _collected(parts: AsyncIterator[Any]) -> Any:
    whole: Any = None
    size = 0
    async for part in parts:
        size += sum(bytes_of(file.content) for file in part.files)
        if size > BYTES_MAX:
            raise CatalogError([f"the catalog is {TOO_LARGE}"])
        if whole is None:
            whole = part
        else:
            whole.files.extend(part.files)
    if whole is None:
        raise InvalidRequest("files: missing; give at least one plan file")
    return whole
