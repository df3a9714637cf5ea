"""Training processes: starting them fresh or forked, and ending them with all that they started. No gRPC."""
