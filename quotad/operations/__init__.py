"""What an edge asks for, in plain Python: one way to do each thing, without protobuf or HTTP.

Owns the order of steps between catalog, customers, engine and store. Does not own how a request
arrives nor how an answer leaves: those are the services', which translate, and the sidecar's.
"""
