"""quotad: an exact, plan-aware, high-throughput quota server on Redis or Valkey."""

__version__ = "0.1.0"
