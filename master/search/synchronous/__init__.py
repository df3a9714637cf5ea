"""Synchronous successive halving, with a barrier at each rung: one bracket (SHA), or a grid of them (Hyperband)."""
