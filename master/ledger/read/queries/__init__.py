"""The queries of the reading side, by what they read."""
