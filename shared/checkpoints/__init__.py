"""Checkpoints in their store: addresses, paths, manifests, reading and removal."""
