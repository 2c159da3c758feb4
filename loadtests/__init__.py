"""Benchmarks and load tests: programs a developer starts, no part of the product or its tests."""
