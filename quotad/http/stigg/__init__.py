"""What Stigg's clients call, answered by quotad: GraphQL, the edge reads and REST.

Names and shapes come from Stigg's public documentation and from what its permissively licensed
clients send and read. `docs/stigg.md` has call by call what is the same and what is not.
"""
