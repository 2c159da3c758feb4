"""The customer record and its rules: every change of it is a pure function, before to after.

Pure: no I/O. Owns what a record may hold, and what a change makes of it. Does not own what a record
means at a moment: which phases are in force, and what they grant, is `entitlements`, which this
room asks (an override takes the window of the entitlement in force). Called by what an edge asks
for, imports, and simulation.
"""
