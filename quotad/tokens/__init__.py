"""Who may do what: tokens, their roles and what they cover. Pure: no store, no edge."""
