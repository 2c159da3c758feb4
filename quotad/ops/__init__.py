"""The port for operators: a small HTTP server, and the text that Prometheus reads.

Owns neither what is counted nor what readiness means; the parent of the workers hands both over.
"""
