"""Effective entitlements: customer record + catalog -> rights, and reset-period arithmetic.

Pure: no I/O. Does not count and does not know keys; the engine turns entitlements into charges.
"""
