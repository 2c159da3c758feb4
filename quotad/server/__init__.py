"""Wiring: builds objects from `Config`; workers, start, readiness, drain, stop."""
