"""How much anybody may call: deadlines, connections, sizes, and the log of refusals."""
