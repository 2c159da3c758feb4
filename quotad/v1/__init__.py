"""Generated from protos/quotad/v1 by scripts/gen_protos.py; never edited."""
