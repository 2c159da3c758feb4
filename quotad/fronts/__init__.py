"""Fronts: how calls arrive and leave. The engine does not know which one is in use.

A front owns sockets, HTTP/2, gRPC status and health; it does not look into requests.
"""
