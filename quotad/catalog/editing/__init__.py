"""Small edits of plan files: every byte that an edit is not about stays as a person wrote it.

Owns where values stand in a text (`spots`), how they are spelled (`spell`), the edits themselves
(`splice`), what people mean by them (`changes`), where problems stand (`placed`) and edits of two
people brought together (`merging`). Does no I/O.
"""
