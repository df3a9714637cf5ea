"""The checkpoints of an experiment: which stay, from which a child starts, and which nobody can need."""
