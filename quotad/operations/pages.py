"""How many items a page of a list has."""

from quotad.errors import InvalidRequest

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000


def page_size(size: int) -> int:
    """Return how many items a page has; 0 asks for the default.

    Raises:
        InvalidRequest: out of range.
    """
    if not 0 <= size <= PAGE_SIZE_MAX:
        raise InvalidRequest(f"page_size: {size} is not between 0 and {PAGE_SIZE_MAX}")
    return size or PAGE_SIZE_DEFAULT
