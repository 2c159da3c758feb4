"""`python -m quotad` is `quotad`."""

from quotad.cli import main

main()
