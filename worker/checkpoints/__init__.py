"""Checkpoints on the worker: the store, uploads, deletions, and stores that are out of reach."""
