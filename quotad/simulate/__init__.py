"""Runs a log of the past through the real engine, at the log's own times, on a private store.

Owns the private store (`private`), the times of log lines and their order (`times`, `lines`), the
plans of customers (`roster`), which lines may be decided together (`grain`), the engine at the
log's time (`catalog_run`), what is counted of the decisions (`tally`), the report (`report`) and
the HTML page (`page`, `plots`). Does not decide (the engine does) and does not print (the command
does). Memory grows with customers and counters in force, not with the length of the log.
"""
