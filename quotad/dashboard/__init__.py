"""The dashboard: catalog, customers and usage in a browser, for people who sell.

Owns pages, forms, signing in, and what browsers load. All that it reads and writes goes through
`quotad/operations`.
"""
