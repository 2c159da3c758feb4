"""Webhooks out: signing what is sent, where it may go, and sending it once.

Owns neither what events there are nor when they are sent again.
"""
