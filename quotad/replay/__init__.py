"""Sends a real access log through a running server and counts what would have been denied.

Owns reading logs line by line (`files`, `access_log`), templates that make requests of lines
(`template`, `plan`), sending many batches at once (`sender`), and the report (`report`). Does not
decide (the server does) and does not print (the command does). Memory is bounded whatever the
size of the log.
"""
