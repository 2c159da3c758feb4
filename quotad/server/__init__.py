"""Wiring: builds objects from `Config`; workers, start, readiness, drain, stop."""

from quotad.server.server import Server

__all__ = ["Server"]
