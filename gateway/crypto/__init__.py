"""Proofs: signatures, digests, keys, tokens and encryption at rest, without I/O but for the key file."""
