"""How long to wait before something that failed is tried again."""


def pause_s(failures: int, first_s: float, most_s: float, spread: float = 1.0) -> float:
    """Return the pause (s) after a failure: doubled with each in a row, up to a bound.

    Args:
        failures: in a row before this one.
        first_s: the pause after the first failure.
        most_s: the longest pause.
        spread: from 0 to 1, drawn by the caller: it keeps those that failed together from coming
            back together. 0 is half of the pause, 1 all of it.
    """
    return min(first_s * 2.0 ** min(failures, 16), most_s) * (0.5 + spread / 2)
