"""HTTP: calls as JSON, from any client, in processes of their own.

Requests are read into msgspec structs here and become what `operations/` takes; answers and errors
become JSON. Decisions of one tick of the event loop are one batch for a decision thread; the event
loop itself never waits for the store. Owns no rule of quotad.
"""
