"""Importing and exporting customers: files, their lines, and going on after an interruption.

    file --lines--> numbered rows --importer--> batches in flight --> answers, in order --> state
    server --exporter--> rows --> file

What a row means is the server's business; this room knows lines, CSV cells and how far it got.
"""
