"""Long tests of pure code: properties of drawn records, every calendar boundary, drawn pages.

Apart from `tests/unit`, so that `make unit` ends within half a minute.
"""
