"""A state machine of all verbs against a model in plain Python."""
