"""Which operation a path is for; split before it is decoded, as an id may hold a slash."""

from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from quotad.errors import InvalidRequest
from quotad.http.problems import HttpRefusal
from quotad.segments import read_segment

E = TypeVar("E")


class _Node(Generic[E]):
    __slots__ = ("any", "ends", "fields", "named")

    def __init__(self) -> None:
        self.named: dict[bytes, _Node[E]] = {}
        self.any: _Node[E] | None = None
        self.ends: dict[str, E] = {}
        """By method."""
        self.fields: dict[str, tuple[str, ...]] = {}
        """By method, the names of the segments in braces."""


class Routes(Generic[E]):
    """Ends of paths by method."""

    def __init__(self) -> None:
        self._root: _Node[E] = _Node()
        self._whole: dict[tuple[str, bytes], E] = {}

    def add(self, method: str, path: str, end: E) -> None:
        """Add an end; segments in braces stand for any text."""
        node, fields = self._root, []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                fields.append(segment[1:-1])
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(segment.encode(), _Node())
        node.ends[method] = end
        node.fields[method] = tuple(fields)
        if not fields:
            self._whole[method, path.encode()] = end

    def find(self, method: str, raw_path: bytes) -> tuple[E, dict[str, str]] | None:
        """Return the end of a path, and its segments by name; None: there is no such path.

        Raises:
            HttpRefusal: the path has other methods.
            InvalidRequest: a segment is not UTF-8.
        """
        if end := self._whole.get((method, raw_path)):
            return end, {}
        node, segments = self._root, []
        for segment in raw_path.strip(b"/").split(b"/"):
            if (found := node.named.get(segment)) is None:
                if node.any is None:
                    return None
                found = node.any
                segments.append(segment)
            node = found
        if not node.ends:
            return None
        if method not in node.ends:
            allowed = ", ".join(sorted(node.ends))
            raise HttpRefusal(
                405, "METHOD_NOT_ALLOWED", f"allowed: {allowed}", ((b"allow", allowed.encode()),)
            )
        texts: dict[str, str] = {}
        for name, segment in zip(node.fields[method], segments, strict=True):
            try:
                texts[name] = read_segment(unquote_to_bytes(segment).decode())
            except UnicodeDecodeError:
                raise InvalidRequest(f"{name}: is not UTF-8") from None
        return node.ends[method], texts
