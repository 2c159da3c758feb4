"""Realistic traffic for locust, and the check that what was allowed is what was counted.

Modules that do not import locust or gevent (`ledger`, `catalog`, `curves`) are pure, so that tests
can use them: importing locust patches the whole process. `locustfile.py` puts all together.
"""
