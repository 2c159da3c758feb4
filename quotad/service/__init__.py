"""Services: protobuf <-> model, one module per gRPC service; exception -> status.

Owns the shape of requests and answers. Decides nothing: that is the engine's.
"""
