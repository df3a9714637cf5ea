"""Plain values, and the one conversion between them and the messages of `proto/v1`."""
