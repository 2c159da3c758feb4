"""The change feed: from the streams in the store to everyone who listens on this server.

Owns listeners, their queues and bounds, and what decisions note of usage that is watched. Does not
know how changes leave; gRPC and HTTP take them from here.
"""
